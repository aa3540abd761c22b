"""Labels: what people found out about stretches of a furnace's time, for tuning and training."""

from collections.abc import Iterable
from datetime import datetime
from typing import Self

from pydantic import Field, model_validator

from meltwatch_schemas.alarm import AlarmRecord, AlarmVerdict
from meltwatch_schemas.alarm_list import is_newer
from meltwatch_schemas.bounds import ToldName, ToldText, ToldUser
from meltwatch_schemas.instants import UtcTime
from meltwatch_schemas.json_message import FurnaceId, Message


class Label(Message):
    """One stretch, ``[start, end)`` of event time, and the verdict on it."""

    furnace: FurnaceId = Field(description="Furnace id.")
    start: UtcTime = Field(description="When it began.")
    end: UtcTime = Field(description="When it was over.")
    verdict: AlarmVerdict = Field(description="true_alarm, false_alarm or unclear.")
    cause: ToldText = Field(default="", description="What lay behind it.")
    source: ToldName = Field(
        default="", description="The alarm that was judged, or that missed it."
    )
    occurrence_id: ToldName = Field(default="", description="Of the alarm; empty if it was missed.")
    by: ToldUser = Field(default="", description="Who judged.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.end <= self.start:
            raise ValueError("expected start before end")
        return self

    @property
    def is_abnormal(self) -> bool:
        """Whether an alarm was right there, or may have been: no normal operation."""
        return self.verdict is not AlarmVerdict.FALSE_ALARM


_Subject = tuple[str, str, datetime | None]


def labels_of(records: Iterable[AlarmRecord], now: datetime) -> list[Label]:
    """Return what was judged, each occurrence and each missed event once, by start and furnace.

    Parameters
    ----------
    records
        In any order; of each subject the newest judgement counts.
    now
        Until when an occurrence has lasted that is not over.
    """
    newest: dict[_Subject, AlarmRecord] = {}
    for record in records:
        if record.judgement is None:
            continue
        missed = record.judgement.missed
        subject = (record.alarm_id, _occurrence_id(record), missed.from_ if missed else None)
        if is_newer(record, newest.get(subject)):
            newest[subject] = record
    labels = [label for record in newest.values() if (label := _label(record, now)) is not None]
    return sorted(labels, key=lambda each: (each.start, each.furnace, each.source))


def _label(record: AlarmRecord, now: datetime) -> Label | None:
    judgement = record.judgement
    if judgement is None:
        return None
    told = judgement.missed or judgement.earlier
    start, end = record.condition_time, _end(record, now)
    if told is not None:
        start, end = told.from_, told.to
    if end <= start:  # clocks that disagree
        return None
    return Label(
        furnace=record.equipment_path,
        start=start,
        end=end,
        verdict=judgement.verdict,
        cause=judgement.cause or "",
        source=record.alarm_id,
        occurrence_id=_occurrence_id(record),
        by=judgement.by,
    )


def _occurrence_id(record: AlarmRecord) -> str:
    """Return which occurrence was judged; nothing where it was an event that was missed."""
    judgement = record.judgement
    if judgement is None or judgement.missed is not None:
        return ""
    return judgement.earlier.occurrence_id if judgement.earlier else record.occurrence_id


def _end(record: AlarmRecord, now: datetime) -> datetime:
    if record.active:
        return now
    return record.clear_time or record.times.published
