"""``meltwatch shadow propose``: alarm points prepared for an ensemble that is watched."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number
from meltwatch_chassis.located import located
from meltwatch_chassis.plant import read_plant
from meltwatch_chassis.point_file import points_as_json, points_as_yaml
from meltwatch_chassis.progress import progress
from meltwatch_chassis.terminal import print_json, print_lines, print_notice
from meltwatch_core.alarms.points import MasterAlarmList
from meltwatch_schemas.alarm_point import AlarmPoint, PreparedSetpoint
from meltwatch_schemas.topics import Topic

from meltwatch_backtester import bootstrap
from meltwatch_backtester.commands.options import (
    AsJson,
    Furnaces,
    ProposalFile,
    Since,
    next_step,
    span_of,
    write_proposal,
)
from meltwatch_backtester.domain.adopting import judged_by_score, own_levels
from meltwatch_backtester.domain.setpoint_finding import SetpointFinding, find_setpoint
from meltwatch_backtester.domain.watch import LogOddsWatch
from meltwatch_backtester.pipeline.alarm_inputs import alarm_list_in_force
from meltwatch_backtester.pipeline.live_scores import live_said
from meltwatch_backtester.settings import Settings


def propose(
    *,
    budget: Annotated[
        float,
        Parameter(validator=Number(gte=0.001, lte=1000), help="False alarms per furnace-day."),
    ],
    since: Since,
    furnace: Furnaces = None,
    plant: Annotated[
        Path | None,
        Parameter(metavar="FILE", help="The plant file; by default that of the environment."),
    ] = None,
    out: ProposalFile = None,
    as_json: AsJson = False,
) -> int:
    """Find the set-point of an ensemble in shadow, and prepare the alarm points for it.

    Until that ensemble is served nothing changes. Then each score is judged by the set-point of
    its own ensemble, also if the old one is served again.
    """
    span, watch, wanted = span_of(since, "now"), LogOddsWatch(), set(furnace or ())
    settings = located(Settings, os.environ, "kafka")
    registered = read_plant(plant or settings.plant_file).furnaces
    with bootstrap.kafka_history(settings) as history:
        partitions = bootstrap.partitions_of(history, wanted)
        with progress("reading", "scores") as advance:
            for said in live_said(history, span, partitions, advance, Topic.SHADOW_SCORES):
                if not wanted or said.furnace_id in wanted:
                    watch.add_window(said)
        points = alarm_list_in_force(history, {each.id: each.alarm_points for each in registered})
    found = find_setpoint(watch, span, (), budget)
    proposal = list(_prepared(found, points))
    if out is not None and proposal:
        write_proposal(out, proposal)
    if as_json:
        told = points_as_json(proposal)["alarm_points"]
        print_json(found.document() | {"proposal": told})
    else:
        print_lines(*found.lines(), *_next(proposal, out))
    return 0 if proposal else 1


def _prepared(found: SetpointFinding, points: MasterAlarmList) -> Iterator[AlarmPoint]:
    first, digest = found.setpoint, found.setpoint_digest
    if first is None or digest is None:
        return
    for furnace_id in found.furnaces:
        judged = judged_by_score(points.points(furnace_id))
        for point, own, basis in own_levels(judged, first, found) if judged else ():
            if point.setpoint_digest in (None, digest):
                print_notice(
                    f"{point.alarm_id}: expected a set-point of another ensemble, which "
                    f"setpoint_digest names, got {point.setpoint_digest}; left as it is"
                )
                continue
            prepared = PreparedSetpoint(setpoint=own, setpoint_basis=basis, setpoint_digest=digest)
            yield point.model_copy(update={"prepared": prepared})


def _next(proposal: Iterable[AlarmPoint], out: Path | None) -> Iterator[str]:
    """Yield what a person does now."""
    points = list(proposal)
    if not points:
        return
    yield f"next: {next_step(out, 'prepared for another ensemble')}, then serve it"
    if out is None:
        yield from points_as_yaml(points).rstrip().split("\n")
