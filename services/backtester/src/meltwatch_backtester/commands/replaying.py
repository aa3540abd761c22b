"""Puts a backtest together, runs it and writes its folder."""

import os
import platform
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from meltwatch_chassis.clock import SystemClock
from meltwatch_chassis.kafka.partitioner import partition_of
from meltwatch_chassis.plant import read_plant
from meltwatch_chassis.progress import progress
from meltwatch_core.join.topics import TopicNames
from meltwatch_core.scoring.judge import Judge
from meltwatch_core.scoring.ports import EnsembleIdentity
from meltwatch_core.scoring.scores import ScoreContext
from meltwatch_core.scoring.served_encoder import served_encoder
from meltwatch_schemas.instants import utc_from_ns
from meltwatch_schemas.labels import Label, labels_of
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC
from threadpoolctl import threadpool_limits

from meltwatch_backtester import bootstrap
from meltwatch_backtester.adapters.report import write_report
from meltwatch_backtester.adapters.result_folder import ALARMS, LIVE_ALARMS, ResultFolder
from meltwatch_backtester.commands.options import DEFAULT_FOLDER
from meltwatch_backtester.domain.labelled import Journals, LabelledAlarms, held_against
from meltwatch_backtester.domain.outcome import ReplayOutcome
from meltwatch_backtester.domain.question import PlantFacts, Question
from meltwatch_backtester.pipeline.backtest import Backtest
from meltwatch_backtester.pipeline.run_document import parameters_of, run_document, run_id_of
from meltwatch_backtester.pipeline.scope import INPUTS, Scope, ScopeOptions, scope_of
from meltwatch_backtester.ports import History
from meltwatch_backtester.settings import Settings


@dataclass(frozen=True, slots=True)
class JobFiles:
    """What a backtest reads and writes on disk.

    Attributes
    ----------
    output
        Folder of the results, or None for the default.
    recording
        Folder to read, or None for Kafka.
    labels
        What people have judged, or None where nobody asks.
    """

    output: Path | None
    recording: Path | None
    labels: Sequence[Label] | None


@dataclass(frozen=True, slots=True)
class Job:
    """What a command line asks for.

    Attributes
    ----------
    settings
        Where Kafka and Triton are.
    question
        What is to be replayed.
    model
        The ensemble that scores.
    files
        What is read and written on disk.
    partial
        Go on where history has lost something.
    """

    settings: Settings
    question: Question
    model: str
    files: JobFiles
    partial: bool


async def replay(job: Job) -> tuple[dict[str, Any], Path]:
    """Run a backtest; return what ``run.json`` says and the folder that it stands in.

    Raises
    ------
    FatalError
        If it cannot be run to its end.
    """
    clock = SystemClock()
    began_ns = clock.monotonic_ns()
    threadpool_limits(1)  # as live: threads only slow down our small products
    with bootstrap.history(job.settings, job.files.recording) as history:
        async with bootstrap.ensemble(job.settings, job.model) as (judge, identity):
            run, folder = await _replayed(job, history, judge, identity)
            took_s = (clock.monotonic_ns() - began_ns) / NS_PER_S
            folder.finish(run, _timing(job, clock, took_s))
    write_report(folder.path)
    return run, folder.path


async def _replayed(
    job: Job, history: History, judge: Judge, identity: EnsembleIdentity
) -> tuple[dict[str, Any], ResultFolder]:
    scope = _scope(job, history)
    registered = read_plant(job.settings.plant_file).furnaces
    plant = PlantFacts(
        points={furnace.id: furnace.alarm_points for furnace in registered},
        sync_offsets_s={furnace.id: furnace.sync_offset_s for furnace in registered},
    )
    parameters = parameters_of(job.question, history.prefix, identity, plant)
    run_id = run_id_of(parameters, _starts(scope))
    with ExitStack() as opened:
        folder = opened.enter_context(ResultFolder(job.files.output or DEFAULT_FOLDER / run_id))
        total = sum(
            found.end - found.start for part, found in scope.items() if part.topic in INPUTS
        )
        outcome = await Backtest(
            history=history,
            scope=scope,
            question=job.question,
            plant=plant,
            judge=judge,
            encoder=served_encoder(identity.encoder_id),
            context=_context(job, history.prefix, identity, plant),
            run_id=run_id,
            results=folder,
            partition_of=lambda name: partition_of(name.encode(), history.partitions),
            on_records=opened.enter_context(progress("replaying", "records", total)),
        ).replay_span()
    folder.alarms(ALARMS, outcome.alarms)
    folder.alarms(LIVE_ALARMS, outcome.live_alarms)
    folder.pictures(outcome.sights)
    return run_document(parameters, run_id, outcome, _labelled(job, outcome)), folder


def _labelled(job: Job, outcome: ReplayOutcome) -> LabelledAlarms | None:
    """Return what was judged of the span: by a file, or else in the topic of alarms, if at all."""
    asked, labels = job.question, job.files.labels
    given = labels_of(outcome.judged_ones, utc_from_ns(asked.span.to_ns))
    journals = Journals(outcome.alarms, outcome.live_alarms)
    found = held_against(given if labels is None else labels, journals, asked.span, asked.furnaces)
    return found if labels is not None or found.rows else None


def _scope(job: Job, history: History) -> Scope:
    partitions = bootstrap.partitions_of(history, job.question.furnaces)
    with progress("looking for what is needed", "scores") as advance:
        options = ScopeOptions(partitions, partial=job.partial, on_score=lambda: advance(1))
        return scope_of(history, job.question.span, options)


def _starts(scope: Scope) -> dict[str, int]:
    return {
        f"{part.topic.value}/{part.partition}": found.start
        for part, found in sorted(scope.items())
        if part.topic in INPUTS
    }


def _context(job: Job, prefix: str, identity: EnsembleIdentity, plant: PlantFacts) -> ScoreContext:
    return ScoreContext(
        topics=TopicNames(prefix),
        model=identity.model,
        spec_id=PUBLISHED_SPEC.spec_id,
        map_from=job.settings.map_from,
        registered=plant.points.keys(),
    )


def _timing(job: Job, clock: SystemClock, took_s: float) -> dict[str, Any]:
    """Return what differs from run to run."""
    return {
        "finished_at_ns": clock.now_ns(),
        "took_s": round(took_s, 3),
        "source": str(job.files.recording) if job.files.recording else job.settings.kafka,
        "triton": job.settings.triton,
        "version": version("meltwatch-backtester"),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors",
    }
