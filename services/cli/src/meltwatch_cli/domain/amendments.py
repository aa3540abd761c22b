"""What a file of alarm points would change: field by field, and what stands as the record of it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from meltwatch_schemas.alarm_point import AlarmPoint, PointChange
from meltwatch_schemas.text import escaped

_LONGEST_VALUE: Final = 120


@dataclass(frozen=True, slots=True)
class Amendment:
    """An alarm point that would be another one.

    Attributes
    ----------
    after
        As the file has it.
    before
        As the topic has it; None if it has none.
    """

    after: AlarmPoint
    before: AlarmPoint | None

    @property
    def sets_anew(self) -> bool:
        """Whether thresholds or delays are other ones."""
        return self.before is None or self.before.setpoint != self.after.setpoint

    def recorded(self, who: str, why: str, at: Any) -> AlarmPoint:
        """Return the alarm point as it is written, with who changed it and why."""
        old = self.before
        change = PointChange(
            by=who,
            why=why,
            at=at,
            old=None if old is None else old.setpoint,
            old_basis=None if old is None else old.setpoint_basis,
        )
        return self.after.model_copy(update={"change": change})

    def lines(self) -> Iterator[str]:
        """Yield what differs, for a person: the alarm id, then a line a field."""
        if self.before is None:
            yield f"{self.after.alarm_id}: new on the topic"
            before: dict[str, Any] = {}
        else:
            yield f"{self.after.alarm_id}: changed"
            before = dict(_fields(_plain(self.before)))
        after = dict(_fields(_plain(self.after)))
        for name in dict.fromkeys([*before, *after]):
            old, new = before.get(name), after.get(name)
            if old != new:
                yield (
                    f"  {name}: {_shown(old)} -> {_shown(new)}"
                    if before
                    else (f"  {name}: {_shown(new)}")
                )


def amendments(
    wanted: Iterable[AlarmPoint], in_force: Mapping[str, AlarmPoint]
) -> Sequence[Amendment]:
    """Return those alarm points of a file that are not on the topic as they are."""
    pairs = (Amendment(point, in_force.get(point.alarm_id)) for point in wanted)
    return [
        each for each in pairs if each.before is None or _plain(each.before) != _plain(each.after)
    ]


def listed(
    plant: Mapping[str, Iterable[AlarmPoint]], topic: Mapping[str, AlarmPoint]
) -> Sequence[AlarmPoint]:
    """Return the alarm points in force by alarm id: the topic's over those of the plant.

    Parameters
    ----------
    plant
        Of each registered furnace, its own or the defaults.
    topic
        By alarm id.
    """
    written = {point.alarm_id: point for points in plant.values() for point in points}
    return [point for _, point in sorted((written | dict(topic)).items())]


def _plain(point: AlarmPoint) -> dict[str, Any]:
    return point.model_dump(mode="json", by_alias=True, exclude={"change"}, exclude_none=True)


def _fields(value: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for name, inner in value.items():
        if isinstance(inner, dict):
            yield from _fields(inner, f"{path}{name}.")
        else:
            yield f"{path}{name}", inner


def _shown(value: Any) -> str:
    text = escaped("nothing" if value is None else f"{value}")
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"
