"""``meltwatch alarms points``: check a file, apply it to the topic, export what is in force."""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter
from meltwatch_chassis.clock import SystemClock
from meltwatch_chassis.errors import BadUsage, ConfigurationError
from meltwatch_chassis.person import checked_reason, user_of
from meltwatch_chassis.plant import read_plant
from meltwatch_chassis.point_file import FaultyFile, points_as_json, points_as_yaml, read_points
from meltwatch_schemas.alarm_point import AlarmPoint
from meltwatch_schemas.default_points import default_points
from meltwatch_schemas.instants import utc_from_ns

from meltwatch_cli import bootstrap
from meltwatch_cli.commands.output import (
    DONE,
    AsJson,
    print_json,
    print_line,
    print_lines,
    print_notice,
)
from meltwatch_cli.domain.amendments import Amendment, amendments, listed
from meltwatch_cli.settings import located

if TYPE_CHECKING:
    from meltwatch_cli.adapters.kafka_points import PointTopic

_MOST_FAULTS: Final = 1_000
PointFileName = Annotated[
    Path,
    Parameter("FILE", allow_leading_hyphen=False, help="Alarm points as YAML or JSON."),
]


def check(
    file: PointFileName,
    /,
    *,
    plant: Annotated[bool, Parameter("--plant", help="It is a plant file.")] = False,
) -> int:
    """Tell all that is wrong with a file of alarm points, a line each; exit code 2 if anything."""
    points = _read(file, _points_of_plant if plant else read_points)
    print_line(f"{file}: {len(points)} alarm points, each of them can work")
    return DONE


def _points_of_plant(file: Path) -> tuple[AlarmPoint, ...]:
    return tuple(point for each in read_plant(file).furnaces for point in each.alarm_points)


def _read(
    file: Path, reader: Callable[[Path], tuple[AlarmPoint, ...]] = read_points
) -> tuple[AlarmPoint, ...]:
    try:
        return reader(file)
    except OSError as error:
        raise BadUsage(f"{file}: {error}") from None
    except FaultyFile as error:
        if len(error.lines) == 1:
            raise
        for line in error.lines[:_MOST_FAULTS]:
            print_notice(line)
        raise ConfigurationError(
            f"{file}: expected alarm points that can work, got {len(error.lines)} faults"
        ) from None


def apply(
    file: PointFileName,
    /,
    *,
    why: Annotated[str, Parameter(help="Why they change; recorded with them.")],
    user: Annotated[str | None, Parameter(help="By default the login name.")] = None,
    yes: Annotated[bool, Parameter("--yes", help="Do not ask.")] = False,
) -> int:
    """Show what a file would change on the topic of alarm points, ask, and write it.

    Who changed it, why and the set-point before are written with each alarm point. What the
    file does not name stays as it is.
    """
    who, reason = user_of(user), checked_reason(why)
    points = _read(file)
    if not (yes or sys.stdin.isatty()):
        raise BadUsage("expected --yes where nobody can be asked")
    settings = located(os.environ, "kafka")
    with bootstrap.point_topic(settings) as topic:
        changes = amendments(points, topic.in_force())
        _tell_unreadable(topic)
        _show(changes, len(points))
        if not changes or not (yes or _is_wanted(len(changes))):
            return DONE
        at = utc_from_ns(SystemClock().now_ns())
        topic.write([change.recorded(who, reason, at) for change in changes])
    print_line(f"{len(changes)} alarm points written by {who}")
    return DONE


def take_back(
    alarm_ids: Annotated[
        list[str],
        Parameter("ALARM_ID…", allow_leading_hyphen=False, help="Whose alarm points."),
    ],
    /,
    *,
    why: Annotated[str, Parameter(help="Why; recorded with it.")],
    user: Annotated[str | None, Parameter(help="By default the login name.")] = None,
    yes: Annotated[bool, Parameter("--yes", help="Do not ask.")] = False,
) -> int:
    """Take alarm points off the topic: those of the plant file, or the defaults, count again."""
    who, reason = user_of(user), checked_reason(why)
    if not (yes or sys.stdin.isatty()):
        raise BadUsage("expected --yes where nobody can be asked")
    settings = located(os.environ, "kafka")
    with bootstrap.point_topic(settings) as topic:
        in_force = topic.in_force()
        _tell_unreadable(topic)
        if unknown := [each for each in alarm_ids if each not in in_force]:
            raise BadUsage(f"expected alarm points of the topic, got {', '.join(unknown)}")
        wanted = list(dict.fromkeys(alarm_ids))
        for each in wanted:
            print_line(f"{each}: taken back")
        if not (yes or _is_wanted(len(wanted))):
            return DONE
        topic.take_back(wanted, who, reason)
    print_line(f"{len(wanted)} alarm points taken back by {who}")
    return DONE


def _show(changes: Sequence[Amendment], total: int) -> None:
    for change in changes:
        for line in change.lines():
            print_line(line)
        if change.sets_anew and change.after.setpoint_basis is None:
            print_notice(f"{change.after.alarm_id}: a set-point without setpoint_basis")
    new = sum(change.before is None for change in changes)
    print_line(
        f"{total} alarm points: {new} new, {len(changes) - new} changed, "
        f"{total - len(changes)} as they are"
    )


def _is_wanted(count: int) -> bool:
    print_notice(f"write {count} alarm points? y or n:")
    return input().strip().lower() in {"y", "yes"}


def export(
    *,
    plant: Annotated[
        Path | None,
        Parameter(help="The plant file: its alarm points too, and its furnaces' defaults."),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Print the alarm points in force as a file that 'check' and 'apply' take.

    They are those of the topic. With --plant they stand over those of the plant file.
    """
    furnaces = read_plant(plant).furnaces
    written = {each.id: each.alarm_points or default_points(each.id) for each in furnaces}
    settings = located(os.environ, "kafka")
    with bootstrap.point_topic(settings) as topic:
        points = listed(written, topic.in_force())
    if as_json:
        print_json(points_as_json(points))
    else:
        print_lines(*points_as_yaml(points).rstrip().split("\n"))
    _tell_unreadable(topic)
    return DONE


def _tell_unreadable(topic: "PointTopic") -> None:
    if line := topic.unreadable.line():
        print_notice(line)
