"""``meltwatch alarms``: list, follow and acknowledge."""

import getpass
import json
import os
import uuid
from collections.abc import Iterable
from typing import Annotated

import typer
from meltwatch_chassis.clock import SystemClock
from meltwatch_chassis.moment import moment_ns
from meltwatch_schemas.alarm import AlarmCommand, AlarmRecord, Command, Role, utc_from_ns
from meltwatch_schemas.topics import timestamp_ms

from meltwatch_cli import bootstrap
from meltwatch_cli.adapters.interrupt import interruption
from meltwatch_cli.commands.output import (
    BAD_VERDICT,
    DONE,
    AsJson,
    print_json,
    print_line,
    print_notice,
    print_table,
)
from meltwatch_cli.domain.alarm_list import listed, newest
from meltwatch_cli.domain.liveness import Liveness
from meltwatch_cli.domain.wording import COLUMNS, clock_text, row, transition_line
from meltwatch_cli.errors import BadUsage, NoAnswer
from meltwatch_cli.settings import Settings, located


def list_alarms(
    everything: Annotated[bool, typer.Option("--all", help="Normal ones too.")] = False,
    from_kafka: Annotated[
        bool, typer.Option("--from-kafka", help="Read the alarms topic instead of Redis.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """List alarms: unacknowledged first, then by priority, then newest."""
    alarms = listed(_from_kafka() if from_kafka else _from_redis(), everything=everything)
    if as_json:
        print_json([json.loads(alarm.to_json()) for alarm in alarms])
    elif alarms:
        print_table(COLUMNS, map(row, alarms))
    else:
        print_line("no alarms")
    return DONE


def _from_redis() -> Iterable[AlarmRecord]:
    with bootstrap.redis_view(located(os.environ, "redis")) as view:
        return list(view.alarms())


def _from_kafka() -> Iterable[AlarmRecord]:
    with bootstrap.alarm_topics(located(os.environ, "kafka")) as topics:
        return newest(topics.alarms()).values()


def tail(
    since: Annotated[
        str | None,
        typer.Option(metavar="WHEN", help="Start earlier: 90s, 10m, 2h, 1d or an RFC 3339 time."),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Follow the alarms topic until Ctrl-C, one line per transition; says when nobody is there."""
    clock = SystemClock()
    since_ms = None if since is None else timestamp_ms(moment_ns(since, clock.now_ns()))
    settings = located(os.environ, "kafka")
    with interruption() as is_over, bootstrap.alarm_topics(settings) as topics:
        liveness = Liveness(clock.monotonic_ns() / 1e9)
        for news in topics.follow(since_ms, is_over):
            for record in news.alarms:
                print_line(record.to_json().decode() if as_json else transition_line(record))
            now_s = clock.monotonic_ns() / 1e9
            if turn := liveness.turn(now_s, is_heard=news.is_manager_heard):
                print_notice(f"{clock_text(utc_from_ns(clock.now_ns()))} {turn}")
    return DONE


def ack(
    alarm_id: Annotated[str, typer.Argument(metavar="ALARM_ID", help="From 'alarms list'.")],
    event_id: Annotated[
        str | None,
        typer.Option(help="The event to acknowledge; by default the newest one that Redis shows."),
    ] = None,
    comment: Annotated[str | None, typer.Option(help="For the journal.")] = None,
    user: Annotated[str | None, typer.Option(help="By default the login name.")] = None,
    timeout_s: Annotated[float, typer.Option(min=0.1, max=600, help="Seconds to wait.")] = 15.0,
    as_json: AsJson = False,
) -> int:
    """Acknowledge an alarm and wait for the answer; exit code 1 if it is refused."""
    settings = located(os.environ, *(["kafka"] if event_id else ["kafka", "redis"]))
    clock = SystemClock()
    command = AlarmCommand(
        command_id=str(uuid.uuid4()),
        alarm_id=alarm_id,
        command=Command.ACK,
        expected_event_id=event_id or _newest_event_id(settings, alarm_id),
        user=user or getpass.getuser(),
        role=Role.OPERATOR,
        comment=comment,
        issued_at=utc_from_ns(clock.now_ns()),
    )
    with bootstrap.alarm_topics(settings) as topics:
        result = topics.ask(command, timeout_s, clock)
    if result is None:
        raise NoAnswer(
            f"expected an answer of the alarm manager within {timeout_s:g} s, got none; the "
            f"command {command.command_id} may still be carried out: see 'meltwatch alarms tail'"
        )
    if as_json:
        print_json(json.loads(result.to_json()))
    else:
        print_line(f"{alarm_id}: {result.result} ({result.code}) {result.detail}".rstrip())
    return DONE if result.result == "done" else BAD_VERDICT


def _newest_event_id(settings: Settings, alarm_id: str) -> str:
    with bootstrap.redis_view(settings) as view:
        record = view.alarm(alarm_id)
    if record is None:
        raise BadUsage(f"expected an alarm id of 'meltwatch alarms list --all', got {alarm_id!r}")
    return record.event_id
