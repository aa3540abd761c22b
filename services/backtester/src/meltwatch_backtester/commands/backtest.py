"""``meltwatch backtest``: replay a stretch of time through the code that judges live."""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

from cyclopts import Parameter
from meltwatch_chassis.errors import BadUsage
from meltwatch_chassis.label_file import read_labels
from meltwatch_chassis.located import located
from meltwatch_chassis.terminal import print_json, print_lines
from meltwatch_schemas.tensors import ENSEMBLE

from meltwatch_backtester.commands.options import (
    AsJson,
    Furnaces,
    Partial,
    Since,
    Until,
    span_of,
)
from meltwatch_backtester.domain.findings import ReplayVerdict
from meltwatch_backtester.domain.novelty_told import novelty_lines
from meltwatch_backtester.domain.question import Cuts, Question
from meltwatch_backtester.domain.thresholds import parse_thresholds
from meltwatch_backtester.settings import Settings


@Parameter(name="*")
@dataclass(frozen=True)
class Trial:
    """What is tried."""

    furnace: Furnaces = None
    model: Annotated[str, Parameter(help="The ensemble that scores.")] = ENSEMBLE
    threshold: Annotated[
        list[str] | None,
        Parameter(
            metavar="ON/OFF",
            help="Try this set-point for every OVERHEAT alarm, or ALARM_ID=ON/OFF for one; "
            "OFF may be left out.",
        ),
    ] = None
    portrait: Annotated[
        list[Path] | None,
        Parameter(
            metavar="FILE",
            help="Compare its furnace with this portrait, of 'portrait fit --out', whatever live "
            "had; one of each furnace.",
        ),
    ] = None
    cuts: Annotated[
        Cuts, Parameter(help="Close windows where live did, or by event time alone.")
    ] = Cuts.RECORDED


@Parameter(name="*")
@dataclass(frozen=True)
class Places:
    """Where things are."""

    recording: Annotated[
        Path | None, Parameter(metavar="DIR", help="Read a recording instead of Kafka.")
    ] = None
    triton: Annotated[
        str | None,
        Parameter(metavar="HOST:PORT,…", help="The Triton that scores; default: the live one."),
    ] = None
    plant: Annotated[
        Path | None, Parameter(metavar="FILE", help="plant.yaml; default: MELTWATCH_PLANT_FILE.")
    ] = None
    output: Annotated[
        Path | None, Parameter(metavar="DIR", help="Default: backtests/<run id>.")
    ] = None
    labels: Annotated[
        Path | None,
        Parameter(
            metavar="FILE",
            help="Of 'labels export': say which judged alarms the replay raises, and which not.",
        ),
    ] = None


_AS_LIVE: Final = Trial()
_USUAL: Final = Places()


def backtest(
    *,
    since: Since,
    until: Until,
    trial: Trial = _AS_LIVE,
    places: Places = _USUAL,
    partial: Partial = False,
    as_json: AsJson = False,
) -> int:
    """Replay a stretch of time through the code that judges live, and compare."""
    furnaces = tuple(sorted(set(trial.furnace or ())))
    question = Question(
        span=span_of(since, until),
        furnaces=furnaces,
        cuts=trial.cuts,
        thresholds=parse_thresholds(trial.threshold or []),
        portraits=_portraits(trial.portrait or [], furnaces),
    )
    given = {"MELTWATCH_TRITON": places.triton, "MELTWATCH_PLANT_FILE": places.plant}
    told = {name: str(value) for name, value in given.items() if value is not None}
    labels = None if places.labels is None else read_labels(places.labels)
    needs = ("triton",) if places.recording else ("kafka", "triton")
    settings = located(Settings, os.environ | told, *needs)
    from meltwatch_chassis import logging  # noqa: PLC0415 - takes long

    from meltwatch_backtester.commands.replaying import Job, JobFiles, replay  # noqa: PLC0415 - takes long

    logging.configure("backtest", "warning", "console")
    files = JobFiles(places.output, places.recording, labels)
    job = Job(settings, question, trial.model, files, partial)
    run, folder = asyncio.run(replay(job))
    summary = run | {"folder": str(folder)}
    if as_json:
        print_json(summary)
    else:
        print_lines(*_lines(summary))
    return 1 if run["comparison"]["verdict"] == ReplayVerdict.DIFFERENT else 0


def _portraits(files: Sequence[Path], furnaces: Sequence[str]) -> dict[str, bytes]:
    """Return the portraits to be tried, by furnace."""
    if not files:
        return {}
    from meltwatch_backtester.adapters.portrait_file import portrait_of_file  # noqa: PLC0415 - takes long

    found: dict[str, bytes] = {}
    for file in files:
        given = portrait_of_file(file)
        name = given.portrait.furnace_id
        if name in found:
            raise BadUsage(f"--portrait {file}: expected one of each furnace, got two of {name}")
        if furnaces and name not in furnaces:
            raise BadUsage(
                f"--portrait {file}: expected one of {', '.join(furnaces)} (--furnace), "
                f"got one of {name}"
            )
        found[name] = given.value
    return found


def _lines(summary: dict[str, Any]) -> list[str]:
    windows, alarms = summary["comparison"]["windows"], summary["comparison"]["alarms"]
    lines = [
        f"{summary['from']} to {summary['to']}: {summary['comparison']['statement']}",
        summary["answer"]["sentence"],
        f"windows: {windows['compared']} compared, {windows['equal']} equal",
        f"alarms: {alarms['compared']} compared, {alarms['equal']} equal",
    ]
    for kind, found in windows["differences"].items():
        word = "explained" if found["explained"] else "NOT explained"
        lines.append(f"  {found['count']} {kind} ({word}): {found['meaning']}")
    for each in alarms["differences"]:
        word = "explained" if each["explained"] else "NOT explained"
        lines.append(f"  {each['alarm_id']} took another course ({word}): {each['why']}")
    lines += novelty_lines(summary)
    if "labels" in summary:
        lines.append(_labels_line(summary["labels"]))
    return [*lines, f"report: {summary['folder']}/report.html"]


def _labels_line(found: dict[str, Any]) -> str:
    true, false = found["true_alarm"], found["false_alarm"]
    return (
        f"labels: {true['raised']} of {true['labels']} true alarms raised, "
        f"{false['raised']} of {false['labels']} false ones; "
        f"of live's {true['kept']} true kept, {true['lost']} lost, "
        f"{false['kept']} false kept, {false['lost']} lost; "
        f"{found['raised_without_label']} raised without a label"
    )
