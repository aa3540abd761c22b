"""What the stream processor can be told by environment."""

from typing import Final, Literal

from meltwatch_chassis.settings import KafkaSettings, PlantSettings, TritonSettings
from meltwatch_core.join.topics import TopicNames
from meltwatch_schemas.access import ACCESS, Principal
from meltwatch_schemas.tensors import ENSEMBLE
from pydantic import Field

_SHADOW_BUDGET_S: Final = 30.0
"""Older windows are not worth a call of an ensemble that is only watched."""


class Settings(KafkaSettings, TritonSettings, PlantSettings):
    """Where Kafka and Triton are, and the bounds in time and memory."""

    shadow_ensemble: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        description="Ensemble that is only watched: its scores go to shadow-scores.",
    )
    group_instance_id: str | None = Field(
        default=None, description="Name of a static group member, unique per process."
    )
    session_timeout_s: float = Field(
        default=6.0, ge=1.0, le=300.0, description="Silence after which others take over, s."
    )
    scoring_deadline_s: float = Field(
        default=30.0, gt=0, description="Longest wait for one answer of Triton, s."
    )
    scoring_concurrency: int = Field(default=8, ge=1, description="Most calls to Triton at a time.")
    outage_patience_s: float = Field(
        default=60.0, ge=0, description="Tries for this long to get a verdict, s."
    )
    probe_interval_s: float = Field(
        default=3.0, gt=0, description="Pause between probes while windows go unscored, s."
    )
    shed_after_s: float | None = Field(
        default=None, gt=0, description="Older windows go out unscored, s; never if absent."
    )
    scoring_lag_s: float = Field(
        default=10.0, gt=0, description="A window that waits longer for its verdict is reported, s."
    )
    map_from: float = Field(
        default=0.2, ge=0, le=1, description="Probability from which maps are published."
    )
    inflight_windows: int = Field(
        default=64, ge=1, description="Most windows closed and not yet published."
    )
    inflight_bytes: int = Field(
        default=64 * 1024 * 1024,
        ge=1,
        description="Most bytes of windows closed and not yet published.",
    )
    read_ahead_records: int = Field(
        default=512, ge=2, description="Waiting records of a partition that pause its reading."
    )
    read_ahead_bytes: int = Field(
        default=4 * 1024 * 1024,
        ge=1,
        description="Waiting bytes of a partition that pause its reading.",
    )
    max_held_bytes: int = Field(
        default=256 * 1024 * 1024,
        ge=1,
        description="Most bytes that wait for the other modality before reading is paused.",
    )
    max_furnaces: int = Field(
        default=2_000, ge=1, description="Most furnaces a process holds; further ones are refused."
    )
    unregistered: Literal["score", "refuse"] = Field(
        default="score", description="What becomes of furnaces that are in no plant file."
    )
    drain_timeout_s: float = Field(
        default=2.0,
        ge=0,
        description="Longest wait for windows in flight at the end, s; half the session at most.",
    )

    @property
    def in_shadow(self) -> bool:
        """Whether this process scores for nobody's alarms."""
        return self.shadow_ensemble is not None

    @property
    def principal(self) -> Principal:
        """Whose rights and consumer group it has."""
        return Principal.SHADOW_PROCESSOR if self.in_shadow else Principal.STREAM_PROCESSOR

    @property
    def topics(self) -> TopicNames:
        """Which topics it reads and writes."""
        return TopicNames(self.topic_prefix, self.in_shadow)

    @property
    def group_name(self) -> str:
        """Its consumer group."""
        (name,) = ACCESS[self.principal].groups
        return f"{self.topic_prefix}.{name}"

    @property
    def ensemble(self) -> str:
        """Which ensemble of Triton is asked."""
        return self.shadow_ensemble or ENSEMBLE

    @property
    def calls_at_a_time(self) -> int:
        """Most calls to Triton at a time: in shadow one, live may be waiting behind it."""
        return 1 if self.in_shadow else self.scoring_concurrency

    @property
    def gives_up_after_s(self) -> float | None:
        """Age beyond which a window goes out unscored; in shadow there always is one."""
        return (self.shed_after_s or _SHADOW_BUDGET_S) if self.in_shadow else self.shed_after_s
