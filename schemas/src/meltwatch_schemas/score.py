"""``WindowScore``: the verdict on one window (``score/1.x``)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from meltwatch_schemas.chunk import Modality as Modality  # noqa: PLC0414 - a score names it, too
from meltwatch_schemas.chunk import accept_any_envelope
from meltwatch_schemas.codec import (
    Fields,
    array_from,
    bytes_of,
    integers_named,
    optional_integers_named,
    optional_numbers_named,
    optional_texts_named,
    pack,
    texts_named,
    unpack,
)
from meltwatch_schemas.encoder import SIDE
from meltwatch_schemas.errors import malformed, violation
from meltwatch_schemas.identifiers import check_furnace_id
from meltwatch_schemas.novelty import Novelty, novelty_message, read_novelty
from meltwatch_schemas.score_bounds import check_score
from meltwatch_schemas.score_topics import (
    HistoryGap,
    NewestFrame,
    gaps_message,
    read_frames,
    read_gaps,
    read_topic_ids,
)

SCHEMA: Final = "score/1.1"
_OFFSET: Final = frozenset({int, type(None)})


class ScoreStatus(StrEnum):
    """Which modalities a verdict is based on."""

    SCORED = "scored"
    DEGRADED = "degraded"
    UNSCORED = "unscored"


@dataclass(frozen=True, slots=True)
class Features:
    """Plain numbers beside the verdict; None where their modality was unavailable.

    Attributes
    ----------
    current_mean_a, current_std_a
        Mean and standard deviation over the look-back, per phase, amperes.
    imbalance
        Largest deviation of a phase mean from the mean of the three, as a share of the latter.
    video_mean
        Mean grey of the newest frame, 0..255.
    video_motion
        Mean absolute difference of successive slots' patch means, greys.
    """

    current_mean_a: tuple[float, ...] | None = None
    current_std_a: tuple[float, ...] | None = None
    imbalance: float | None = None
    video_mean: float | None = None
    video_motion: float | None = None


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Which ensemble answered."""

    name: str
    version: str
    digest: str


@dataclass(frozen=True, slots=True)
class Sources:
    """The source that a furnace has per modality, even while unavailable; None if none yet."""

    video: str | None = None
    current: str | None = None


class SourceState(NamedTuple):
    """State of a source that decides the quality of later windows, beside their own content.

    Attributes
    ----------
    proven
        The source has shown a whole window of live data since the furnace began or came back.
    boot_id, seq, event_ns, ingest_ns
        Of its newest record: number of the first item, last event time, ingest time.
    standing_since_ns
        Ingest time of the first record whose last event time was ``event_ns``.
    stepped_from_ns
        Newest event time before its clock stepped; None if it never did.
    begun_ns
        First event time after the source began, or was silent for longer than a window reaches
        back; None where that is not known (scores of 0.1).
    """

    proven: bool
    boot_id: str
    seq: int
    event_ns: int
    ingest_ns: int
    standing_since_ns: int
    stepped_from_ns: int | None
    begun_ns: int | None = None


@dataclass(frozen=True, slots=True)
class ScoreTimes:
    """When a window passed each step of Meltwatch, ns UTC.

    Attributes
    ----------
    last_event_ns
        Newest event at or before the window's end; restoring a silence rests on it.
    last_ingest_ns
        Newest ingest time among the records handed on for the furnace.
    joined_ns, scored_ns, published_ns
        Wall clock; ``scored_ns`` is None when unscored.
    """

    last_event_ns: int
    last_ingest_ns: int
    joined_ns: int
    scored_ns: int | None
    published_ns: int


@dataclass(frozen=True, slots=True)
class Cut:
    """Which records of one input topic a window is made of.

    Attributes
    ----------
    partition
        Partition of the input topic.
    first_needed
        First offset that the window still needed; last + 1 if nothing of it is needed any
        more; None if nothing of the topic was handed on.
    last_handed_on
        Last offset handed on when the window closed, or None.
    """

    partition: int
    first_needed: int | None
    last_handed_on: int | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WindowScore:
    """The verdict on one window.

    Attributes
    ----------
    furnace_id, window_end_ns, window_id, spec_id
        Which window: see ``WindowSpec``.
    status
        ``scored`` both modalities, ``degraded`` one of them, ``unscored`` neither, or scoring
        failed.
    modalities
        Those that were available.
    video_coverage, current_coverage
        Shares of slots and of grid values that were filled, 0..1.
    logit, probability, member_logits, disagreement
        Calibrated fused logit, its logistic, each member's logit and their standard deviation;
        None when unscored.
    anomaly_map
        Shape ``(64, 64)``, uint8, or None below the probability ``map_from``.
    inputs
        Per input topic name, the cut.
    topic_ids
        Per input topic name, the id that Kafka gave the topic of that cut.
    gaps
        Per input topic name, what was passed over unread before this window.
    reasons
        Words that say why a verdict is less than whole.
    source_states
        Per modality with a source, what the quality of windows to come rests on.
    frames
        Where the frames of the window's last hop stand, oldest first; empty without any, and
        in scores of 1.0.
    novelty
        How unlike its portrait the furnace is; None without a portrait, and in scores of 1.0.
    """

    furnace_id: str
    window_end_ns: int
    window_id: str
    spec_id: str
    status: ScoreStatus
    modalities: tuple[Modality, ...]
    video_coverage: float
    current_coverage: float
    logit: float | None
    probability: float | None
    member_logits: tuple[float, ...] | None
    disagreement: float | None
    anomaly_map: NDArray[np.uint8] | None
    features: Features
    model: ModelIdentity
    encoder_id: str | None
    sources: Sources
    reasons: tuple[str, ...]
    times: ScoreTimes
    inputs: Mapping[str, Cut] = field(default_factory=dict)
    source_states: Mapping[Modality, SourceState] = field(default_factory=dict)
    unregistered: bool = False
    run_id: str | None = None
    topic_ids: Mapping[str, str] = field(default_factory=dict)
    gaps: Mapping[str, HistoryGap] = field(default_factory=dict)
    frames: tuple[NewestFrame, ...] = ()
    novelty: Novelty | None = None


def encode_score(score: WindowScore) -> bytes:
    """Return the record value of a score.

    Raises
    ------
    ContractViolation
        ``too_large`` if it exceeds 256 KiB.
    """
    message: dict[str, Any] = {
        "furnace_id": score.furnace_id,
        "window_end_ns": score.window_end_ns,
        "window_id": score.window_id,
        "spec_id": score.spec_id,
        "status": score.status.value,
        "modalities": [modality.value for modality in score.modalities],
        "video_coverage": score.video_coverage,
        "current_coverage": score.current_coverage,
        "logit": score.logit,
        "probability": score.probability,
        "member_logits": score.member_logits,
        "disagreement": score.disagreement,
        "anomaly_map": None if score.anomaly_map is None else bytes_of(score.anomaly_map, "|u1"),
        "features": _named(score.features),
        "model": _named(score.model),
        "encoder_id": score.encoder_id,
        "sources": _named(score.sources),
        "reasons": list(score.reasons),
        "times": _named(score.times),
        "inputs": {
            topic: [cut.partition, cut.first_needed, cut.last_handed_on]
            for topic, cut in score.inputs.items()
        },
    }
    if score.source_states:
        states = score.source_states.items()
        message["source_states"] = {modality.value: _state(state) for modality, state in states}
    if score.unregistered:
        message["unregistered"] = True
    if score.run_id is not None:
        message["run_id"] = score.run_id
    if score.topic_ids:
        message["topic_ids"] = dict(score.topic_ids)
    if score.gaps:
        message["gaps"] = gaps_message(score.gaps)
    if score.frames:
        message["frames"] = score.frames
    if score.novelty is not None:
        message["novelty"] = novelty_message(score.novelty)
    return pack(message)


def _state(state: SourceState) -> dict[str, Any]:
    message = state._asdict()
    if state.begun_ns is None:
        del message["begun_ns"]
    return message


def _named(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__slots__}


def decode_score(
    value: bytes, check_envelope: Callable[[str], None] = accept_any_envelope
) -> WindowScore:
    """Return the score of a record value.

    Parameters
    ----------
    value
        msgpack bytes.
    check_envelope
        Called with the furnace id among the contract checks: key and headers must fit it.

    Raises
    ------
    ContractViolation
        ``malformed``, ``contract_violation`` or ``non_finite``, the first that applies.
    """
    fields = unpack(value)
    anomaly_map = fields.optional_binary("anomaly_map")
    status, modalities = fields.text("status"), fields.texts("modalities")
    score = WindowScore(
        furnace_id=fields.text("furnace_id"),
        window_end_ns=fields.integer("window_end_ns"),
        window_id=fields.text("window_id"),
        spec_id=fields.text("spec_id"),
        video_coverage=fields.number("video_coverage"),
        current_coverage=fields.number("current_coverage"),
        logit=fields.optional_number("logit"),
        probability=fields.optional_number("probability"),
        member_logits=fields.optional_numbers("member_logits"),
        disagreement=fields.optional_number("disagreement"),
        features=_read_features(fields.map("features")),
        model=ModelIdentity(*fields.map("model").read(*_MODEL)),
        encoder_id=fields.optional_text("encoder_id"),
        sources=Sources(*fields.map("sources").read(*_SOURCES)),
        reasons=fields.texts("reasons"),
        times=ScoreTimes(*fields.map("times").read(*_TIMES)),
        inputs=_read_inputs(fields.map("inputs")),
        source_states=_read_states(fields.optional_map("source_states")),
        unregistered=fields.boolean("unregistered"),
        run_id=fields.optional_text("run_id"),
        topic_ids=read_topic_ids(fields.optional_map("topic_ids")),
        gaps=read_gaps(fields.optional_map("gaps")),
        frames=read_frames(fields),
        novelty=read_novelty(fields.optional_map("novelty")),
        # Values are judged last: a wrong type anywhere precedes a wrong value.
        status=_word(_STATUSES, "status", status),
        modalities=tuple([_word(_MODALITIES, "modalities", word) for word in modalities]),
        anomaly_map=_picture(anomaly_map),
    )
    check_envelope(check_furnace_id(score.furnace_id))
    check_score(score)
    return score


_Word = TypeVar("_Word", bound=StrEnum)
_STATUSES: Final[Mapping[str, ScoreStatus]] = {word.value: word for word in ScoreStatus}
_MODALITIES: Final[Mapping[str, Modality]] = {word.value: word for word in Modality}


def _word(words: Mapping[str, _Word], name: str, text: str) -> _Word:
    word = words.get(text)
    if word is None:
        raise violation(f"{name}: expected one of {', '.join(words)}, got {text[:80]!r}")
    return word


def _picture(data: bytes | None) -> NDArray[np.uint8] | None:
    return None if data is None else array_from("anomaly_map", data, "|u1", (SIDE, SIDE))


_SCALARS: Final = optional_numbers_named("imbalance", "video_mean", "video_motion")
_MODEL: Final = texts_named("name", "version", "digest")
_SOURCES: Final = optional_texts_named("video", "current")
_TIMES: Final = (
    *integers_named("last_event_ns", "last_ingest_ns", "joined_ns"),
    *optional_integers_named("scored_ns"),
    *integers_named("published_ns"),
)
_STATE: Final = (
    ("proven", frozenset({bool}), Fields.boolean),
    *texts_named("boot_id"),
    *integers_named("seq", "event_ns", "ingest_ns", "standing_since_ns"),
    *optional_integers_named("stepped_from_ns", "begun_ns"),
)


def _read_features(fields: Fields) -> Features:
    means = fields.optional_numbers("current_mean_a")
    deviations = fields.optional_numbers("current_std_a")
    return Features(means, deviations, *fields.read(*_SCALARS))


def _read_states(fields: Fields | None) -> dict[Modality, SourceState]:
    if fields is None:
        return {}
    return {m: _read_state(fields.map(name)) for name, m in _MODALITIES.items() if name in fields}


def _read_state(fields: Fields) -> SourceState:
    return SourceState(*fields.read(*_STATE))


def _read_inputs(fields: Fields) -> dict[str, Cut]:
    return {topic: _read_cut(fields, topic) for topic in fields.keys()}  # noqa: SIM118 - no mapping


def _read_cut(fields: Fields, topic: str) -> Cut:
    values = fields.list(topic)
    if len(values) != 3 or type(values[0]) is not int:
        raise malformed(f"inputs.{topic}: expected [partition, first, last], got {values!r}"[:200])
    if not _OFFSET.issuperset(map(type, values)):
        raise malformed(f"inputs.{topic}: expected offsets or nil, got {values!r}"[:200])
    return Cut(*values)
