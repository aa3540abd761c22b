"""Alarm records as a flat table: the columns of the alarm list and of the journal."""

from datetime import datetime
from typing import Any, Final

from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.instants import ns_from_utc

from meltwatch_console.adapters.http.tables import AnswerTable, Cell, TableColumn
from meltwatch_console.domain.occurrences import is_by_rule


def _at(instant: datetime | None) -> int | None:
    return None if instant is None else ns_from_utc(instant)


def _judged(record: AlarmRecord, name: str) -> Any:
    return None if record.judgement is None else getattr(record.judgement, name)


def _threshold(record: AlarmRecord, name: str) -> float | None:
    """Return a threshold on the score, where a score judges the alarm."""
    evidence = record.evidence
    return None if is_by_rule(evidence) or record.class_ == "system" else getattr(evidence, name)


_COLUMNS: Final[tuple[TableColumn[AlarmRecord], ...]] = (
    TableColumn("alarm_id", Cell.TEXT, "Furnace id, slash, condition.", lambda r: r.alarm_id),
    TableColumn("furnace_id", Cell.TEXT, "The furnace.", lambda r: r.equipment_path),
    TableColumn("title", Cell.TEXT, "Short text.", lambda r: r.title),
    TableColumn("class", Cell.TEXT, "process or system.", lambda r: r.class_),
    TableColumn("mode", Cell.TEXT, "Of the alarm point.", lambda r: r.mode),
    TableColumn("priority", Cell.TEXT, "Of the alarm point.", lambda r: r.priority),
    TableColumn("state", Cell.TEXT, "Afterwards: UNACK, ACKED, …", lambda r: r.state),
    TableColumn("active", Cell.YES_NO, "The condition holds.", lambda r: r.active),
    TableColumn("acked", Cell.YES_NO, "Somebody has acknowledged it.", lambda r: r.acked),
    TableColumn("cause", Cell.TEXT, "RAISE, CLEAR, ACK, …", lambda r: r.transition.cause),
    TableColumn("by", Cell.TEXT, "Who caused it, if a person.", lambda r: r.transition.by),
    TableColumn("comment", Cell.TEXT, "What was written.", lambda r: r.transition.comment),
    TableColumn("raise_time", Cell.TIME, "When it was raised, event time.",
                lambda r: _at(r.raise_time)),
    TableColumn("clear_time", Cell.TIME, "When it returned to normal, event time.",
                lambda r: _at(r.clear_time)),
    TableColumn("ack_time", Cell.TIME, "When it was acknowledged.", lambda r: _at(r.ack_time)),
    TableColumn("ack_by", Cell.TEXT, "By whom.", lambda r: r.ack_by),
    TableColumn("shelved_until", Cell.TIME, "When its shelving ends.",
                lambda r: None if r.shelve is None else _at(r.shelve.until)),
    TableColumn("quality", Cell.TEXT, "Trust in the input.", lambda r: r.quality),
    TableColumn("score", Cell.NUMBER, "Score of the newest window.",
                lambda r: r.evidence.score, "log-odds"),
    TableColumn("threshold", Cell.NUMBER,
                "From this score on it is raised; empty where no score is judged.",
                lambda r: _threshold(r, "threshold"), "log-odds"),
    TableColumn("threshold_off", Cell.NUMBER,
                "Below this score it is cleared; empty where no score is judged.",
                lambda r: _threshold(r, "threshold_off"), "log-odds"),
    TableColumn("window_end", Cell.TIME, "End of the newest window, event time.",
                lambda r: _at(r.evidence.window_end)),
    TableColumn("verdict", Cell.TEXT, "What a person found out.", lambda r: _judged(r, "verdict")),
    TableColumn("judged_by", Cell.TEXT, "Who.", lambda r: _judged(r, "by")),
    TableColumn("count_24h", Cell.WHOLE, "Raises within 24 h.", lambda r: r.count_24h),
    TableColumn("occurrence_id", Cell.TEXT, "Of this activation.", lambda r: r.occurrence_id),
    TableColumn("annunciation_id", Cell.TEXT, "What is acknowledged: expected_event_id.",
                lambda r: r.annunciation_id),
    TableColumn("event_id", Cell.TEXT, "Of this record.", lambda r: r.event_id),
    TableColumn("epoch", Cell.WHOLE, "Generation of the manager.", lambda r: r.epoch),
    TableColumn("seq", Cell.WHOLE, "Number within the epoch.", lambda r: r.seq),
    TableColumn("published", Cell.TIME, "When this was written.",
                lambda r: _at(r.times.published)),
)  # fmt: skip

ALARMS: Final = AnswerTable("alarms", _COLUMNS)
JOURNAL: Final = AnswerTable("journal", _COLUMNS)
