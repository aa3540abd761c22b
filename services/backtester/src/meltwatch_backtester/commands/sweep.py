"""``meltwatch backtests sweep``: thresholds and delays over the scores of a backtest."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
from cyclopts import Parameter
from cyclopts.validators import Number
from meltwatch_chassis.backtest_folder import NoBacktestError, read_backtest
from meltwatch_chassis.errors import BadUsage
from meltwatch_chassis.label_file import read_labels
from meltwatch_chassis.point_file import points_as_yaml, read_points
from meltwatch_chassis.terminal import print_json, print_lines, print_notice
from meltwatch_core.alarms.sweep import LevelSeries
from meltwatch_schemas.alarm_point import AlarmPoint, Setpoint
from meltwatch_schemas.backtest import BacktestRun, TriedPoint
from meltwatch_schemas.default_points import OVERHEAT, default_points
from meltwatch_schemas.default_setpoint import DEFAULT_SETPOINT
from meltwatch_schemas.instants import ns_from_utc

from meltwatch_backtester.adapters.result_reader import backtest_said, said_before
from meltwatch_backtester.adapters.sweep_picture import write_sweep_picture
from meltwatch_backtester.commands.options import AsJson, ProposalFile, span_of, write_proposal
from meltwatch_backtester.domain.span import Span
from meltwatch_backtester.domain.sweeping import (
    Setting,
    SpanOutcome,
    StoredScores,
    Sweep,
    TriedSetting,
    swept,
)
from meltwatch_backtester.domain.watch import LogOddsWatch

_MOST_SETTINGS: Final = 2_000
_SHOWN: Final = 12


@Parameter(name="*")
@dataclass(frozen=True)
class Demand:
    """What is wanted, where it is chosen and where it is tested."""

    budget: Annotated[
        float,
        Parameter(validator=Number(gte=0, lte=1000), help="False alarms per furnace-day."),
    ]
    calibrate: Annotated[str, Parameter(metavar="FROM/TO", help="Where the setting is chosen.")]
    test: Annotated[str, Parameter(metavar="FROM/TO", help="Where it is tested; no overlap.")]


@Parameter(name="*")
@dataclass(frozen=True)
class Tried:
    """What is tried."""

    on: Annotated[
        str, Parameter(metavar="LOW:HIGH:STEP", help="Thresholds, calibrated logits.")
    ] = "1:8:0.25"
    delay: Annotated[
        str, Parameter(metavar="S,…", help="Seconds before raising, or 'own' for the alarm's.")
    ] = "own"


@Parameter(name="*")
@dataclass(frozen=True)
class SweepFiles:
    """What is read and written beside the backtest."""

    labels: Annotated[
        Path | None,
        Parameter(metavar="FILE", help="Of 'labels export': events to find, and no normal time."),
    ] = None
    points: Annotated[
        Path | None,
        Parameter(metavar="FILE", help="Of 'alarms points export': what the proposal is based on."),
    ] = None
    out: ProposalFile = None
    picture: Annotated[Path | None, Parameter(metavar="FILE", help="Draw the trade-off, SVG.")] = (
        None
    )


_USUAL: Final = Tried()
_NONE: Final = SweepFiles()


def sweep(
    folder: Annotated[
        Path, Parameter("DIR", allow_leading_hyphen=False, help="Folder of a backtest.")
    ],
    /,
    *,
    demand: Demand,
    tried: Tried = _USUAL,
    files: SweepFiles = _NONE,
    as_json: AsJson = False,
) -> int:
    """Try thresholds and delays over stored scores, choose one, and propose it; asks no Triton."""
    try:
        run = read_backtest(folder).run
    except NoBacktestError as error:
        raise BadUsage(f"expected the folder of a backtest, got {folder}: {error}") from None
    assert run is not None  # noqa: S101 - else it is refused
    spans = _span("--calibrate", demand.calibrate, run), _span("--test", demand.test, run)
    labels = read_labels(files.labels) if files.labels else ()
    scores = list(_stored(folder, run))
    found = swept(scores, _settings(tried), spans, labels, demand.budget)
    if files.picture is not None:
        write_sweep_picture(found, files.picture)
    proposal = _proposal(run, scores, found, spans, files) if found.chosen else []
    if files.out is not None and proposal:
        write_proposal(files.out, proposal)
    if as_json:
        print_json(_document(found, proposal))
    else:
        print_lines(*_lines(found, proposal, files))
    return 0 if found.chosen else 1


def _span(option: str, text: str, run: BacktestRun) -> Span:
    since, has_end, until = text.partition("/")
    if not has_end:
        raise BadUsage(f"{option}: expected FROM/TO, got {text!r}")
    span, whole = span_of(since, until), Span(ns_from_utc(run.from_), ns_from_utc(run.to))
    if not whole.covers(span):
        raise BadUsage(f"{option}: expected a part of the backtest's span {whole}, got {span}")
    return span


def _settings(tried: Tried) -> Iterator[Setting]:
    try:
        low, high, step = (float(part) for part in tried.on.split(":"))
        delays = [None if each == "own" else float(each) for each in tried.delay.split(",")]
        is_sound = step > 0 and 0 <= (high - low) / step < _MOST_SETTINGS
        levels = np.round(np.arange(low, high + step / 2, step), 4).tolist() if is_sound else []
    except ValueError:
        levels, delays = [], []
    is_sound = all(delay is None or 0 <= delay <= 3600 for delay in delays)
    if not levels or not is_sound or len(levels) * len(delays) > _MOST_SETTINGS:
        raise BadUsage(
            f"--on, --delay: expected LOW:HIGH:STEP and seconds, at most {_MOST_SETTINGS} "
            f"settings, got {tried.on!r} and {tried.delay!r}"
        )
    return (Setting(level, delay) for delay in delays for level in levels)


def _stored(folder: Path, run: BacktestRun) -> Iterator[StoredScores]:
    before, watch = LogOddsWatch(), LogOddsWatch()
    points = {point.alarm_id: point for point in run.alarms}
    for said in said_before(folder):
        point = points.get(f"{said.furnace_id}/{OVERHEAT}")
        known = None if point is None else point.known_until
        if known is None or said.end_ns > ns_from_utc(known):
            before.add_window(said)
    for said in backtest_said(folder):
        watch.add_window(said)
    for furnace_id in watch.furnaces:
        point = points.get(f"{furnace_id}/{OVERHEAT}")
        yield StoredScores(
            furnace_id,
            _setpoint(point),
            _series(before, furnace_id),
            _series(watch, furnace_id),
            is_active=point is not None and point.active_before,
        )


def _series(watch: LogOddsWatch, furnace_id: str) -> LevelSeries:
    return LevelSeries.of(*watch.of(furnace_id))


def _setpoint(point: TriedPoint | None) -> Setpoint:
    if point is None:
        return DEFAULT_SETPOINT
    delays = {"on_delay_s": point.on_delay_s, "off_delay_s": point.off_delay_s}
    known = {name: delay for name, delay in delays.items() if delay is not None}
    levels = {"logit_on": point.logit_on, "logit_off": point.logit_off}
    return DEFAULT_SETPOINT.model_copy(update=levels | known)


def _proposal(
    run: BacktestRun,
    scores: Sequence[StoredScores],
    found: Sweep,
    spans: tuple[Span, Span],
    files: SweepFiles,
) -> list[AlarmPoint]:
    """Return the alarm points of the furnaces that were judged, with the setting chosen."""
    chosen = found.chosen
    assert chosen is not None  # noqa: S101 - else nothing is proposed
    known = {point.alarm_id: point for point in _points(files.points)}
    basis = (
        f"sweep of backtest {run.run_id}: {chosen.calibration.false_alarms} false alarms in "
        f"{chosen.calibration.days:.3g} furnace-days of {spans[0]}; "
        f"{chosen.test.false_alarms} in {chosen.test.days:.3g} of {spans[1]}"
    )
    proposed = []
    for each in scores:
        alarm_id = f"{each.furnace_id}/{OVERHEAT}"
        own = known.get(alarm_id) or _default(each.furnace_id)
        change = {
            "setpoint": chosen.setting.of(each.setpoint),
            "setpoint_basis": basis,
            "setpoint_digest": run.model.digest,
        }
        proposed.append(own.model_copy(update=change))
    return proposed


def _points(file: Path | None) -> Iterable[AlarmPoint]:
    if file is None:
        return ()
    try:
        return read_points(file)
    except OSError as error:
        raise BadUsage(f"--points {file}: {error}") from None


def _default(furnace_id: str) -> AlarmPoint:
    return next(p for p in default_points(furnace_id) if p.condition == OVERHEAT)


def _document(found: Sweep, proposal: Sequence[AlarmPoint]) -> dict[str, Any]:
    return {
        "budget": found.budget,
        "chosen": found.chosen and _setting_document(found.chosen),
        "caution": found.caution,
        "tried": [_setting_document(each) for each in found.tried],
        "proposal": [point.alarm_id for point in proposal],
    }


def _setting_document(tried: TriedSetting) -> dict[str, Any]:
    return {
        "logit_on": tried.setting.logit_on,
        "on_delay_s": tried.setting.on_delay_s,
        "calibration": tried.calibration.document(),
        "test": tried.test.document(),
    }


def _lines(found: Sweep, proposal: Sequence[AlarmPoint], files: SweepFiles) -> Iterator[str]:
    yield f"{'raise at':>8}  {'delay s':>7}  {'calibration':<38}  test"
    for each in _beside(found):
        delay_s = each.setting.on_delay_s
        delay = "own" if delay_s is None else f"{delay_s:g}"
        mark = "  <- chosen" if each is found.chosen else ""
        spans = f"{_said(each.calibration):<38}  {_said(each.test)}"
        yield f"{each.setting.logit_on:>8g}  {delay:>7}  {spans}{mark}"
    if found.caution:
        yield found.caution
    if found.chosen is None:
        yield f"no setting keeps {found.budget:g} false alarms a furnace-day; try higher thresholds"
        return
    if files.points is None and proposal:
        print_notice("the proposal rests on the default alarm points; give yours with --points")
    if files.out is None:
        yield from points_as_yaml(proposal).rstrip().split("\n")
    else:
        yield f'proposal: meltwatch alarms points apply {files.out} --why "…"'


def _beside(found: Sweep) -> Sequence[TriedSetting]:
    """Return the settings around the chosen one: all of them are in the picture and in JSON."""
    if found.chosen is None:
        return found.tried[-_SHOWN:]
    place = found.tried.index(found.chosen)
    first = max(0, min(place - _SHOWN // 2, len(found.tried) - _SHOWN))
    return found.tried[first : first + _SHOWN]


def _said(outcome: SpanOutcome) -> str:
    text = f"{outcome.false_alarms} false, {outcome.a_day:.2f} a day"
    if not outcome.events:
        return text
    after = "" if outcome.median_after_s is None else f" after {outcome.median_after_s:g} s"
    return f"{text}; {outcome.found} of {outcome.events} found{after}"
