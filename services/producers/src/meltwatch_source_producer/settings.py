"""Settings of the producer of a plant's own sources."""

from pathlib import Path

from meltwatch_chassis.settings import KafkaSettings, PlantSettings
from pydantic import Field

from meltwatch_source_producer.spool import LEAST_BYTES


class Settings(KafkaSettings, PlantSettings):
    """Which sources are published, and where records wait while Kafka is away."""

    spool_dir: Path = Field(description="Folder where records wait for Kafka.")
    spool_bytes: int = Field(
        default=2 * 1024**3, ge=LEAST_BYTES, description="Bound of the spool on disk, bytes."
    )
    tracing: bool = Field(
        default=False, description="Begin a W3C trace with each record, for logs and alarms."
    )
