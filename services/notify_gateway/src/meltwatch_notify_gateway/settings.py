"""What the gateway can be told by environment."""

from pathlib import Path

from meltwatch_chassis.settings import KafkaSettings
from pydantic import Field


class Settings(KafkaSettings):
    """Settings of the notify gateway."""

    channels_file: Path | None = Field(
        default=None,
        description="YAML: by which channels people are told. It holds passwords: keep it secret.",
    )
