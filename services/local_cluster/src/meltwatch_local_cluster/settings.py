"""Settings of a run that come from the environment; the others are options of the command."""

from pathlib import Path

from meltwatch_chassis.run_state import DEFAULT_DIR
from meltwatch_chassis.settings import ServiceSettings
from pydantic import Field


class Settings(ServiceSettings):
    """Settings of ``meltwatch run``."""

    kafka: str | None = Field(
        default=None, description="Use this broker, host:port, instead of starting one."
    )
    redis: str | None = Field(
        default=None, description="Use this Redis, redis://…, instead of starting one."
    )
    triton: str | None = Field(
        default=None, description="Use this Triton, gRPC host:port, instead of starting one."
    )
    state_dir: Path = Field(
        default=Path(DEFAULT_DIR), description="Folder for what a run needs to be found, and logs."
    )
