"""Alarms on the wire: JSON records for SCADA, designed along ISA-18.2 and IEC 62682."""

from enum import StrEnum
from typing import ClassVar, Final, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from meltwatch_schemas.bounds import (
    MAX_AGE_S,
    MAX_DURATION_S,
    MAX_FEATURE,
    MAX_MEMBERS,
    MAX_PLACE,
    MAX_WORDS,
    Counter,
    Duration,
    Imbalance,
    Logit,
    Surprise,
    ToldComment,
    ToldName,
    ToldText,
    ToldUser,
    ToldWord,
    User,
)  # fmt: skip
from meltwatch_schemas.instants import UtcTime
from meltwatch_schemas.json_message import (
    AlarmId,
    FurnaceId,
    KeyedMessage,
    Message,
    is_none,
)

ALARM_SCHEMA: Final = "alarm/1.0"
HEARTBEAT_SCHEMA: Final = "heartbeat/1.0"


class AlarmState(StrEnum):
    """States on the wire (ISA-18.2 mnemonics, LATUN and LATAK ours)."""

    NORM = "NORM"
    UNACK = "UNACK"
    ACKED = "ACKED"
    RTNUN = "RTNUN"
    LATUN = "LATUN"
    LATAK = "LATAK"
    SHLVD = "SHLVD"
    DSUPR = "DSUPR"
    OOSRV = "OOSRV"


class Priority(StrEnum):
    """Fixed per alarm point by rationalisation; ``journal`` is never annunciated."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    JOURNAL = "journal"


SEVERITY: Final[dict[Priority, int]] = {
    Priority.CRITICAL: 900,
    Priority.HIGH: 700,
    Priority.MEDIUM: 500,
    Priority.LOW: 300,
    Priority.JOURNAL: 100,
}
"""OPC UA severity, 1..1000, of each priority."""


class Quality(StrEnum):
    """How far the alarm's input can be trusted."""

    GOOD = "good"
    UNCERTAIN = "uncertain"
    BAD = "bad"


class Mode(StrEnum):
    """What an alarm point may do: journal only, show, or alarm."""

    SHADOW = "shadow"
    ADVISORY = "advisory"
    ALARM = "alarm"


class Transition(Message):
    """The change that caused a record."""

    from_: AlarmState = Field(alias="from", description="State before.")
    to: AlarmState = Field(description="State after.")
    cause: ToldWord = Field(description="RAISE, CLEAR, ACK …: the event of the transition table.")
    by: ToldUser | None = Field(default=None, description="User, where a person caused it.")
    comment: ToldComment | None = Field(default=None, description="What the user wrote.")
    via: ToldUser | None = Field(default=None, description="Adapter that spoke for the user.")

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class Shelve(Message):
    """A shelving by an operator."""

    until: UtcTime = Field(description="When it ends by itself.")
    by: ToldUser = Field(description="Who shelved.")
    reason: ToldText = Field(description="Why.")
    one_shot: bool = Field(default=False, description="Ends at the next return to normal.")


class OutOfService(Message):
    """An alarm taken out of service by an engineer."""

    since: UtcTime = Field(description="From when on.")
    by: ToldUser = Field(description="Who took it out.")
    reason: ToldText = Field(description="Why.")
    work_order: ToldText = Field(description="Under which work order.")


class AlarmVerdict(StrEnum):
    """What a person found out about an alarm."""

    TRUE_ALARM = "true_alarm"
    FALSE_ALARM = "false_alarm"
    UNCLEAR = "unclear"


class MissedSpan(Message):
    """When something happened that no alarm told."""

    from_: UtcTime = Field(alias="from", description="When it began.")
    to: UtcTime = Field(description="When it ended.")

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not 0 < (self.to - self.from_).total_seconds() <= MAX_DURATION_S:
            raise ValueError("expected from before to, and at most 31 days")
        return self


class EarlierOccurrence(MissedSpan):
    """An occurrence of the alarm that is not its newest any more."""

    occurrence_id: ToldName = Field(description="Which.")


class AlarmJudgement(Message):
    """What a person found out about the occurrence, an earlier one, or an event that was missed."""

    verdict: AlarmVerdict = Field(description="Whether it was right.")
    cause: ToldText | None = Field(default=None, description="What lay behind it.")
    by: ToldUser = Field(description="Who judged.")
    at: UtcTime = Field(description="When.")
    missed: MissedSpan | None = Field(default=None, description="It was missed: when it happened.")
    earlier: EarlierOccurrence | None = Field(
        default=None, description="It is about an earlier occurrence: which, and when that was."
    )


class NoveltyEvidence(Message):
    """How unlike its own normal operation the furnace was, and where."""

    portrait: ToldName = Field(description="SHA-256 of the portrait that it is compared with.")
    video: Surprise | None = Field(default=None, description="Surprise of the picture.")
    current: Surprise | None = Field(default=None, description="Surprise of the currents.")
    row: int | None = Field(
        default=None, ge=0, le=MAX_PLACE, description="Of the most unlike patch; 0 is the top."
    )
    column: int | None = Field(
        default=None, ge=0, le=MAX_PLACE, description="Of the same patch; 0 is the left."
    )


class Evidence(Message):
    """The evidence for the alarm."""

    score: Logit | None = Field(description="Calibrated fused logit, or null without a verdict.")
    probability: float | None = Field(
        default=None, ge=0, le=1, description="What the score means, 0 to 1; null without one."
    )
    threshold: Logit = Field(description="logit_on of the alarm point.")
    threshold_off: Logit = Field(description="logit_off of the alarm point.")
    imbalance: float | None = Field(
        default=None,
        ge=0,
        le=MAX_FEATURE,
        description="Of the phase currents, where that is judged: a share of their mean.",
    )
    imbalance_on: Imbalance | None = Field(default=None, description="Of the alarm point.")
    imbalance_off: Imbalance | None = Field(default=None, description="Of the alarm point.")
    novelty: NoveltyEvidence | None = Field(
        default=None,
        exclude_if=is_none,
        description="Comparison with the portrait, where that is judged.",
    )
    novelty_on: Surprise | None = Field(
        default=None, exclude_if=is_none, description="Of the alarm point."
    )
    novelty_off: Surprise | None = Field(
        default=None, exclude_if=is_none, description="Of the alarm point."
    )
    window_start: UtcTime = Field(description="Start of the newest window's look-back.")
    window_end: UtcTime = Field(description="End of the newest window.")
    members: list[Logit] | None = Field(
        default=None, max_length=MAX_MEMBERS, description="Logit of each member."
    )
    disagreement: Logit | None = Field(default=None, ge=0, description="Their standard deviation.")
    snapshot_uri: ToldText | None = Field(default=None, description="Picture at raise time.")


class ModelReference(Message):
    """The ensemble that gave the evidence."""

    name: ToldName = Field(description="Ensemble name.")
    version: ToldName = Field(description="Model version.")
    digest: ToldName = Field(description="SHA-256 over the members' files.")
    preproc: ToldName | None = Field(default=None, description="Encoder id; null without video.")


class Guidance(Message):
    """What the operator should know and do."""

    consequence: ToldText = Field(description="What happens without action.")
    action: ToldText = Field(description="What to do.")
    time_to_respond_s: Duration = Field(description="Seconds left for it.")
    url: ToldText | None = Field(default=None, description="Operating procedure.")


class AlarmTimes(Message):
    """When the evidence passed each step of Meltwatch."""

    event: UtcTime = Field(description="Newest event time of the furnace.")
    watermark: UtcTime = Field(description="Event time up to which the furnace is judged.")
    ingest: UtcTime = Field(description="Newest ingest time of the furnace.")
    scored: UtcTime | None = Field(default=None, description="Wall clock; null when unscored.")
    published: UtcTime = Field(description="Wall clock of this record.")


class AlarmRecord(KeyedMessage):
    """Full snapshot of an alarm and the transition that caused it: what SCADA reads.

    ``(epoch, seq)`` strictly increases per alarm id; drop anything not greater.
    """

    schema_id: ClassVar[str] = ALARM_SCHEMA

    spec: Literal["alarm/1.0"] = Field(default="alarm/1.0", description="Schema and version.")
    alarm_id: AlarmId = Field(description="Furnace id, slash, condition; also the record's key.")
    occurrence_id: ToldName = Field(description="UUID of this activation; equal on reprocessing.")
    event_id: ToldName = Field(description="32 hex digits, unique per record; a token for ack.")
    epoch: Counter = Field(description="Generation of the manager that wrote it.")
    seq: Counter = Field(description="Number within the epoch.")
    transition: Transition = Field(description="What changed.")
    state: AlarmState = Field(description="State after the transition.")
    active: bool = Field(description="The condition holds.")
    acked: bool = Field(description="An operator has acknowledged it.")
    latched: bool = Field(description="Waits for a reset.")
    suppressed: list[ToldWord] = Field(
        max_length=MAX_WORDS, description="Kinds of suppression in force."
    )
    retain: bool = Field(description="Belongs on an operator's list.")
    priority: Priority = Field(description="Of the alarm point.")
    severity: int = Field(ge=1, le=1000, description="OPC UA severity of the priority.")
    title: ToldText = Field(description="Short text.")
    message: ToldText = Field(description="One sentence for the operator.")
    equipment_path: FurnaceId = Field(description="Furnace id.")
    class_: ToldWord = Field(alias="class", description="process or system.")
    condition_time: UtcTime = Field(description="First qualifying window end.")
    raise_time: UtcTime | None = Field(default=None, description="condition_time + on-delay.")
    clear_time: UtcTime | None = Field(default=None, description="When it returned to normal.")
    ack_time: UtcTime | None = Field(default=None, description="When it was acknowledged.")
    ack_by: ToldUser | None = Field(default=None, description="By whom.")
    shelve: Shelve | None = Field(default=None, description="Shelving in force.")
    out_of_service: OutOfService | None = Field(
        default=None, description="Present while an engineer has taken it out of service."
    )
    quality: Quality = Field(description="Trust in the input.")
    quality_reasons: list[ToldWord] = Field(
        max_length=MAX_WORDS, description="Words for what is wrong with it."
    )
    evidence: Evidence = Field(description="Score and thresholds.")
    model: ModelReference = Field(description="The ensemble.")
    config_rev: ToldName = Field(description="Revision of the alarm point.")
    guidance: Guidance = Field(description="For the operator.")
    times: AlarmTimes = Field(description="Latency budget.")
    count_24h: Counter = Field(description="Raises within the last 24 h of event time.")
    re_alarms: Counter | None = Field(
        default=None, description="How often re_alarm_s has announced this occurrence again."
    )
    mode: Mode = Field(description="Of the alarm point.")
    audible: bool | None = Field(default=None, description="It sounds.")
    causes: list[ToldText] | None = Field(
        default=None, max_length=MAX_WORDS, description="What may lie behind it."
    )
    display_url: ToldText | None = Field(default=None, description="Display to open.")
    time_zone: ToldName | None = Field(
        default=None, description="The plant's, an IANA name; null where nobody has said it."
    )
    language: ToldWord | None = Field(
        default=None, description="Of the texts, a BCP 47 tag; null where nobody has said it."
    )
    unregistered: bool = Field(default=False, description="The furnace stands in no plant file.")
    run_id: ToldName | None = Field(default=None, description="Present only in replays.")
    traceparent: ToldName | None = Field(default=None, description="W3C trace context.")
    annunciation_id: ToldName | None = Field(
        default=None, description="Event id of the record that last announced this occurrence."
    )
    judgement: AlarmJudgement | None = Field(
        default=None, description="The newest one since the occurrence began."
    )

    model_config = ConfigDict(
        frozen=True, extra="ignore", populate_by_name=True, allow_inf_nan=False
    )


class Heartbeat(KeyedMessage):
    """Sign of life, every 5 s; three misses mean stale."""

    schema_id: ClassVar[str] = HEARTBEAT_SCHEMA
    key_field: ClassVar[str | None] = "service"

    service: User = Field(description="Who lives; also the record's key.")
    epoch: Counter = Field(description="Generation.")
    seq: Counter = Field(description="Newest sequence number written.")
    active_alarms: Counter = Field(description="How many are active.")
    at: UtcTime = Field(description="Wall clock.")
    watched: Counter | None = Field(default=None, description="Furnaces that should be judged.")
    blind: Counter | None = Field(default=None, description="Of these, those without a verdict.")
    oldest_verdict_age_s: float | None = Field(
        default=None,
        ge=0,
        le=MAX_AGE_S,
        description="Wall-clock age of the oldest last verdict of a watched one.",
    )

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)
