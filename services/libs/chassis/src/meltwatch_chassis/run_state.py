"""How commands find a run on this machine: one small JSON file."""

import os
from collections.abc import Mapping
from pathlib import Path

import psutil
from pydantic import BaseModel, ConfigDict, Field

FILE_NAME = "run.json"
DEFAULT_DIR = ".meltwatch"


class ServiceState(BaseModel):
    """One process of a run."""

    model_config = ConfigDict(frozen=True)

    pid: int | None = Field(description="Process id, or null while it is down.")
    state: str = Field(description="starting, ready, degraded, down or stopped.")
    detail: str = Field(default="", description="One line: what is the matter, since when.")
    health: str | None = Field(default=None, description="Of its health pages, host:port.")


class RunState(BaseModel):
    """The addresses and processes of a run: what ``meltwatch status --json`` prints."""

    model_config = ConfigDict(frozen=True)

    kafka: str = Field(description="Bootstrap server, host:port.")
    redis: str = Field(description="redis:// address.")
    triton: str = Field(description="gRPC host:port.")
    console: str | None = Field(default=None, description="Address of the web page.")
    topic_prefix: str = Field(description="First part of topics and Redis keys.")
    ready: bool = Field(description="Every service answers that it is ready.")
    services: dict[str, ServiceState] = Field(description="By name.")
    launcher_pid: int = Field(description="The process that owns the run.")
    launcher_started: float = Field(description="Its start, seconds since the epoch.")

    def is_alive(self) -> bool:
        """Tell whether the launcher still runs; a recycled pid is told by its start time."""
        try:
            started = psutil.Process(self.launcher_pid).create_time()
        except (psutil.Error, ValueError, OverflowError):
            return False  # gone, or no process id at all
        return abs(started - self.launcher_started) < 1.0


def state_dir(environ: Mapping[str, str]) -> Path:
    """Return ``MELTWATCH_STATE_DIR``, or ``.meltwatch`` in the working folder."""
    return Path(environ.get("MELTWATCH_STATE_DIR") or DEFAULT_DIR)


def write_state(folder: Path, state: RunState) -> None:
    """Replace the state file as a whole: a reader sees the old or the new one."""
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f"{FILE_NAME}.{os.getpid()}"
    draft.write_text(state.model_dump_json(indent=2))
    draft.replace(folder / FILE_NAME)


def read_state(folder: Path) -> RunState | None:
    """Return the state of the run in a folder, or None if nothing runs there."""
    try:
        state = RunState.model_validate_json((folder / FILE_NAME).read_bytes())
    except (OSError, ValueError):
        return None  # none, or none that could be read
    return state if state.is_alive() else None
