"""What the alarm manager can be told by environment."""

from pathlib import Path

from meltwatch_chassis.settings import KafkaSettings, PlantSettings, RedisSettings
from meltwatch_core.alarms.watch import MAX_FURNACES
from pydantic import Field


class Settings(KafkaSettings, RedisSettings, PlantSettings):
    """Settings of the alarm manager and its projector."""

    alarm_manager_instance: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        description="Name of a static group member, different for active and standby: a manager "
        "that is killed and started again under it leads at once instead of after 6 s.",
    )
    roles_file: Path | None = Field(
        default=None,
        description="YAML: who may acknowledge, shelve and so on; without it the sender's word "
        "counts.",
    )
    max_furnaces: int = Field(
        default=MAX_FURNACES,
        ge=1,
        le=100_000,
        description="Most furnaces of a process; further ones are refused, counted and logged.",
    )
