"""One look at the alarms: the list, whether it is current, and what could not be read."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from meltwatch_chassis.clock import Clock
from meltwatch_chassis.errors import BadUsage, DependencyUnreachable
from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.alarm_board import STALE_AFTER_S
from meltwatch_schemas.alarm_list import is_unacknowledged, named, newest
from meltwatch_schemas.instants import ns_from_utc
from meltwatch_schemas.window import NS_PER_S

from meltwatch_cli import bootstrap
from meltwatch_cli.domain.unreadable import Unreadable
from meltwatch_cli.domain.watch import Furnaces, WatchView
from meltwatch_cli.settings import located

if TYPE_CHECKING:
    from meltwatch_cli.adapters.kafka_alarms import AlarmTopics

_LISTEN_S: Final = 7.0
"""A little longer than the time between two heartbeats."""
_AHEAD_S: Final = 5.0
"""How far the alarm manager's clock may be ahead of ours before its heartbeat is doubted."""
_SETTLE_S: Final = 1.0
_MAX_CANDIDATES: Final = 10


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen.

    Attributes
    ----------
    alarms
        The newest record of each alarm.
    watch
        Whether the list is current, and how many furnaces it covers.
    unreadable
        Records that could not be read, by the name of their source.
    """

    alarms: list[AlarmRecord]
    watch: WatchView
    unreadable: dict[str, Unreadable] = field(default_factory=dict)

    def sentence(self, shown: list[AlarmRecord]) -> str:
        """Return the one line that stands beside a list."""
        waiting = sum(is_unacknowledged(alarm.state) for alarm in shown)
        return self.watch.sentence(len(shown), waiting)


def look(clock: Clock, *, from_kafka: bool) -> Look:
    """Read the alarms from Redis or from the topic, and the heartbeat from its topic.

    Raises
    ------
    DependencyUnreachable
        If the source of the list itself does not answer.
    """
    return _look_at_kafka(clock) if from_kafka else _look_at_redis(clock)


def found(alarms: list[AlarmRecord], name: str) -> AlarmRecord:
    """Return the one alarm that a name means.

    Raises
    ------
    BadUsage
        If there is none, or more than one.
    """
    candidates = named(alarms, name)
    if len(candidates) == 1:
        return candidates[0]
    if not candidates:
        raise BadUsage(f"expected an alarm id of 'meltwatch alarms list --all', got {name!r}")
    some = ", ".join(alarm.alarm_id for alarm in candidates[:_MAX_CANDIDATES])
    more = f" and {len(candidates) - _MAX_CANDIDATES} more" if len(candidates) > 10 else ""
    raise BadUsage(f"expected more of the alarm id, {name!r} may be {some}{more}")


def watch_now(topics: "AlarmTopics", clock: Clock, *, listen: bool = True) -> WatchView:
    """Return what the newest heartbeat says.

    Its own time tells its age. Where that is old, or in the future, the clocks may differ: then
    only a new heartbeat shows that the alarm manager runs.

    Parameters
    ----------
    topics
        The alarm topics.
    clock
        Of this machine.
    listen
        Wait for a heartbeat where the newest one is old.
    """
    beat = topics.heartbeat()
    age_s = None if beat is None else (clock.now_ns() - ns_from_utc(beat.at)) / NS_PER_S
    is_fresh = age_s is not None and -_AHEAD_S <= age_s < STALE_AFTER_S
    if not is_fresh and listen:
        for news in topics.follow(None, _is_over(clock, _LISTEN_S)):
            if news.beats:
                return WatchView(Furnaces.of(news.beats[-1]), 0.0)
    if beat is None or age_s is None:
        return WatchView()
    # A heartbeat from the future without a next one is no sign of life.
    return WatchView(Furnaces.of(beat), max(age_s, 0.0) if age_s >= -_AHEAD_S else STALE_AFTER_S)


def _is_over(clock: Clock, limit_s: float) -> Callable[[], bool]:
    end_ns = clock.monotonic_ns() + int(limit_s * NS_PER_S)
    return lambda: clock.monotonic_ns() > end_ns


def _look_at_kafka(clock: Clock) -> Look:
    with bootstrap.alarm_topics(located(os.environ, "kafka")) as topics:
        alarms = list(newest(topics.alarms()).values())
        watch = watch_now(topics, clock)
        return Look(alarms, watch, {"the topic": topics.unreadable})


def _look_at_redis(clock: Clock) -> Look:
    with bootstrap.redis_view(located(os.environ, "redis")) as view:
        alarms, reached = view.alarms(), view.offset()
        try:
            with bootstrap.alarm_topics(located(os.environ, "kafka")) as topics:
                watch = watch_now(topics, clock)
                if reached is not None and topics.written_since(reached):
                    time.sleep(_SETTLE_S)
                    alarms, now_reached = view.alarms(), view.offset()
                    behind = now_reached is None or now_reached <= reached
                    if behind and (missing := topics.written_since(reached)):
                        watch = WatchView(watch.furnaces, watch.age_s, _behind(missing))
                unreadable = {"Redis": view.unreadable, "the topics": topics.unreadable}
        except DependencyUnreachable as error:
            watch, unreadable = WatchView(problem=str(error)), {"Redis": view.unreadable}
        return Look(alarms, watch, unreadable)


def _behind(missing: int) -> str:
    return f"Redis lacks the newest {missing} records of the topic; --from-kafka reads that"
