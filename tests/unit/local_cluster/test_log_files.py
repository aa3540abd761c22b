import errno
import shutil

import pytest
from meltwatch_local_cluster.launch.state_folder import StateNote, rotate_logs

from tests.support.waiting import until
from tests.unit.local_cluster.processes import python_child

ADDRESSES = {"kafka": "k:1", "redis": "redis://r:1", "triton": "t:1"}
WRITER = "import sys, time\nwhile True: print('line ' * 2000, flush=True); time.sleep(0.01)"


def full(*_: object):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.programs
def test_however_long_a_child_writes_its_logs_are_bounded(tmp_path):
    log = tmp_path / "child.log"
    child = python_child(WRITER, log)
    try:
        newest = tmp_path / "child.log.1"
        for _ in range(4):
            until(lambda: log.stat().st_size > 30_000, "the log has grown")
            rotate_logs(tmp_path, max_bytes=30_000, kept=2)
            assert log.stat().st_size < newest.stat().st_size
    finally:
        child.kill()
    names = sorted(file.name for file in tmp_path.iterdir())
    assert names == ["child.log", "child.log.1", "child.log.2"]
    assert "\0" not in log.read_text()


def test_a_log_within_its_bound_is_left_alone(tmp_path):
    (tmp_path / "a.log").write_bytes(b"x" * 30_000)
    rotate_logs(tmp_path, max_bytes=30_000)
    assert [file.name for file in tmp_path.iterdir()] == ["a.log"]


def test_on_a_full_disk_the_old_log_is_given_up_and_the_run_goes_on(tmp_path, monkeypatch):
    (tmp_path / "a.log").write_bytes(b"x" * 30_001)
    monkeypatch.setattr(shutil, "copyfile", full)
    rotate_logs(tmp_path, max_bytes=30_000)
    assert [(file.name, file.stat().st_size) for file in tmp_path.iterdir()] == [("a.log", 0)]


@pytest.mark.programs
def test_the_last_words_of_a_child_whose_log_began_anew_are_found(tmp_path):
    log = tmp_path / "child.log"
    log.write_bytes(b"x" * 30_001)
    child = python_child("input('')\n", log)
    rotate_logs(tmp_path, max_bytes=30_000)
    until(lambda: child.exit_code() is not None, "the child ends")
    log.write_text("Error: all is lost\n")
    assert child.last_words() == "Error: all is lost"


def test_a_state_that_cannot_be_written_is_told_once_and_tried_again(
    tmp_path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    note = StateNote(tmp_path, ADDRESSES, "meltwatch")
    with monkeypatch.context() as patch:
        patch.setattr("meltwatch_local_cluster.launch.state_folder.write_state", full)
        for _ in range(3):
            note.write()
    assert capsys.readouterr().err.count("No space left on device") == 1
    note.write()
    assert (tmp_path / "run.json").exists()
