import os
from pathlib import Path

import psutil
from meltwatch_chassis.run_state import RunState, ServiceState, read_state, state_dir, write_state


def state(**changes: object) -> RunState:
    fields = {
        "kafka": "127.0.0.1:9092",
        "redis": "redis://127.0.0.1:6379/0",
        "triton": "127.0.0.1:8001",
        "topic_prefix": "meltwatch",
        "ready": True,
        "services": {"stream_processor": ServiceState(pid=1, state="ready")},
        "launcher_pid": os.getpid(),
        "launcher_started": psutil.Process().create_time(),
    }
    return RunState.model_validate(fields | changes)


def test_a_state_is_found_by_others_in_its_folder(tmp_path: Path) -> None:
    write_state(tmp_path / "new", state())

    assert read_state(tmp_path / "new") == state()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["run.json"]


def test_a_state_whose_launcher_has_gone_is_nothing(tmp_path: Path) -> None:
    recycled = state(launcher_started=psutil.Process().create_time() - 100)
    for gone in (recycled, state(launcher_pid=2**22 - 1)):
        write_state(tmp_path, gone)
        assert read_state(tmp_path) is None


def test_a_folder_without_a_readable_state_is_nothing(tmp_path: Path) -> None:
    assert read_state(tmp_path) is None
    (tmp_path / "run.json").write_text("{")
    assert read_state(tmp_path) is None


def test_the_folder_is_that_of_the_variable_or_hidden_in_the_working_folder() -> None:
    assert state_dir({"MELTWATCH_STATE_DIR": "/x"}) == Path("/x")
    assert state_dir({"MELTWATCH_STATE_DIR": ""}) == Path(".meltwatch")
    assert state_dir({}) == Path(".meltwatch")
