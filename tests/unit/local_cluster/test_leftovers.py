import json
import os
import secrets
import signal
from pathlib import Path

import pytest
from meltwatch_chassis.run_state import write_state
from meltwatch_local_cluster.launch.leftovers import (
    DATA_FOLDER,
    RECORD_FILE,
    ProcessRecord,
    clear_leftovers,
)

from tests.support.run_states import run_state
from tests.support.waiting import until
from tests.unit.local_cluster.processes import (
    PARENT_OF_SLEEPER,
    SLEEPER,
    is_gone,
    python_child,
)

pytestmark = pytest.mark.programs


def mark():
    return f"mark-{secrets.token_hex(8)}"


def test_a_folder_without_a_run_has_nothing_to_clear(tmp_path):
    assert clear_leftovers(tmp_path) is None


def test_a_process_that_outlived_its_launcher_is_killed_and_named(tmp_path):
    child = python_child(SLEEPER, tmp_path / "log", mark())
    ProcessRecord(tmp_path).add_process("kafka", child)
    assert f"killed kafka (pid {child.pid}) and" in (clear_leftovers(tmp_path) or "")
    assert is_gone(child.pid)
    child.kill()


def test_an_orphan_of_a_dead_process_is_killed(tmp_path):
    log = tmp_path / "log"
    child = python_child(PARENT_OF_SLEEPER, log, mark())
    until(lambda: log.read_text().strip() != "", "the grandchild has started")
    ProcessRecord(tmp_path).add_process("triton", child)
    orphan = int(log.read_text())
    os.kill(child.pid, signal.SIGKILL)
    until(lambda: child.exit_code() is not None, "the parent is gone")
    assert not is_gone(orphan)
    clear_leftovers(tmp_path)
    until(lambda: is_gone(orphan), "the orphan is gone")


def test_a_later_process_with_a_recorded_id_is_left_alone(tmp_path):
    """The id may have gone round: neither a wrong mark nor an earlier start is ours."""
    for change in ({"mark": "another program"}, {"started_s": 4e9}):
        child = python_child(SLEEPER, tmp_path / "log", mark())
        try:
            ProcessRecord(tmp_path).add_process("kafka", child)
            (entry,) = json.loads((tmp_path / RECORD_FILE).read_text())
            (tmp_path / RECORD_FILE).write_text(json.dumps([entry | change]))
            assert "no process was left" in (clear_leftovers(tmp_path) or "")
            assert child.exit_code() is None
        finally:
            child.kill()


def test_data_state_record_and_shared_memory_go_and_logs_stay(tmp_path):
    prefix = f"meltwatch_test_{secrets.token_hex(8)}_"
    region = Path("/dev/shm") / f"{prefix}1"  # noqa: S108 - the kernel's folder of regions
    region.write_bytes(b"x")
    (tmp_path / DATA_FOLDER / "kafka").mkdir(parents=True)
    (tmp_path / "run.json").write_text("{}")
    (tmp_path / "logs").mkdir()
    child = python_child("", tmp_path / "logs" / "log", mark())
    until(lambda: child.exit_code() is not None, "the child ends")
    ProcessRecord(tmp_path).add_process("triton", child, prefix)
    clear_leftovers(tmp_path)
    assert not region.exists()
    assert [entry.name for entry in tmp_path.iterdir()] == ["logs"]


def test_drafts_of_an_interrupted_run_go_too(tmp_path, monkeypatch):
    def interrupt(_draft, _target):
        raise KeyboardInterrupt

    child = python_child("", tmp_path / "log", mark())
    until(lambda: child.exit_code() is not None, "the child ends")
    folder = tmp_path / "state"
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", interrupt)
        with pytest.raises(KeyboardInterrupt):
            write_state(folder, run_state())
        with pytest.raises(KeyboardInterrupt):
            ProcessRecord(folder).add_process("kafka", child)
    assert len(list(folder.iterdir())) == 2
    clear_leftovers(folder)
    assert not list(folder.iterdir())


def test_a_record_cut_off_by_a_power_failure_is_no_obstacle(tmp_path):
    (tmp_path / RECORD_FILE).write_text('[{"name": "ka')
    assert "no process was left" in (clear_leftovers(tmp_path) or "")
    assert clear_leftovers(tmp_path) is None


def test_a_restarted_service_takes_the_place_of_its_earlier_process(tmp_path):
    record = ProcessRecord(tmp_path)
    children = [python_child(SLEEPER, tmp_path / "log", mark()) for _ in range(2)]
    try:
        for child in children:
            record.add_process("alarm_manager", child)
        (entry,) = json.loads((tmp_path / RECORD_FILE).read_text())
        assert entry["pid"] == children[1].pid
    finally:
        for child in children:
            child.kill()
