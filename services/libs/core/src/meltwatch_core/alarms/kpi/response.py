"""What operators did: how soon they acknowledged, what they suppressed."""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from meltwatch_schemas.alarm import AlarmState, Priority
from meltwatch_schemas.alarm_command import Command
from meltwatch_schemas.window import NS_PER_S

from meltwatch_core.alarms.kpi.lines import JournalLine
from meltwatch_core.alarms.kpi.load import Stretch


@dataclass(frozen=True, slots=True)
class Wait:
    """How long one annunciation waited for an operator.

    Attributes
    ----------
    priority
        Of the alarm.
    waited_s
        Until it waited no longer, was raised anew, or the stretch ended. A re-alarm meanwhile
        begins no other wait.
    is_acknowledged
        Whether an acknowledgement ended it.
    has_ended
        Whether anything did.
    allowed_s
        How long an operator has.
    """

    priority: Priority
    waited_s: float
    is_acknowledged: bool
    has_ended: bool
    allowed_s: float

    @property
    def is_beyond(self) -> bool:
        """Whether it waited longer than an operator has."""
        return self.waited_s > self.allowed_s

    @property
    def is_decided(self) -> bool:
        """Whether that can be told: it has ended, or the time is over."""
        return self.has_ended or self.is_beyond


@dataclass(frozen=True, slots=True)
class Response:
    """How annunciations of a priority were answered.

    Attributes
    ----------
    count
        Waits: annunciations, but for re-alarms of what waits already.
    acknowledged
        Those that were acknowledged.
    p50_s, p95_s
        Seconds from annunciation to acknowledgement: the smallest that occurred and that half, or
        95 %, do not exceed. None where nothing was acknowledged.
    beyond
        Share that stayed unacknowledged for longer than an operator has. Those whose time is not
        over yet are left out. None where nothing can be told.
    """

    count: int
    acknowledged: int
    p50_s: float | None
    p95_s: float | None
    beyond: float | None


def responses_of(
    lives: Mapping[str, Sequence[JournalLine]], stretch: Stretch
) -> dict[Priority, Response]:
    """Return how the annunciations of a stretch were answered, by priority, the highest first."""
    waits: dict[Priority, list[Wait]] = defaultdict(list)
    for lines in lives.values():
        for wait in _waits_of(lines, stretch):
            waits[wait.priority].append(wait)
    return {priority: _response(waits[priority]) for priority in Priority if priority in waits}


def nearest_rank(values: Iterable[float], share: float) -> float | None:
    """Return the smallest value that at least a share of all do not exceed."""
    ranked = sorted(values)
    return ranked[max(math.ceil(share * len(ranked)), 1) - 1] if ranked else None


def unauthorised(lines: Iterable[JournalLine], stretch: Stretch) -> list[JournalLine]:
    """Return where an alarm was shelved or taken out of service and the record names nobody.

    Suppression by design is logic of the plant and needs no name.
    """
    return [
        line
        for line in lines
        if line.at_ns in stretch
        and line.before is not line.state
        and line.by is None
        and (
            (line.state is AlarmState.SHLVD and line.shelved_by is None)
            or line.state is AlarmState.OOSRV
        )
    ]


def _waits_of(lines: Sequence[JournalLine], stretch: Stretch) -> Iterator[Wait]:
    begun: JournalLine | None = None
    for line in lines:
        if begun is not None and line.is_annunciation and not line.is_raise:
            continue  # called again while it waits: the operator has had the time since the first
        if begun is not None and (line.is_annunciation or not line.waits):
            yield _wait(begun, line.at_ns, line)
            begun = None
        if line.is_annunciation and line.at_ns in stretch:
            begun = line
    if begun is not None:
        yield _wait(begun, stretch.end_ns, None)


def _wait(begun: JournalLine, end_ns: int, ended_by: JournalLine | None) -> Wait:
    return Wait(
        priority=begun.priority,
        waited_s=max(end_ns - begun.at_ns, 0) / NS_PER_S,
        is_acknowledged=ended_by is not None and ended_by.cause == Command.ACK.upper(),
        has_ended=ended_by is not None,
        allowed_s=begun.time_to_respond_s,
    )


def _response(waits: Sequence[Wait]) -> Response:
    taken_s = [wait.waited_s for wait in waits if wait.is_acknowledged]
    decided = [wait.is_beyond for wait in waits if wait.is_decided]
    return Response(
        count=len(waits),
        acknowledged=len(taken_s),
        p50_s=nearest_rank(taken_s, 0.5),
        p95_s=nearest_rank(taken_s, 0.95),
        beyond=sum(decided) / len(decided) if decided else None,
    )
