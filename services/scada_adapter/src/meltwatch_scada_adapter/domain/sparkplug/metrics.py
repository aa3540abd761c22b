"""What a host sees of an alarm, and of the edge node itself: metrics with names that last."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from meltwatch_core.alarms.system_alarms import (
    CURRENT_LOST,
    FURNACE_SILENT,
    SCORING_LOST,
    VIDEO_LOST,
)
from meltwatch_schemas.alarm import Quality
from meltwatch_schemas.instants import ns_from_utc
from meltwatch_schemas.sparkplug import DataType, Metric, QualityCode, Value

from meltwatch_scada_adapter.domain.condition import ScadaCondition
from meltwatch_scada_adapter.domain.sparkplug.commands import (
    ACK,
    ACK_RESULT,
    ACK_USER,
    FOLDER,
    REBIRTH,
    AckAnswer,
)

BIRTH_NUMBER: Final = "bdSeq"
_NS_PER_MS: Final = 1_000_000
_BLIND: Final = (
    frozenset({FURNACE_SILENT}),
    frozenset({SCORING_LOST}),
    frozenset({VIDEO_LOST, CURRENT_LOST}),
)
"""System alarms of a furnace, any of these sets whole: nobody judges it any more."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What is told of the plant as a whole.

    Attributes
    ----------
    link
        Whether alarms are up to date: starting, live or down.
    watchdog
        Counts on every few seconds.
    active, waiting
        How many alarms are active, and how many wait for an acknowledgement.
    """

    link: str = "starting"
    watchdog: int = 0
    active: int = 0
    waiting: int = 0


def ms_of(moment: datetime) -> int:
    """Return milliseconds since 1970; of what was before, 0."""
    return max(0, ns_from_utc(moment) // _NS_PER_MS)


def is_blind(conditions: Mapping[str, ScadaCondition]) -> bool:
    """Tell whether the alarms of a furnace say that nobody judges it."""
    active = {each.name for each in conditions.values() if each.active and each.is_system}
    return any(names <= active for names in _BLIND)


def full_name(condition: ScadaCondition, name: str) -> str:
    """Return what one of an alarm's metrics is called."""
    return f"{FOLDER}/{condition.name}/{name}"


def alarm_metrics(
    condition: ScadaCondition, answer: AckAnswer, trust: QualityCode, now_ms: int
) -> Iterator[Metric]:
    """Yield the metrics of an alarm.

    Parameters
    ----------
    condition
        How it is.
    answer
        To the last acknowledgement that was asked for.
    trust
        Whether it is up to date.
    now_ms
        Stands for the time of an alarm that nothing has been told of.
    """
    is_score_bad = condition.quality is Quality.BAD and trust is QualityCode.GOOD
    stamp = now_ms if condition.is_new else ms_of(condition.received)
    for name, (kind, value) in _facts(condition, answer).items():
        quality = QualityCode.BAD if name == "Score" and is_score_bad else trust
        yield Metric(full_name(condition, name), kind, value, stamp, quality)


def node_metrics(figures: Figures, now_ms: int) -> Iterator[Metric]:
    """Yield the metrics of the edge node that change."""
    for name, kind, value in (
        ("LinkState", DataType.STRING, figures.link),
        ("Watchdog", DataType.INT64, figures.watchdog),
        ("ActiveCount", DataType.INT32, figures.active),
        ("UnackedCount", DataType.INT32, figures.waiting),
    ):
        yield Metric(name, kind, value, now_ms, QualityCode.GOOD)


def birth_number(number: int, now_ms: int) -> Metric:
    """Return the metric that ties a death to its birth."""
    return Metric(BIRTH_NUMBER, DataType.INT64, number, now_ms)


def rebirth_switch(now_ms: int) -> Metric:
    """Return the metric by which a host asks for all births."""
    return Metric(REBIRTH, DataType.BOOLEAN, value=False, timestamp_ms=now_ms)


def _facts(condition: ScadaCondition, answer: AckAnswer) -> dict[str, tuple[DataType, Value]]:
    told = not condition.is_new
    since = None if condition.since is None else ms_of(condition.since)
    return {
        "State": (DataType.STRING, condition.state.value),
        "Active": (DataType.BOOLEAN, condition.active),
        "Acked": (DataType.BOOLEAN, condition.acked),
        "Latched": (DataType.BOOLEAN, condition.latched),
        "SuppressedOrShelved": (DataType.BOOLEAN, condition.is_put_aside),
        "Retain": (DataType.BOOLEAN, condition.retain),
        "Priority": (DataType.STRING, condition.priority.value),
        "Severity": (DataType.INT32, condition.severity),
        "Quality": (DataType.STRING, condition.quality.value),
        "Score": (DataType.DOUBLE, condition.score),
        "Title": (DataType.STRING, condition.title),
        "Message": (DataType.STRING, condition.message),
        "EventId": (DataType.STRING, condition.event_id.hex() if told else ""),
        "OccurrenceId": (DataType.STRING, condition.occurrence_id),
        "ConditionTime": (DataType.DATETIME, since),
        "Time": (DataType.DATETIME, ms_of(condition.occurred) if told else None),
        "Comment": (DataType.STRING, condition.comment),
        "User": (DataType.STRING, condition.user),
        ACK: (DataType.STRING, answer.token),
        ACK_USER: (DataType.STRING, answer.user),
        ACK_RESULT: (DataType.STRING, answer.result),
    }
