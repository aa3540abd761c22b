"""Whether replay raised, cleared and kept the alarms that live did."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from meltwatch_core.alarms.system_alarms import SYSTEM
from meltwatch_schemas.alarm import AlarmRecord

from meltwatch_backtester.domain.journal import ComparedTransition, compared, place_of


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
    for record in filter(_is_compared, replayed):
        ours.setdefault(record.alarm_id, []).append(record)
    theirs = {name: [*filter(_is_compared, records)] for name, records in live.items()}
    names = sorted(ours.keys() | {name for name, records in theirs.items() if records})
    found = (_difference(name, theirs.get(name, []), ours.get(name, [])) for name in names)
    return len(names), [difference for difference in found if difference is not None]


def _is_compared(record: AlarmRecord) -> bool:
    """Tell whether a replay can produce a record.

    A system alarm may be masked by one that the manager's clock raised: what follows from that,
    and what people did then, is live's alone.
    """
    return record.class_ != SYSTEM or record.transition.cause in ("RAISE", "CLEAR")


def _difference(
    alarm_id: str, live: Sequence[AlarmRecord], ours: Sequence[AlarmRecord]
) -> AlarmDifference | None:
    happened, happens = [*map(compared, live)], [*map(compared, ours)]
    if happened == happens:
        return None
    pairs = zip(happened, happens, strict=False)
    first = next(
        (number for number, (one, other) in enumerate(pairs) if one != other),
        min(len(happened), len(happens)),
    )
    rest = [*live[first : first + 1], *ours[first : first + 1]]
    return AlarmDifference(
        alarm_id,
        rest[0].equipment_path,
        tuple(happened[first:]),
        tuple(happens[first:]),
        min(place_of(record).at_ns for record in rest),
    )
