"""The component ``traces``: what it runs, how often, whom it may ask."""

import pytest
from meltwatch_cli.command_tree import root

from tests.support.manifests import WITH_OPTIONS, of_kind, workloads
from tests.support.source import ROOT

pytestmark = pytest.mark.programs


def test_each_run_covers_the_one_before_so_that_a_missed_one_leaves_no_gap():
    for overlay in WITH_OPTIONS:
        cron = of_kind(overlay, "CronJob")["tracer"]["spec"]
        (container,) = workloads(overlay)["tracer"].containers
        assert (cron["schedule"], cron["concurrencyPolicy"]) == ("*/5 * * * *", "Forbid")
        assert container["args"][container["args"].index("--from") + 1] == "11m"
        assert cron["jobTemplate"]["spec"]["activeDeadlineSeconds"] < 5 * 60


def test_the_command_is_what_a_person_could_type():
    (container,) = workloads(WITH_OPTIONS[0])["tracer"].containers
    command, given, _ = root().parse_args(container["args"], print_error=False)
    assert command.__module__ == "meltwatch_cli.commands.traces"
    assert given.arguments["once"] is True
    page = (ROOT / "docs/operations.md").read_text()
    assert "containers/0/args/8, value" in page, "the patch of the page"
    assert container["args"][7:] == ["--to", given.arguments["to"]]


def test_it_reaches_a_collector_at_the_port_of_its_address_and_nothing_else_new():
    for overlay in WITH_OPTIONS:
        (container,) = workloads(overlay)["tracer"].containers
        named = [
            each for each in of_kind(overlay, "NetworkPolicy").values() if "tracer" in str(each)
        ]
        (policy,) = named
        (rule,) = policy["spec"]["egress"]
        assert rule["ports"] == [{"port": int(container["args"][-1].rpartition(":")[2])}]


def test_in_a_plant_it_logs_in_as_a_user_of_its_own():
    (container,) = workloads("plant with options")["tracer"].containers
    volumes = {
        each["name"]: each for each in workloads("plant with options")["tracer"].spec["volumes"]
    }
    assert volumes["login"]["secret"]["secretName"] == "tracer-login"
    assert {"name": "MELTWATCH_KAFKA_USERNAME", "value": "tracer"} in container["env"]
