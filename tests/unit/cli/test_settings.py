import os

import psutil
import pytest
from meltwatch_chassis.errors import ConfigurationError
from meltwatch_chassis.located import NothingRuns
from meltwatch_chassis.run_state import ServiceState, write_state
from meltwatch_cli.settings import current_run, located

from tests.support.run_states import run_state


@pytest.fixture
def run_here(tmp_path):
    """A run whose launcher is this process."""
    state = run_state(
        topic_prefix="mine",
        services={"alarm_manager": ServiceState(pid=7, state="ready")},
        launcher_pid=os.getpid(),
        launcher_started=psutil.Process().create_time(),
    )
    write_state(tmp_path, state)
    return {"MELTWATCH_STATE_DIR": str(tmp_path)}


def test_a_run_gives_every_address(run_here):
    found = located(run_here, "kafka", "redis")

    assert (found.kafka, found.redis) == ("127.0.0.1:20001", "redis://127.0.0.1:20002/0")
    assert found.topic_prefix == "mine"


def test_the_environment_wins_over_a_run(run_here):
    found = located(run_here | {"MELTWATCH_KAFKA": "plant:9092"}, "kafka")

    assert found.kafka == "plant:9092"
    assert found.topic_prefix == "meltwatch"


def test_a_run_fills_in_what_the_environment_leaves_out(run_here):
    found = located(run_here | {"MELTWATCH_TOPIC_PREFIX": "other"}, "kafka", "redis")

    assert (found.kafka, found.topic_prefix) == ("127.0.0.1:20001", "other")


def test_without_run_and_address_the_error_names_both_ways_out(tmp_path):
    with pytest.raises(NothingRuns, match=r"start one with .* or set MELTWATCH_REDIS") as caught:
        located({"MELTWATCH_STATE_DIR": str(tmp_path)}, "redis")

    assert caught.value.exit_code == 3


def test_the_run_of_a_dead_launcher_counts_as_none(run_here, tmp_path):
    text = (tmp_path / "run.json").read_text()
    (tmp_path / "run.json").write_text(text.replace(str(os.getpid()), "4194304"))

    with pytest.raises(NothingRuns):
        current_run(run_here)


def test_a_misspelt_variable_is_refused(run_here):
    with pytest.raises(ConfigurationError, match="MELTWATCH_KAFAK"):
        current_run(run_here | {"MELTWATCH_KAFAK": "x"})
