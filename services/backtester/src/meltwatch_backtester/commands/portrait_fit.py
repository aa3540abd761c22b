"""``meltwatch portrait fit``: a portrait of a furnace's own normal operation."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

from cyclopts import Parameter
from cyclopts.validators import Number
from meltwatch_chassis.clock import SystemClock
from meltwatch_chassis.errors import BadUsage
from meltwatch_chassis.located import located
from meltwatch_chassis.person import checked_reason, user_of
from meltwatch_chassis.progress import progress
from meltwatch_chassis.terminal import print_json, print_lines
from meltwatch_chassis.whole_file import write_whole
from meltwatch_schemas.window import NS_PER_S

from meltwatch_backtester import bootstrap
from meltwatch_backtester.commands.options import (
    AsJson,
    OneFurnace,
    Partial,
    furnace_named,
    span_of,
)
from meltwatch_backtester.commands.setpoint import Exceptions, abnormal_in
from meltwatch_backtester.domain.novelty_setpoint import NoveltyFinding, find_novelty_setpoint
from meltwatch_backtester.domain.portrait_text import StandingPortrait
from meltwatch_backtester.domain.portrait_windows import WindowChoice
from meltwatch_backtester.domain.portraying import PortraitFit, make_portrait, require_enough
from meltwatch_backtester.domain.span import Span
from meltwatch_backtester.pipeline.live_scores import live_windows
from meltwatch_backtester.pipeline.portrait_reading import (
    AlarmsOfOne,
    HistoryOfOne,
    alarms_of,
    seen_windows,
)
from meltwatch_backtester.pipeline.scope import INPUTS, Scope, ScopeOptions, scope_of
from meltwatch_backtester.ports import History
from meltwatch_backtester.settings import Settings

_LONGEST_NS: Final = 48 * 3600 * NS_PER_S
"""Of a span: what tells of its windows is held in memory, some 14 KB each."""
_WHY: Final = "made by meltwatch portrait fit"
_WORDS: Final = 5
"""Reasons for not being whole that are named, the most frequent ones."""


@Parameter(name="*")
@dataclass(frozen=True)
class PortraitScope:
    """What a portrait is made of."""

    since: Annotated[
        str, Parameter("--from", metavar="WHEN", help="Event time of the first windows: -24h, …")
    ]
    until: Annotated[
        str, Parameter("--to", metavar="WHEN", help="Event time of the last ones, excluded.")
    ] = "now"
    abnormal: Exceptions = None
    recording: Annotated[
        Path | None, Parameter(metavar="DIR", help="Read a recording instead of Kafka.")
    ] = None
    partial: Partial = False


@Parameter(name="*")
@dataclass(frozen=True)
class PortraitUse:
    """What becomes of a portrait."""

    publish: Annotated[
        bool, Parameter("--publish", help="Write it to Kafka: from now on scores compare with it.")
    ] = False
    out: Annotated[Path | None, Parameter("--out", metavar="FILE", help="Write it to a file.")] = (
        None
    )
    user: Annotated[str | None, Parameter(help="By default the login name.")] = None
    why: Annotated[str, Parameter(help="Why it is published; recorded with it.")] = _WHY


_SHOWN: Final = PortraitUse()


def fit(
    *,
    furnace: OneFurnace,
    scope: PortraitScope,
    use: PortraitUse = _SHOWN,
    budget: Annotated[
        float,
        Parameter(validator=Number(gte=0.001, lte=1000), help="False alarms per furnace-day."),
    ] = 0.5,
    as_json: AsJson = False,
) -> int:
    """Make a portrait of a furnace's own normal operation; without --publish nothing is changed.

    It takes windows in which camera and meter were whole, no alarm stood and the ensemble saw no
    fault: at least 4 h, at most 48.
    """
    name, span = furnace_named(furnace), span_of(scope.since, scope.until)
    who, why = user_of(use.user) if use.publish else "", checked_reason(use.why)
    if span.to_ns - span.from_ns > _LONGEST_NS:
        raise BadUsage(f"--from, --to: expected at most 48 h, got {span}")
    needs = ("kafka",) if use.publish or scope.recording is None else ()
    settings = located(Settings, os.environ, *needs)
    with bootstrap.history(settings, scope.recording) as history:
        alarms, made = portrait_of(history, name, span, scope)
    finding = _finding(made, budget)
    if use.out is not None:
        write_portrait(use.out, made.value)
    if use.publish:
        with bootstrap.portrait_topic(settings) as topic:
            topic.publish(name, made.value, who, why)
    if as_json:
        print_json(_document(made, alarms, finding, is_published=use.publish))
    else:
        print_lines(*_lines(made, alarms, finding), *_next(made, use))
    return 0


def portrait_of(
    history: History, furnace_id: str, span: Span, asked: PortraitScope
) -> tuple[AlarmsOfOne, PortraitFit]:
    """Read what was asked for, and make the portrait.

    Raises
    ------
    BadUsage
        If the span holds too little normal operation.
    """
    partitions = bootstrap.partitions_of(history, [furnace_id])
    (partition,) = partitions or (0,)
    one, now_ns = HistoryOfOne(history, furnace_id), SystemClock().now_ns()
    with progress("looking for what is needed", "scores") as advance:
        options = ScopeOptions(partitions, partial=asked.partial, on_score=lambda: advance(1))
        scope = scope_of(one, span, options)
        alarms = alarms_of(history, furnace_id, now_ns)
        abnormal = [each for text in asked.abnormal or () for each in abnormal_in(text)]
        excepted = [each.span for each in abnormal if each.furnace_id in (None, furnace_id)]
        choice = WindowChoice(furnace_id, span, excepted, alarms.stood)
        for score in live_windows(one, span, partitions, advance):
            choice.add_score(score)
    chosen = choice.chosen()
    require_enough(chosen, len(chosen.ends_ns))
    with progress("joining windows", "records", _offsets(scope)) as advance:
        seen = seen_windows(one, scope, partition, chosen, advance)
    return alarms, make_portrait(furnace_id, seen, chosen, now_ns)


def _offsets(scope: Scope) -> int:
    return sum(end - start for part, (start, end) in scope.items() if part.topic in INPUTS)


def _finding(made: PortraitFit, budget: float) -> NoveltyFinding | str:
    """Return what the portrait's own held-out hours say of thresholds, or why they say nothing."""
    name, held_out = made.portrait.furnace_id, made.held_out
    try:
        watch = held_out.watched(name, made.portrait_id)
        return find_novelty_setpoint(watch, held_out.span, (), budget)
    except BadUsage as error:
        return str(error)


def write_portrait(file: Path, value: bytes) -> None:
    """Write a portrait to a file.

    Raises
    ------
    BadUsage
        If it cannot be written.
    """
    try:
        write_whole(file, value)
    except OSError as error:
        raise BadUsage(f"{file}: expected a file to write, {error}") from None


def _lines(made: PortraitFit, alarms: AlarmsOfOne, finding: NoveltyFinding | str) -> Iterator[str]:
    now_ns = made.portrait.made_at_ns
    yield from StandingPortrait(made.portrait, made.value).lines(now_ns)
    if made.words:
        told = ", ".join(f"{word} {count}" for word, count in made.words.most_common(_WORDS))
        yield f"{'not whole':<12} {told}"
    if not alarms.is_known:
        yield f"{'caution':<12} {_UNKNOWN_ALARMS}"
    yield "thresholds by the third of the windows that it was not fitted to:"
    if isinstance(finding, str):
        yield f"none: {finding}"
    else:
        yield from finding.lines()


_UNKNOWN_ALARMS: Final = (
    "the topic of alarms holds nothing: windows in which an alarm stood may be among these; "
    "name them with --except"
)


def _next(made: PortraitFit, use: PortraitUse) -> Iterator[str]:
    name = made.portrait.furnace_id
    if use.publish:
        yield (
            f"{'next':<12} published; watch for a day, then ask: meltwatch alarms setpoint "
            f"--of novelty --budget 0.5 --from -24h --furnace {name}"
        )
    elif use.out is not None:
        yield f"{'next':<12} meltwatch portrait publish {use.out} --why …"
    else:
        yield f"{'next':<12} nothing was written; --publish writes it to Kafka"


def _document(
    made: PortraitFit, alarms: AlarmsOfOne, finding: NoveltyFinding | str, *, is_published: bool
) -> dict[str, Any]:
    said = StandingPortrait(made.portrait, made.value).document()
    is_found = isinstance(finding, NoveltyFinding)
    return said | {
        "not_whole": dict(made.words),
        "alarms_known": alarms.is_known,
        "thresholds": finding.document() if isinstance(finding, NoveltyFinding) else None,
        "no_thresholds": None if is_found else finding,
        "published": is_published,
    }
