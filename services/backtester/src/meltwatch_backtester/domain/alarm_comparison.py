"""Whether replay raised, cleared and kept the alarms that live did."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from meltwatch_core.alarms.system_alarms import SYSTEM
from meltwatch_schemas.alarm import AlarmRecord

from meltwatch_backtester.domain.journal import ComparedTransition, compared, place_of

_BY_CLOCK: Final = frozenset({"CLOCK", "REALARM"})
_BY_CONDITION: Final = frozenset({"RAISE", "CLEAR"})


@dataclass(frozen=True, slots=True)
class AlarmDifference:
    """An alarm whose course differs between live and replay.

    Attributes
    ----------
    alarm_id, furnace_id
        Which.
    live, replayed
        What happened, from the first difference on.
    at_ns
        Where the virtual clock stood at the first difference.
    """

    alarm_id: str
    furnace_id: str
    live: tuple[ComparedTransition, ...]
    replayed: tuple[ComparedTransition, ...]
    at_ns: int


def differences(
    live: Mapping[str, Sequence[AlarmRecord]], replayed: Iterable[AlarmRecord]
) -> tuple[int, list[AlarmDifference]]:
    """Compare two journals of a span, alarm by alarm.

    Parameters
    ----------
    live
        By alarm id, in order.
    replayed
        In order per alarm.

    Returns
    -------
    How many alarms were compared, and those that differ.
    """
    ours: dict[str, list[AlarmRecord]] = {}
    for record in replayed:
        ours.setdefault(record.alarm_id, []).append(record)
    courses = {
        name: _comparable(live.get(name, ()), ours.get(name, ()))
        for name in sorted(ours.keys() | live.keys())
    }
    compared_ones = {name: both for name, both in courses.items() if any(both)}
    found = (_difference(name, *both) for name, both in compared_ones.items())
    return len(compared_ones), [difference for difference in found if difference is not None]


_Course = list[tuple[ComparedTransition, AlarmRecord]]


def _comparable(
    live: Sequence[AlarmRecord], ours: Sequence[AlarmRecord]
) -> tuple[_Course, _Course]:
    """Return of two courses of an alarm what a replay can produce.

    What the manager's clock, a parent or the furnace's state did to an alarm is live's alone, and
    so is what people did then. Of such an alarm its condition is compared.
    """
    if any(map(_is_lives_alone, (*live, *ours))):
        return _conditions(live), _conditions(ours)
    return [(compared(r), r) for r in live], [(compared(r), r) for r in ours]


def _is_lives_alone(record: AlarmRecord) -> bool:
    by_clock = record.transition.cause in _BY_CLOCK
    return record.class_ == SYSTEM or bool(record.suppressed) or by_clock


def _conditions(records: Sequence[AlarmRecord]) -> _Course:
    return [
        (replace(compared(r), state="active" if r.active else "over"), r)
        for r in records
        if r.transition.cause in _BY_CONDITION
    ]


def _difference(alarm_id: str, live: _Course, ours: _Course) -> AlarmDifference | None:
    happened, happens = ([each for each, _ in course] for course in (live, ours))
    if happened == happens:
        return None
    pairs = zip(happened, happens, strict=False)
    first = next(
        (number for number, (one, other) in enumerate(pairs) if one != other),
        min(len(happened), len(happens)),
    )
    rest = [record for _, record in (*live[first : first + 1], *ours[first : first + 1])]
    return AlarmDifference(
        alarm_id,
        rest[0].equipment_path,
        tuple(happened[first:]),
        tuple(happens[first:]),
        min(place_of(record).at_ns for record in rest),
    )
