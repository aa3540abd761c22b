"""``meltwatch labels export``: what people have judged, for set-points and training."""

import os
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from meltwatch_chassis.clock import SystemClock
from meltwatch_chassis.errors import BadUsage
from meltwatch_chassis.label_file import labels_as_csv, labels_as_json
from meltwatch_chassis.moment import moment_ns
from meltwatch_chassis.whole_file import write_whole
from meltwatch_schemas.instants import utc_from_ns
from meltwatch_schemas.labels import labels_of
from meltwatch_schemas.topics import timestamp_ms

from meltwatch_cli import bootstrap
from meltwatch_cli.commands.output import DONE, print_lines, print_notice
from meltwatch_cli.settings import located


def export(
    *,
    since: Annotated[
        str | None,
        Parameter("--from", metavar="WHEN", help="Judged since then: 30d, …; by default all."),
    ] = None,
    form: Annotated[
        Literal["json", "csv"] | None,
        Parameter("--format", help="By default that of --out, else JSON."),
    ] = None,
    out: Annotated[
        Path | None, Parameter(metavar="FILE", help="Write a file instead of printing.")
    ] = None,
) -> int:
    """Export what people have judged, as stretches of time with a verdict each.

    'alarms setpoint --except FILE' reads it. Of occurrences older than 7 days only the newest of
    each alarm is left in the topic: export once a week.
    """
    clock = SystemClock()
    since_ms = None if since is None else timestamp_ms(moment_ns(since, clock.now_ns()))
    with bootstrap.alarm_topics(located(os.environ, "kafka")) as topics:
        labels = labels_of(topics.alarms(since_ms), utc_from_ns(clock.now_ns()))
        if line := topics.unreadable.line():
            print_notice(line)
    is_csv = (form or (out.suffix.lower().removeprefix(".") if out else "json")) == "csv"
    text = labels_as_csv(labels) if is_csv else labels_as_json(labels)
    if out is None:
        print_lines(*text.split("\n"))
        return DONE
    try:
        write_whole(out, f"{text}\n")
    except OSError as error:
        raise BadUsage(f"--out {out}: {error}") from None
    print_notice(f"{len(labels)} labels in {out}")
    return DONE
