"""The optional journal of alarms, taken by the plant's overlay as docs/kubernetes.md says."""

import pytest

from tests.support.manifests import of_kind, workloads

pytestmark = pytest.mark.programs

PLANT = "plant with options"


def test_the_journal_is_written_once_an_hour_into_a_volume_that_lasts():
    cron = of_kind(PLANT, "CronJob")["alarm-journal"]["spec"]
    assert (cron["schedule"], cron["concurrencyPolicy"]) == ("17 * * * *", "Forbid")
    pod = workloads(PLANT)["alarm-journal"].spec
    (container,) = pod["containers"]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    claim = volumes["journal"]["persistentVolumeClaim"]["claimName"]
    assert claim in of_kind(PLANT, "PersistentVolumeClaim")
    assert container["args"][:2] == ["alarms", "journal"]
    assert container["args"][2].startswith(f"{mounts['journal']}/")
    assert "ca" in mounts


def test_it_may_reach_kafka_as_other_jobs_may():
    labels = workloads(PLANT)["alarm-journal"].labels
    policy = of_kind(PLANT, "NetworkPolicy")["clients-to-kafka"]["spec"]["podSelector"]
    (wanted,) = policy["matchExpressions"]
    assert labels[wanted["key"]] in wanted["values"]
