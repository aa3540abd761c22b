"""Settings of both producers: they publish the same furnaces, so both are told the same."""

from pathlib import Path

from meltwatch_chassis.settings import KafkaSettings
from pydantic import Field


class Settings(KafkaSettings):
    """Which simulated or recorded furnaces a producer publishes, and where to.

    Of a recording, origin, duration and speed say when and how fast it is played back.
    """

    recording_dir: Path | None = Field(
        default=None,
        description="Folder of FMF-Benchmark recordings to publish in place of the simulator.",
    )
    simulator_seed: int = Field(default=1, ge=0, description="Seed of everything simulated.")
    simulator_furnaces: int = Field(
        default=2, ge=1, le=1000, description="Number of simulated furnaces."
    )
    simulator_origin_ns: int = Field(
        default=0, ge=0, description="Event time at which the run begins, ns UTC; 0 is now."
    )
    simulator_duration_s: float | None = Field(
        default=None, gt=0, description="Event time after which the source ends; endless if unset."
    )
    simulator_speed: float = Field(
        default=1.0, ge=1, description="Event seconds per wall second, never past the wall clock."
    )
    tracing: bool = Field(
        default=False, description="Begin a W3C trace with each record, for logs and alarms."
    )
