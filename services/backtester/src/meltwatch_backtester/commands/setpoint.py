"""``meltwatch alarms setpoint``: the threshold for a budget of false alarms."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter
from cyclopts.validators import Number
from meltwatch_chassis.errors import BadUsage
from meltwatch_chassis.label_file import read_labels
from meltwatch_chassis.located import located
from meltwatch_chassis.progress import Advance, progress
from meltwatch_chassis.terminal import print_json, print_lines
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.identifiers import check_furnace_id
from meltwatch_schemas.instants import ns_from_utc
from meltwatch_schemas.topics import Topic

from meltwatch_backtester import bootstrap
from meltwatch_backtester.adapters.result_reader import (
    backtest_compared,
    backtest_said,
    span_of_backtest,
)
from meltwatch_backtester.adapters.setpoint_picture import write_picture
from meltwatch_backtester.commands.options import AsJson, Furnaces, span_of
from meltwatch_backtester.domain.novelty_setpoint import (
    NoveltyFinding,
    SurpriseWatch,
    find_novelty_setpoint,
)
from meltwatch_backtester.domain.setpoint_finding import SetpointFinding, find_setpoint
from meltwatch_backtester.domain.span import Span
from meltwatch_backtester.domain.watch import Abnormal, LogOddsWatch, Said
from meltwatch_backtester.pipeline.live_scores import live_said, live_windows
from meltwatch_backtester.ports import History
from meltwatch_backtester.settings import Settings

Exceptions = Annotated[
    list[str] | None,
    Parameter(
        "--except",
        metavar="FROM/TO",
        help="No normal operation: a known fault, maintenance. Also ID=FROM/TO, for one "
        "furnace, or a file of 'labels export', where false alarms do not count; may be given "
        "several times.",
    ),
]
"""Stretches that are no normal operation, as a person names them."""


@Parameter(name="*")
@dataclass(frozen=True)
class Watched:
    """Which scores are read."""

    since: Annotated[
        str | None,
        Parameter("--from", metavar="WHEN", help="Event time of the first windows: 7d (ago), …"),
    ] = None
    until: Annotated[
        str, Parameter("--to", metavar="WHEN", help="Event time of the last ones, excluded.")
    ] = "now"
    backtest: Annotated[
        Path | None,
        Parameter(
            metavar="DIR", help="Read a backtest's folder instead of Kafka, from --from to --to."
        ),
    ] = None
    recording: Annotated[
        Path | None, Parameter(metavar="DIR", help="Read a recording instead of Kafka.")
    ] = None
    shadow: Annotated[
        bool,
        Parameter("--shadow", help="Read what was said in shadow: of an ensemble to be promoted."),
    ] = False
    furnace: Furnaces = None
    abnormal: Exceptions = None

    @property
    def topic(self) -> Topic:
        """Where the scores stand."""
        return Topic.SHADOW_SCORES if self.shadow else Topic.SCORES

    def span(self) -> Span:
        """Return what is read, event time."""
        if self.backtest is not None and self.recording is not None:
            raise BadUsage("expected --backtest or --recording, got both")
        if self.shadow and (self.backtest is not None or self.recording is not None):
            raise BadUsage("--shadow: expected Kafka, which alone holds what was said in shadow")
        if self.since is not None:
            return span_of(self.since, self.until)
        if self.backtest is None:
            raise BadUsage("expected --from, the event time of the first windows")
        return span_of_backtest(self.backtest)


class ThresholdOf(StrEnum):
    """What an alarm point compares with its threshold."""

    SCORE = "score"
    NOVELTY = "novelty"


_LIVE: Final = Watched()
_LABEL_FILES: Final = (".json", ".csv")


def setpoint(
    *,
    budget: Annotated[
        float,
        Parameter(validator=Number(gte=0.001, lte=1000), help="False alarms per furnace-day."),
    ],
    of: Annotated[
        ThresholdOf, Parameter(help="Of the ensemble's score, or of what portraits say of scores.")
    ] = ThresholdOf.SCORE,
    watched: Watched = _LIVE,
    picture: Annotated[
        Path | None,
        Parameter(metavar="FILE", help="Draw peaks, fitted tail and thresholds, SVG."),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Find the set-point at which normal operation raises no more false alarms than you accept."""
    span = watched.span()
    abnormal = [each for text in watched.abnormal or () for each in abnormal_in(text)]
    found: SetpointFinding | NoveltyFinding
    if of is ThresholdOf.NOVELTY:
        found = find_novelty_setpoint(_novelty(watched, span), span, abnormal, budget)
    else:
        found = find_setpoint(_log_odds(watched, span), span, abnormal, budget)
    if picture is not None:
        write_picture(found, picture)
    if as_json:
        print_json(found.document())
    else:
        print_lines(*found.lines())
    return 0 if found.basis.refusal is None else 1


def _log_odds(watched: Watched, span: Span) -> LogOddsWatch:
    watch, wanted = LogOddsWatch(), set(watched.furnace or ())
    with progress("reading", "scores") as advance:
        for said in _said(watched, span, advance):
            if said.end_ns in span and (not wanted or said.furnace_id in wanted):
                watch.add_window(said)
    return watch


def _novelty(watched: Watched, span: Span) -> SurpriseWatch:
    watch, wanted = SurpriseWatch(), set(watched.furnace or ())
    with progress("reading", "scores") as advance:
        if watched.backtest is not None:
            for window in backtest_compared(watched.backtest):
                advance(1)
                if window.end_ns in span and (not wanted or window.furnace_id in wanted):
                    watch.add_surprise(*window)
            return watch
        with _reading(watched) as (history, partitions):
            for score in live_windows(history, span, partitions, advance, watched.topic):
                if not wanted or score.furnace_id in wanted:
                    watch.add_score(score)
    return watch


def abnormal_in(text: str) -> list[Abnormal]:
    """Return the stretches that a value of ``--except`` means: those of a file, or one.

    Raises
    ------
    ConfigurationError
        If it means none.
    """
    if not text.lower().endswith(_LABEL_FILES):
        return [abnormal_of(text)]
    return [
        Abnormal(Span(ns_from_utc(each.start), ns_from_utc(each.end)), each.furnace)
        for each in read_labels(Path(text))
        if each.is_abnormal
    ]


def abnormal_of(text: str) -> Abnormal:
    """Return the stretch that ``[ID=]FROM/TO`` means.

    Raises
    ------
    BadUsage
        If it means none.
    """
    furnace_id, is_named, times = text.rpartition("=")
    since, has_end, until = times.partition("/")
    if not has_end:
        raise BadUsage(f"--except: expected FROM/TO or ID=FROM/TO, got {text!r}")
    try:
        named = check_furnace_id(furnace_id) if is_named else None
        return Abnormal(span_of(since, until), named)
    except (ContractViolation, BadUsage) as error:
        raise BadUsage(f"--except {text!r}: {error}") from error


def _said(watched: Watched, span: Span, advance: Advance) -> Iterator[Said]:
    if watched.backtest is not None:
        for said in backtest_said(watched.backtest):
            advance(1)
            yield said
        return
    with _reading(watched) as (history, partitions):
        yield from live_said(history, span, partitions, advance, watched.topic)


@contextmanager
def _reading(watched: Watched) -> Iterator[tuple[History, frozenset[int] | None]]:
    """Give what is read, and which partitions of it."""
    needs = () if watched.recording else ("kafka",)
    settings = located(Settings, os.environ, *needs)
    with bootstrap.history(settings, watched.recording) as history:
        yield history, bootstrap.partitions_of(history, watched.furnace or ())
