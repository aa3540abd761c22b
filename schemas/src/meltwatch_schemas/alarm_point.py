"""Alarm points on the wire: the lines of the master alarm list, and who changed them."""

from typing import ClassVar, Final, Self

from pydantic import ConfigDict, Field, model_validator

from meltwatch_schemas.alarm import Mode, Priority
from meltwatch_schemas.bounds import (
    MAX_WINDOWS,
    MAX_WORDS,
    Delay,
    Duration,
    Imbalance,
    Logit,
    Name,
    Surprise,
    Text,
    User,
    Word,
)
from meltwatch_schemas.instants import UtcTime
from meltwatch_schemas.json_message import (
    AlarmId,
    FurnaceId,
    KeyedMessage,
    Message,
    is_none,
)

POINT_SCHEMA: Final = "alarm-point/1.0"


class Setpoint(Message):
    """Thresholds on the calibrated logit, delays in event time."""

    logit_on: Logit = Field(description="At or above it a window qualifies.")
    logit_off: Logit = Field(description="Below it a window clears; between, the decision holds.")
    on_delay_s: Delay = Field(default=0.0, description="Held this long before raising.")
    off_delay_s: Delay = Field(default=0.0, description="Held this long before clearing.")
    k: int | None = Field(
        default=None, ge=1, le=MAX_WINDOWS, description="Instead of the delay: k of n windows."
    )
    n: int | None = Field(default=None, ge=1, le=MAX_WINDOWS, description="See k.")
    imbalance_on: Imbalance | None = Field(
        default=None,
        description="Instead of the logit: from this imbalance of the phase currents on, a share.",
    )
    imbalance_off: Imbalance | None = Field(
        default=None, description="Below it a window clears. See imbalance_on."
    )
    novelty_on: Surprise | None = Field(
        default=None,
        exclude_if=is_none,
        description="Instead of the logit: from this surprise on, compared with the portrait.",
    )
    novelty_off: Surprise | None = Field(
        default=None,
        exclude_if=is_none,
        description="Below it a window clears. See novelty_on.",
    )

    @property
    def on(self) -> float:
        """At or above it a window qualifies, whatever is judged."""
        if self.imbalance_on is not None:
            return self.imbalance_on
        return self.logit_on if self.novelty_on is None else self.novelty_on

    @property
    def off(self) -> float:
        """Below it a window clears, whatever is judged."""
        if self.imbalance_off is not None:
            return self.imbalance_off
        return self.logit_off if self.novelty_off is None else self.novelty_off

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.logit_off > self.logit_on:
            raise ValueError(
                f"expected logit_off at most logit_on, got {self.logit_off} and {self.logit_on}"
            )
        for name in ("imbalance", "novelty"):
            on, off = (getattr(self, f"{name}_{end}") for end in ("on", "off"))
            if (on is None) != (off is None) or (on is not None and off > on):
                raise ValueError(
                    f"expected both {name}_on and {name}_off, the latter at most as high, "
                    f"got {on} and {off}"
                )
        if (self.k is None) != (self.n is None) or (self.k or 0) > (self.n or 0):
            raise ValueError(f"expected both k and n with k at most n, got {self.k} and {self.n}")
        return self


class PointChange(Message):
    """Who changed an alarm point, and why: what it says itself is the new state."""

    by: User = Field(description="Who.")
    why: Text = Field(min_length=1, description="Why.")
    at: UtcTime = Field(description="Wall clock.")
    old: Setpoint | None = Field(
        default=None, description="Set-point before; null where there was none on the topic."
    )
    old_basis: Text | None = Field(default=None, description="What that one rested on.")


class PreparedSetpoint(Message):
    """A set-point for another ensemble than the one that is served: in force once it is."""

    setpoint: Setpoint = Field(description="In place of the alarm point's own.")
    setpoint_basis: Text | None = Field(default=None, description="What it rests on.")
    setpoint_digest: Name = Field(description="Digest of the ensemble that it was made for.")


class AlarmPoint(KeyedMessage):
    """One line of the master alarm list."""

    schema_id: ClassVar[str] = POINT_SCHEMA

    alarm_id: AlarmId = Field(description="Furnace id, slash, condition; also the record's key.")
    equipment_path: FurnaceId = Field(description="Furnace id.")
    title: Text = Field(description="Short text.")
    condition: Word = Field(description="What is judged, e.g. OVERHEAT.")
    class_: Word = Field(default="process", alias="class", description="process or system.")
    alarm_class: Name | None = Field(
        default=None, description="Class of the master alarm list that it was made from, if any."
    )
    priority: Priority = Field(description="By consequence and time to respond.")
    causes: list[Text] = Field(
        default_factory=list, max_length=MAX_WORDS, description="What may lie behind it."
    )
    consequence_if_no_action: Text = Field(min_length=1, description="What happens otherwise.")
    operator_action: Text = Field(min_length=1, description="What to do.")
    time_to_respond_s: Duration = Field(description="Seconds left for it.")
    setpoint: Setpoint = Field(description="Thresholds and delays.")
    setpoint_basis: Text | None = Field(default=None, description="Backtest run or calibration.")
    setpoint_digest: Name | None = Field(
        default=None,
        description="Digest of the ensemble that the set-point was made for, if known.",
    )
    prepared: PreparedSetpoint | None = Field(
        default=None, description="For the ensemble that is to be served next, or again."
    )
    ack_required: bool = Field(default=True, description="Stays on the list until acknowledged.")
    reset_required: bool = Field(default=False, description="Latches until reset.")
    re_alarm_s: Duration | None = Field(default=None, description="Annunciates again after.")
    re_alarm_count_max: int | None = Field(
        default=None, ge=1, le=MAX_WINDOWS, description="How often at most, in one occurrence."
    )
    shelvable: bool = Field(default=True, description="May be shelved.")
    max_shelve_s: Duration = Field(default=28_800.0, description="Longest shelving.")
    suppress_when: list[Word] = Field(
        default_factory=list, max_length=MAX_WORDS, description="Furnace states."
    )
    masked_by: Name | None = Field(default=None, description="Parent alarm id.")
    audible: bool = Field(default=True, description="Sounds.")
    highly_managed: bool = Field(default=False, description="Changes need approval.")
    guidance_url: Text | None = Field(default=None, description="Operating procedure.")
    display_url: Text | None = Field(default=None, description="Display to open.")
    owner: Text | None = Field(default=None, description="Who answers for it.")
    revision: Name = Field(default="default", description="Of this line.")
    approved_by: Text | None = Field(default=None, description="Management of change.")
    approved_at: UtcTime | None = Field(default=None, description="Management of change.")
    mode: Mode = Field(default=Mode.ALARM, description="shadow, advisory or alarm.")
    change: PointChange | None = Field(
        default=None, description="The change that this record is, where somebody said so."
    )

    model_config = ConfigDict(
        frozen=True, extra="ignore", populate_by_name=True, allow_inf_nan=False
    )

    def under(self, digest: str | None) -> Self:
        """Return the alarm point as it is in force for scores of an ensemble."""
        if self.prepared is None or self.prepared.setpoint_digest != digest:
            return self
        names = ("setpoint", "setpoint_basis", "setpoint_digest")
        return self.model_copy(update={name: getattr(self.prepared, name) for name in names})
