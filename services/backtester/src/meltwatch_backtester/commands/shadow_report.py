"""``meltwatch shadow report``: an ensemble that is only watched, beside the live one."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from meltwatch_chassis.located import located
from meltwatch_chassis.plant import read_plant
from meltwatch_chassis.progress import progress
from meltwatch_chassis.terminal import print_json, print_lines
from meltwatch_core.alarms.points import MasterAlarmList
from meltwatch_schemas.alarm_point import AlarmPoint
from meltwatch_schemas.default_points import OVERHEAT, default_points
from meltwatch_schemas.default_setpoint import DEFAULT_SETPOINT
from meltwatch_schemas.topics import Topic

from meltwatch_backtester import bootstrap
from meltwatch_backtester.commands.options import AsJson, Furnaces, Since, Until, span_of
from meltwatch_backtester.domain.shadow_comparison import EnsembleWatch, compared
from meltwatch_backtester.domain.thresholds import parse_thresholds
from meltwatch_backtester.pipeline.alarm_inputs import alarm_list_in_force
from meltwatch_backtester.pipeline.live_scores import live_windows
from meltwatch_backtester.settings import Settings


def report(
    *,
    since: Since = "1h",
    until: Until = "now",
    furnace: Furnaces = None,
    threshold: Annotated[
        str | None,
        Parameter(
            metavar="ON/OFF", help="Judge the one in shadow by this, not by live's set-point."
        ),
    ] = None,
    plant: Annotated[
        Path | None,
        Parameter(metavar="FILE", help="The plant file; by default that of the environment."),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Compare an ensemble that is only watched with the live one, window by window."""
    span = span_of(since, until)
    tried = parse_thresholds([threshold]).overheat if threshold else None
    candidate = tried.of(DEFAULT_SETPOINT) if tried else None
    settings, wanted = located(Settings, os.environ, "kafka"), set(furnace or ())
    registered = read_plant(plant or settings.plant_file).furnaces
    watches = EnsembleWatch(), EnsembleWatch()
    with bootstrap.kafka_history(settings) as history:
        partitions = bootstrap.partitions_of(history, wanted)
        with progress("reading", "scores") as advance:
            for watch, topic in zip(watches, (Topic.SCORES, Topic.SHADOW_SCORES), strict=True):
                for score in live_windows(history, span, partitions, advance, topic):
                    if not wanted or score.furnace_id in wanted:
                        watch.add_score(score)
        points = alarm_list_in_force(history, {each.id: each.alarm_points for each in registered})
    names = (name for watch in watches for name in watch.furnaces)
    found = compared(span, watches, _first_levels(points, names), candidate)
    if as_json:
        print_json(found.document())
    else:
        print_lines(*found.lines())
    return 0


def _first_levels(points: MasterAlarmList, furnaces: Iterable[str]) -> dict[str, AlarmPoint]:
    """Return what live is judged by; the default where a furnace has no first level."""
    return {
        name: points.of(name).get(f"{name}/{OVERHEAT}") or default_points(name)[0]
        for name in furnaces
    }
