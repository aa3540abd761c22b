from pathlib import Path

from meltwatch_backtester.commands.options import DEFAULT_FOLDER
from meltwatch_local_cluster.launch.plans import (
    PIPELINE,
    PRODUCERS,
    console_environment,
    service_plans,
)
from meltwatch_local_cluster.ports import RunScenario, RunSources

from tests.support.source import ROOT

LOGS = Path("logs")
SCENARIO = RunScenario(
    sources=RunSources.SIMULATOR,
    furnaces=3,
    seed=11,
    duration_s=60.0,
    origin_ns=1_700_000_000 * 10**9,
)


def test_each_service_has_a_health_address_and_a_log_of_its_own():
    plans = service_plans(PIPELINE + PRODUCERS, {}, LOGS)
    assert len({plan.health_address for plan in plans}) == 4
    assert {plan.log for plan in plans} == {LOGS / f"{plan.name}.log" for plan in plans}
    for plan in plans:
        assert plan.environment["MELTWATCH_HEALTH_ADDRESS"] == plan.health_address


def test_the_launchers_environment_is_passed_on_without_what_is_the_launchers_own():
    environ = {
        "PATH": "/bin",
        "MELTWATCH_KAFKA": "127.0.0.1:1",
        "MELTWATCH_LOG_LEVEL": "debug",
        "MELTWATCH_STATE_DIR": "elsewhere",
        "MELTWATCH_HEALTH_ADDRESS": "127.0.0.1:2",
    }
    (plan,) = service_plans(("alarm_manager",), environ, LOGS)
    assert plan.environment["MELTWATCH_KAFKA"] == "127.0.0.1:1"
    assert plan.environment["MELTWATCH_LOG_LEVEL"] == "debug"
    assert plan.environment["PATH"] == "/bin"
    assert "MELTWATCH_STATE_DIR" not in plan.environment
    assert plan.environment["MELTWATCH_HEALTH_ADDRESS"] != "127.0.0.1:2"


def test_producers_are_told_the_scenario_and_may_finish():
    for plan in service_plans(PRODUCERS, {}, LOGS, SCENARIO):
        told = {name: text for name, text in plan.environment.items() if "SIMULATOR" in name}
        assert told == {
            "MELTWATCH_SIMULATOR_SEED": "11",
            "MELTWATCH_SIMULATOR_FURNACES": "3",
            "MELTWATCH_SIMULATOR_ORIGIN_NS": "1700000000000000000",
            "MELTWATCH_SIMULATOR_DURATION_S": "60",
        }
        assert plan.may_finish


def test_an_endless_scenario_states_no_duration():
    endless = RunScenario(RunSources.SIMULATOR, furnaces=1, seed=1, duration_s=None, origin_ns=1)
    (plan,) = service_plans(("video_producer",), {}, LOGS, endless)
    assert "MELTWATCH_SIMULATOR_DURATION_S" not in plan.environment


def test_the_pipeline_is_told_no_scenario_and_may_not_finish():
    for plan in service_plans(PIPELINE, {}, LOGS):
        assert not any("SIMULATOR" in name for name in plan.environment)
        assert not plan.may_finish


def test_producers_of_a_recording_are_told_its_folder():
    scenario = RunScenario(RunSources.RECORDING, 2, 1, None, 1, recording=Path("here"))
    (plan,) = service_plans(("current_producer",), {}, LOGS, scenario)

    assert plan.environment["MELTWATCH_RECORDING_DIR"] == str(Path("here").absolute())
    assert plan.environment["MELTWATCH_SIMULATOR_ORIGIN_NS"] == "1"


def test_the_console_shows_what_is_made_here_and_looks_at_the_services_of_its_run(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    told = console_environment({}, {"worker": "127.0.0.1:1", "other": "127.0.0.1:2"})
    assert told["MELTWATCH_CONSOLE_METRICS"] == "worker=127.0.0.1:1,other=127.0.0.1:2"
    assert told["MELTWATCH_CONSOLE_BACKTESTS"] == str(tmp_path / DEFAULT_FOLDER)
    assert told["MELTWATCH_CONSOLE_ADDRESS"].startswith("127.0.0.1:")
    named = {
        "MELTWATCH_CONSOLE_BACKTESTS": "/srv/b", "MELTWATCH_CONSOLE_ADDRESS": "[::1]:9",
        "MELTWATCH_CONSOLE_METRICS": "a=h:1",
    }  # fmt: skip
    assert console_environment(named, {"worker": "127.0.0.1:1"}) == named


def test_what_a_backtest_writes_leaves_the_checkout_clean():
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert f"/{DEFAULT_FOLDER}/" in ignored
