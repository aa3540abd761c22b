"""States of runs with one or two things changed: ``run_state(ready=False)``."""

from typing import Any

from meltwatch_chassis.run_state import RunState


def run_state(**changes: Any) -> RunState:
    """Return the state of a run without services, whose launcher is long gone."""
    fields: dict[str, Any] = {
        "kafka": "127.0.0.1:20001",
        "redis": "redis://127.0.0.1:20002/0",
        "triton": "127.0.0.1:20003",
        "topic_prefix": "meltwatch",
        "ready": True,
        "services": {},
        "launcher_pid": 1,
        "launcher_started": 0.0,
    }
    return RunState(**fields | changes)
