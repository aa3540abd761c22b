"""``meltwatch furnaces adopt``: whether a furnace that was watched may alarm."""

import os
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter
from cyclopts.validators import Number
from meltwatch_chassis.errors import BadUsage
from meltwatch_chassis.located import located
from meltwatch_chassis.plant import read_plant
from meltwatch_chassis.point_file import points_as_json, points_as_yaml
from meltwatch_chassis.progress import progress
from meltwatch_chassis.terminal import print_json, print_lines
from meltwatch_core.alarms.setpoints.threshold import Budget
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.topics import Topic

from meltwatch_backtester import bootstrap
from meltwatch_backtester.commands.options import (
    AsJson,
    ProposalFile,
    furnace_named,
    next_step,
    span_of,
    write_proposal,
)
from meltwatch_backtester.commands.portrait_fit import (
    PortraitScope,
    portrait_of,
    write_portrait,
)
from meltwatch_backtester.commands.setpoint import Exceptions, abnormal_in
from meltwatch_backtester.domain.adopting import (
    Adoption,
    FurnaceInForce,
    FurnaceWatch,
    adopted,
)
from meltwatch_backtester.domain.portrait_text import standing
from meltwatch_backtester.domain.span import Span
from meltwatch_backtester.pipeline.alarm_inputs import alarm_list_in_force
from meltwatch_backtester.pipeline.live_scores import live_windows
from meltwatch_backtester.ports import TopicPart
from meltwatch_backtester.settings import Settings


@Parameter(name="*")
@dataclass(frozen=True)
class AdoptionScope:
    """What is read of a furnace."""

    since: Annotated[
        str, Parameter("--from", metavar="WHEN", help="Event time of the first windows: -24h, …")
    ] = "24h"
    until: Annotated[
        str, Parameter("--to", metavar="WHEN", help="Event time of the last ones, excluded.")
    ] = "now"
    recording: Annotated[
        Path | None, Parameter(metavar="DIR", help="Read a recording instead of Kafka.")
    ] = None
    abnormal: Exceptions = None
    plant: Annotated[
        Path | None,
        Parameter(metavar="FILE", help="The plant file; by default that of the environment."),
    ] = None


_LAST_DAY: Final = AdoptionScope()


def adopt(
    furnace: Annotated[str, Parameter("ID", allow_leading_hyphen=False, help="The furnace.")],
    /,
    *,
    scope: AdoptionScope = _LAST_DAY,
    budget: Annotated[
        float,
        Parameter(
            validator=Number(gte=0.001, lte=1000), help="False alarms per furnace-day to accept."
        ),
    ] = Budget().false_alarms,
    out: ProposalFile = None,
    portrait: Annotated[
        Path | None,
        Parameter(metavar="FILE", help="Make a portrait of the same hours too, into a file."),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Say whether a furnace that was watched may alarm, and propose its alarm points.

    It changes nothing in Kafka: a person applies the proposal and publishes the portrait.
    """
    furnace_named(furnace)
    span = span_of(scope.since, scope.until)
    abnormal = [each for text in scope.abnormal or () for each in abnormal_in(text)]
    watch, in_force = _observed(furnace, scope, span)
    made = None if portrait is None else _portrayed(furnace, scope, span, portrait)
    found = adopted((furnace, watch), span, abnormal, budget, in_force)
    proposal = found.proposal()
    if out is not None and proposal:
        write_proposal(out, proposal)
    if as_json:
        told = {"proposal": points_as_json(proposal)["alarm_points"], "portrait_made": made}
        print_json(found.document() | told)
    else:
        lines = () if made is None else (f"{'portrait':<12} {made}",)
        print_lines(*found.lines(), *lines, *_next(found, out))
    return 0 if found.may_alarm else 1


def _observed(
    furnace: str, scope: AdoptionScope, span: Span
) -> tuple[FurnaceWatch, FurnaceInForce]:
    """Return what live said of a furnace, and what is in force of it."""
    needs = () if scope.recording else ("kafka",)
    settings, watch = located(Settings, os.environ, *needs), FurnaceWatch()
    registered = read_plant(scope.plant or settings.plant_file).furnaces
    plant = {each.id: each.alarm_points for each in registered}
    with bootstrap.history(settings, scope.recording) as history:
        partitions = bootstrap.partitions_of(history, [furnace])
        with progress("reading", "scores") as advance:
            for score in live_windows(history, span, partitions, advance):
                if score.furnace_id == furnace:
                    watch.add_score(score)
        try:
            points = alarm_list_in_force(history, plant).points(furnace)
        except ContractViolation as error:
            raise BadUsage(error.detail) from None
        part = TopicPart(Topic.PORTRAITS, 0)
        portraits = standing(history.read(part, *history.bounds(part)))
    return watch, FurnaceInForce(points, portraits.get(furnace))


def _portrayed(furnace: str, scope: AdoptionScope, span: Span, file: Path) -> str:
    """Make a portrait of the same hours, and say what became of it."""
    needs = () if scope.recording else ("kafka",)
    asked = PortraitScope(scope.since, scope.until, scope.abnormal, scope.recording)
    with bootstrap.history(located(Settings, os.environ, *needs), scope.recording) as history:
        try:
            _, made = portrait_of(history, furnace, span, asked)
        except BadUsage as error:
            return f"none was made: {error}"
    write_portrait(file, made.value)
    return (
        f"made of {made.portrait.windows:,} windows into {file}; "
        f"next: meltwatch portrait publish {shlex.quote(str(file))} --why 'adopted'"
    )


def _next(found: Adoption, out: Path | None) -> Iterator[str]:
    """Yield what a person does now."""
    proposal = found.proposal()
    if not proposal:
        yield f"{'next':<12} watch on; it stays as it is"
        return
    what = "it may alarm" if found.may_alarm else "put it in shadow until it may alarm"
    why = "adopted" if found.may_alarm else "not adopted yet"
    step = next_step(out, f"{why}, {found.windows.hours:.0f} h watched")
    yield f"{'next':<12} {what}: {step}"
    if out is None:
        yield "the file (or give --out FILE):"
        yield from points_as_yaml(proposal).rstrip().split("\n")
