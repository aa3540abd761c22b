"""The component ``nightly-backtest``: what it runs, where results go, whom it may ask."""

import pytest
from meltwatch_cli.command_tree import root

from tests.support import manifests
from tests.support.manifests import WITH_OPTIONS, of_kind, workloads

pytestmark = pytest.mark.programs

NAME = "nightly-backtest"


def test_it_keeps_some_results_and_adds_one_where_the_console_looks():
    for overlay in WITH_OPTIONS:
        found = workloads(overlay)
        (prune, run), console = found[NAME].containers, found["console"].spec
        folder = prune["args"][2]
        assert prune["args"] == ["backtests", "prune", folder, "--keep", "30"]
        assert run["args"][0] == "backtest"
        assert f"{run['workingDir']}/backtests" == folder
        claims = [
            {each["name"]: each["persistentVolumeClaim"] for each in spec["volumes"]
             if "persistentVolumeClaim" in each}["backtests"]
            for spec in (found[NAME].spec, console)
        ]  # fmt: skip
        assert [each["claimName"] for each in claims] == ["backtests", "backtests"]
        assert claims[1]["readOnly"] is True
        told = manifests.environment(overlay, console["containers"][0])
        assert told["MELTWATCH_CONSOLE_BACKTESTS"] == folder
        (shown,) = (
            each for each in console["containers"][0]["volumeMounts"] if each["name"] == "backtests"
        )
        assert shown == {"name": "backtests", "mountPath": folder, "readOnly": True}


def test_it_may_ask_triton_and_nobody_else_new():
    for overlay in WITH_OPTIONS:
        policies = of_kind(overlay, "NetworkPolicy")
        ours = {"app.kubernetes.io/name": NAME}
        assert policies[f"{NAME}-to-triton"]["spec"]["podSelector"]["matchLabels"] == ours
        named = [name for name, each in policies.items() if NAME in str(each)]
        assert sorted(named) == [f"{NAME}-to-triton", f"triton-from-{NAME}"]


def test_both_commands_are_what_a_person_could_type():
    for container in workloads(WITH_OPTIONS[0])[NAME].containers:
        command, given, _ = root().parse_args(container["args"], print_error=False)
        assert command.__module__.startswith("meltwatch_backtester.commands")
        assert given.arguments
