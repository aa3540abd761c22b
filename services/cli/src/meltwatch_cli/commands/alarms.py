"""``meltwatch alarms``: list, show and follow."""

import json
import os
from collections.abc import Sequence
from itertools import chain, islice
from typing import Annotated, Final

from cyclopts import Parameter
from meltwatch_chassis.clock import Clock, SystemClock
from meltwatch_chassis.errors import DependencyUnreachable
from meltwatch_chassis.moment import moment_ns
from meltwatch_chassis.terminal import json_text
from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.alarm_list import listed
from meltwatch_schemas.instants import ns_from_utc, utc_from_ns
from meltwatch_schemas.topics import timestamp_ms
from meltwatch_schemas.wording import clock_text, transition_line

from meltwatch_cli import bootstrap
from meltwatch_cli.adapters.interrupt import interruption
from meltwatch_cli.commands.looking import Look, found, look, watch_now
from meltwatch_cli.commands.output import (
    BAD_VERDICT,
    DONE,
    STALE,
    AsJson,
    print_json,
    print_line,
    print_notice,
    screen_width,
)
from meltwatch_cli.domain.alarm_wording import list_lines, page
from meltwatch_cli.domain.watch import Vigil
from meltwatch_cli.settings import located

_HISTORY_MARGIN_MS: Final = 60_000
"""Clocks of the furnace and of the manager may differ."""

FromKafka = Annotated[
    bool, Parameter("--from-kafka", help="Read the alarms topic instead of Redis.")
]
AlarmName = Annotated[
    str,
    Parameter(
        "ALARM_ID",
        allow_leading_hyphen=False,
        help="From 'alarms list'; its end is enough, if unique.",
    ),
]


def list_alarms(
    *,
    everything: Annotated[bool, Parameter("--all", help="Normal ones too.")] = False,
    from_kafka: FromKafka = False,
    as_json: AsJson = False,
) -> int:
    """List alarms, and how many furnaces are watched; exit code 1 if any is blind, 3 if stale.

    Unacknowledged ones come first, then by priority, then newest. With --json, who is
    watched is one JSON object on standard error.
    """
    clock = SystemClock()
    seen = look(clock, from_kafka=from_kafka)
    alarms = listed(seen.alarms, everything=everything)
    if as_json:
        print_json([json.loads(alarm.to_json()) for alarm in alarms])
        print_notice(json_text(seen.watch.as_object()))
    else:
        _show_list(alarms, seen.sentence(alarms), clock)
    _tell_unreadable(seen)
    return _verdict(seen)


def _show_list(alarms: Sequence[AlarmRecord], sentence: str, clock: Clock) -> None:
    if alarms:
        for line in list_lines(alarms, utc_from_ns(clock.now_ns()), screen_width()):
            print_line(line)
        print_line("")
    print_line(sentence)


def _tell_unreadable(seen: Look) -> None:
    for source, unreadable in seen.unreadable.items():
        if line := unreadable.line():
            print_notice(f"{source}: {line}")


def _verdict(seen: Look) -> int:
    if seen.watch.is_stale:
        return STALE
    lost = seen.unreadable.get("Redis")
    return BAD_VERDICT if seen.watch.is_blind or (lost and lost.count) else DONE


def show(alarm_id: AlarmName, /, *, from_kafka: FromKafka = False, as_json: AsJson = False) -> int:
    """Show all about an alarm: what it is, what to do, what it rests on, what happened so far."""
    clock = SystemClock()
    seen = look(clock, from_kafka=from_kafka)
    alarm = found(seen.alarms, alarm_id)
    try:
        history = _history(alarm)
    except DependencyUnreachable as error:
        history = []
        print_notice(f"what happened so far cannot be told: {error}")
    if as_json:
        records = [json.loads(each.to_json()) for each in history]
        print_json({"alarm": json.loads(alarm.to_json()), "history": records})
    else:
        for line in page(alarm, history, utc_from_ns(clock.now_ns())):
            print_line(line)
    print_notice(seen.sentence(listed(seen.alarms, everything=False)))
    return STALE if seen.watch.is_stale else DONE


def _history(alarm: AlarmRecord) -> list[AlarmRecord]:
    """Return the records of the alarm's occurrence that the topic still has, oldest first."""
    since_ms = max(timestamp_ms(ns_from_utc(alarm.condition_time)) - _HISTORY_MARGIN_MS, 0)
    with bootstrap.alarm_topics(located(os.environ, "kafka")) as topics:
        return [
            record
            for record in topics.alarms(since_ms)
            if record.alarm_id == alarm.alarm_id and record.occurrence_id == alarm.occurrence_id
        ]


def tail(
    *,
    since: Annotated[
        str | None,
        Parameter(metavar="WHEN", help="Start earlier: 90s, 10m, 2h, 1d or an RFC 3339 time."),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Follow the alarms topic until Ctrl-C, one line per transition; says who is watched."""
    clock = SystemClock()
    since_ms = None if since is None else timestamp_ms(moment_ns(since, clock.now_ns()))
    settings = located(os.environ, "kafka")
    with interruption() as is_over, bootstrap.alarm_topics(settings) as topics:
        looks = topics.follow(since_ms, is_over)
        begun = list(islice(looks, 1))  # from here on nothing is missed
        first = watch_now(topics, clock, listen=False)
        _say(clock, str(first))
        vigil = Vigil(clock.monotonic_ns() / 1e9, first)
        for news in chain(begun, looks):
            for record in news.alarms:
                if as_json:
                    print_json(json.loads(record.to_json()), indent=None)
                else:
                    print_line(transition_line(record))
            for turn in vigil.turns(clock.monotonic_ns() / 1e9, news.beats):
                _say(clock, turn)
        if line := topics.unreadable.line():
            print_notice(line)
    return DONE


def _say(clock: Clock, text: str) -> None:
    print_notice(f"{clock_text(utc_from_ns(clock.now_ns()))} {text}")
