"""What the backtester can be told by environment."""

from meltwatch_chassis.settings import KafkaSettings, PlantSettings, TritonSettings
from pydantic import Field


class Settings(KafkaSettings, TritonSettings, PlantSettings):
    """Where history is, who scores it again, and the bounds that live has."""

    scoring_deadline_s: float = Field(
        default=30.0, gt=0, description="Longest wait for one answer of Triton, s."
    )
    scoring_concurrency: int = Field(default=8, ge=1, description="Most calls to Triton at a time.")
    outage_patience_s: float = Field(
        default=60.0, ge=0, description="Tries for this long to get a verdict, s."
    )
    map_from: float = Field(
        default=0.2, ge=0, le=1, description="Probability from which maps are published."
    )
