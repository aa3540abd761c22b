"""What people have judged, beside what live and a replay raise: what is found, kept and lost."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median
from typing import Any, Final, NamedTuple

from meltwatch_schemas.alarm import AlarmRecord, AlarmVerdict
from meltwatch_schemas.instants import ns_from_utc, rfc3339
from meltwatch_schemas.labels import Label
from meltwatch_schemas.raises import RaiseAnswer, RaiseOccasion

from meltwatch_backtester.domain.span import Span

_PROCESS: Final = "process"
_Z: Final = 1.959964
"""Of the 95 % bounds of a share."""


class Journals(NamedTuple):
    """Alarm records in their order, of the replay and of live."""

    replayed: Iterable[AlarmRecord]
    live: Iterable[AlarmRecord]


@dataclass(slots=True)
class _Standing:
    """When an alarm's condition held; without an end it still does."""

    alarm_id: str
    furnace: str
    begin: datetime
    end: datetime | None = None
    is_labelled: bool = False

    def touches(self, label: Label) -> bool:
        is_over = self.end is not None and self.end <= label.start
        return self.furnace == label.furnace and self.begin < label.end and not is_over


class LabelledStretch(NamedTuple):
    """A label, and when an alarm first stood in it; None if none did.

    Attributes
    ----------
    label
        What was judged.
    raised, raised_live
        Of the replay and of live.
    """

    label: Label
    raised: datetime | None
    raised_live: datetime | None

    @property
    def after_s(self) -> float | None:
        """From its start to the alarm of the replay."""
        return _seconds(self.label.start, self.raised)

    @property
    def lead_s(self) -> float | None:
        """From the alarm of the replay to its end."""
        return None if self.raised is None else _seconds(self.raised, self.label.end)


@dataclass(frozen=True, slots=True)
class LabelledAlarms:
    """Labels of the replayed stretch, and the alarms in each.

    Attributes
    ----------
    rows
        Each label.
    unlabelled
        Ids of alarms that the replay raised where nobody has judged, once a raise.
    """

    rows: Sequence[LabelledStretch] = ()
    unlabelled: Sequence[str] = field(default_factory=list)

    def counts(self, verdict: AlarmVerdict) -> dict[str, int]:
        """Return how many labels have a verdict, and in how many of them an alarm stood."""
        rows = [row for row in self.rows if row.label.verdict is verdict]
        ours, lives = ({i for i, row in enumerate(rows) if row[side]} for side in (1, 2))
        return {
            "labels": len(rows),
            "raised": len(ours),
            "raised_live": len(lives),
            "kept": len(ours & lives),
            "lost": len(lives - ours),
        }

    def judged(self, answer: RaiseAnswer) -> RaiseAnswer:
        """Return an answer whose occasions say what was judged of them."""
        occasions = [
            each.model_copy(update={"verdict": self._verdict(each)}) for each in answer.occasions
        ]
        return answer.model_copy(update={"occasions": occasions})

    def _verdict(self, occasion: RaiseOccasion) -> AlarmVerdict | None:
        furnace = occasion.alarm_id.rpartition("/")[0]
        times = [at for at in (occasion.before, occasion.after) if at is not None]
        for label in (row.label for row in self.rows if row.label.furnace == furnace):
            if any(label.start <= at <= label.end for at in times):
                return label.verdict
        return None

    def document(self) -> dict[str, Any]:
        """Return it for ``run.json``."""
        counted = {verdict.value: self.counts(verdict) for verdict in AlarmVerdict}
        return {
            **counted,
            "raised_without_label": len(self.unlabelled),
            "events": self._events(),
            "each": [
                {
                    "furnace_id": label.furnace,
                    "from": rfc3339(label.start),
                    "to": rfc3339(label.end),
                    "verdict": label.verdict.value,
                    "source": label.source,
                    "raised": None if raised is None else rfc3339(raised),
                    "raised_live": None if live is None else rfc3339(live),
                }
                for label, raised, live in self.rows
            ],
        }

    def _events(self) -> dict[str, Any] | None:
        """Return how many of the stretches that were judged true an alarm of the replay finds."""
        rows = [row for row in self.rows if row.label.verdict is AlarmVerdict.TRUE_ALARM]
        if not rows:
            return None
        found = [row for row in rows if row.raised is not None]
        low, high = share_bounds(len(found), len(rows))
        return {
            "found": len(found),
            "missed": len(rows) - len(found),
            "share_low": low,
            "share_high": high,
            "median_after_s": _median(row.after_s for row in found),
            "median_lead_s": _median(row.lead_s for row in found),
        }


def held_against(
    labels: Iterable[Label], journals: Journals, span: Span, furnaces: Sequence[str]
) -> LabelledAlarms:
    """Hold labels against process alarms, by event time.

    Parameters
    ----------
    labels
        What people have judged.
    journals
        Of the replay and of live.
    span
        What was replayed: labels outside it say nothing of the replay.
    furnaces
        Only these; empty for all.
    """
    ours, lives = (_standing(records) for records in journals)
    rows = []
    for label in sorted(labels, key=lambda each: (each.start, each.furnace, each.source)):
        is_within = ns_from_utc(label.start) < span.to_ns and ns_from_utc(label.end) > span.from_ns
        if not is_within or (furnaces and label.furnace not in furnaces):
            continue
        rows.append(LabelledStretch(label, _first(ours, label), _first(lives, label)))
    return LabelledAlarms(rows, [each.alarm_id for each in ours if not each.is_labelled])


def share_bounds(found: int, of: int) -> tuple[float, float]:
    """Return the 95 % bounds of a share by Wilson's method (JASA 22, 1927)."""
    share, spread = found / of, _Z * _Z / of
    middle = (share + spread / 2) / (1 + spread)
    half = _Z * math.sqrt(share * (1 - share) / of + spread / of / 4) / (1 + spread)
    low = 0.0 if found == 0 else middle - half
    high = 1.0 if found == of else middle + half
    return round(low, 3), round(high, 3)


def _first(standing: Sequence[_Standing], label: Label) -> datetime | None:
    touching = [each for each in standing if each.touches(label)]
    for each in touching:
        each.is_labelled = True
    return min((max(each.begin, label.start) for each in touching), default=None)


def _seconds(since: datetime, until: datetime | None) -> float | None:
    return None if until is None else round((until - since).total_seconds(), 1)


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(median(known), 1) if known else None


def _standing(alarms: Iterable[AlarmRecord]) -> list[_Standing]:
    found: list[_Standing] = []
    now: dict[str, _Standing] = {}
    for record in alarms:
        if record.class_ != _PROCESS:
            continue
        name = record.alarm_id
        if record.active and name not in now:
            begin = record.raise_time or record.condition_time
            now[name] = _Standing(name, record.equipment_path, begin)
            found.append(now[name])
        elif not record.active and name in now:
            now.pop(name).end = record.clear_time or record.times.event
    return found
