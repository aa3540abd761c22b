"""What people have judged, beside what a replay raises: what it finds, and what it does not."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from meltwatch_schemas.alarm import AlarmRecord, AlarmVerdict, ns_from_utc, rfc3339
from meltwatch_schemas.labels import Label

from meltwatch_backtester.domain.span import Span

_PROCESS: Final = "process"


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


@dataclass(frozen=True, slots=True)
class LabelledAlarms:
    """Labels of the replayed stretch, and the alarms of the replay in each.

    Attributes
    ----------
    rows
        Each label, and when an alarm first stood in it; None if none did.
    unlabelled
        Ids of alarms that were raised where nobody has judged, once a raise.
    """

    rows: Sequence[tuple[Label, datetime | None]] = ()
    unlabelled: Sequence[str] = field(default_factory=list)

    def counts(self, verdict: AlarmVerdict) -> tuple[int, int]:
        """Return how many labels have a verdict, and in how many of them an alarm stood."""
        found = [raised is not None for label, raised in self.rows if label.verdict is verdict]
        return len(found), sum(found)

    def document(self) -> dict[str, Any]:
        """Return it for ``run.json``."""
        counted = {
            verdict.value: dict(zip(("labels", "raised"), self.counts(verdict), strict=True))
            for verdict in AlarmVerdict
        }
        return {
            **counted,
            "raised_without_label": len(self.unlabelled),
            "each": [
                {
                    "furnace_id": label.furnace,
                    "from": rfc3339(label.start),
                    "to": rfc3339(label.end),
                    "verdict": label.verdict.value,
                    "source": label.source,
                    "raised": None if raised is None else rfc3339(raised),
                }
                for label, raised in self.rows
            ],
        }


def held_against(
    labels: Iterable[Label], alarms: Iterable[AlarmRecord], span: Span, furnaces: Sequence[str]
) -> LabelledAlarms:
    """Hold labels against the process alarms of a replay, by event time.

    Parameters
    ----------
    labels
        What people have judged.
    alarms
        Records of the replay, in their order.
    span
        What was replayed: labels outside it say nothing of the replay.
    furnaces
        Only these; empty for all.
    """
    standing = _standing(alarms)
    rows = []
    for label in sorted(labels, key=lambda each: (each.start, each.furnace, each.source)):
        is_within = ns_from_utc(label.start) < span.to_ns and ns_from_utc(label.end) > span.from_ns
        if not is_within or (furnaces and label.furnace not in furnaces):
            continue
        touching = [each for each in standing if each.touches(label)]
        for each in touching:
            each.is_labelled = True
        first = min((max(each.begin, label.start) for each in touching), default=None)
        rows.append((label, first))
    return LabelledAlarms(rows, [each.alarm_id for each in standing if not each.is_labelled])


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
