"""The component ``backup``: what it runs, where backups go, and that it saves the evidence."""

import pytest
from meltwatch_cli.command_tree import root

from tests.support.manifests import WITH_OPTIONS, of_kind, workloads

pytestmark = pytest.mark.programs


def test_each_night_a_backup_goes_to_a_volume_of_its_own():
    for overlay in WITH_OPTIONS:
        cron = of_kind(overlay, "CronJob")["backup"]["spec"]
        assert (cron["schedule"], cron["concurrencyPolicy"]) == ("37 1 * * *", "Forbid")
        (container,) = workloads(overlay)["backup"].containers
        claims = {
            each["name"]: each["persistentVolumeClaim"]["claimName"]
            for each in workloads(overlay)["backup"].spec["volumes"]
            if "persistentVolumeClaim" in each
        }
        mounts = {each["name"]: each["mountPath"] for each in container["volumeMounts"]}
        assert claims["backups"] in of_kind(overlay, "PersistentVolumeClaim")
        assert container["args"][:3] == ["backup", "--to", mounts["backups"]]
        # The console keeps the evidence; here it is only read.
        assert claims["evidence"] == "console-evidence"
        assert container["args"][-1] == f"--files=evidence={mounts['evidence']}"
        (evidence,) = (each for each in container["volumeMounts"] if each["name"] == "evidence")
        assert evidence["readOnly"] is True


def test_the_command_is_what_a_person_could_type():
    (container,) = workloads(WITH_OPTIONS[0])["backup"].containers
    command, given, _ = root().parse_args(container["args"], print_error=False)
    assert command.__name__ == "backup"
    assert given.arguments["keep"] == 14


def test_in_a_plant_it_logs_in_as_other_jobs_do():
    (container,) = workloads("plant with options")["backup"].containers
    volumes = {
        each["name"]: each for each in workloads("plant with options")["backup"].spec["volumes"]
    }
    assert volumes["login"]["secret"]["secretName"] == "backup-login"
    assert {"name": "MELTWATCH_KAFKA_USERNAME", "value": "backup"} in container["env"]
    assert container["image"].startswith("registry.example.com/meltwatch/tools:")
