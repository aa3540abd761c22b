"""``meltwatch run``: the whole product on this machine.

``meltwatch --help`` imports this module, so what takes long to import waits until a run begins.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number
from meltwatch_chassis.clock import SystemClock
from meltwatch_chassis.errors import ConfigurationError
from rich.console import Console

from meltwatch_local_cluster.ports import RunSources


@dataclass(frozen=True)
class RunFiles:
    """What a run leaves behind: options of their own on the command line."""

    summary: Annotated[
        Path | None, Parameter(help="Write the run's summary to this JSON file.")
    ] = None
    screenshot: Annotated[
        Path | None, Parameter(show=False, help="Save a picture of the screen, SVG.")
    ] = None


@dataclass(frozen=True)
class RunInputs:
    """Where what a run looks at comes from."""

    sources: Annotated[
        str, Parameter(help="simulator, none, or recording:DIR", metavar="SOURCES")
    ] = RunSources.SIMULATOR.value
    plant: Annotated[
        Path | None,
        Parameter(metavar="FILE", help="Watch the cameras and meters of this plant file instead."),
    ] = None


@dataclass(frozen=True)
class RunFaces:
    """By what else a run shows its alarms."""

    opcua: Annotated[
        bool,
        Parameter(negative=(), help="Also start the OPC UA server, and print endpoint and login."),
    ] = False
    notify: Annotated[
        Path | None,
        Parameter(metavar="FILE", help="Also tell people by the channels of this file (YAML)."),
    ] = None


def run(
    *,
    inputs: Annotated[RunInputs | None, Parameter(name="*")] = None,
    furnaces: Annotated[
        int, Parameter(validator=Number(gte=1), help="How many furnaces to simulate.")
    ] = 2,
    duration: Annotated[
        float | None,
        Parameter(validator=Number(gte=1), help="Stop after so many seconds; default: on Ctrl-C."),
    ] = None,
    seed: Annotated[int, Parameter(validator=Number(gte=0), help="Of the simulated furnaces.")] = 1,
    faces: Annotated[RunFaces | None, Parameter(name="*")] = None,
    files: Annotated[RunFiles | None, Parameter(name="*")] = None,
) -> int:
    """Start a broker, Redis, Triton and every service on this machine and show what they see."""
    from meltwatch_local_cluster.launch.run import run_locally  # noqa: PLC0415 - see above
    from meltwatch_local_cluster.launch.run_options import RunOptions  # noqa: PLC0415 - see above
    from meltwatch_local_cluster.screen.view import RunWatch  # noqa: PLC0415 - see above

    given = inputs or RunInputs()
    kind, recording = _sources(given)
    left, also = files or RunFiles(), faces or RunFaces()
    options = RunOptions(
        kind,
        furnaces,
        duration,
        seed,
        left.summary,
        recording,
        also.opcua,
        also.notify,
        given.plant,
    )
    clock = SystemClock()
    view = RunWatch(os.environ, Console(), clock, left.screenshot)
    return run_locally(options, os.environ, view, clock)


def _sources(given: RunInputs) -> tuple[RunSources, Path | None]:
    if given.plant is not None:
        if given.sources != RunSources.SIMULATOR.value:
            raise ConfigurationError(
                f"--plant: expected no --sources beside it, got {given.sources!r}"
            )
        return RunSources.PLANT, None
    kind, _, folder = given.sources.partition(":")
    chosen = (source for source in RunSources if source is not RunSources.PLANT)
    sources = next((source for source in chosen if source == kind), None)
    if sources is None or (sources is RunSources.RECORDING) != bool(folder):
        raise ConfigurationError(
            f"--sources: expected simulator, none or recording:DIR, got {given.sources!r}"
        )
    return sources, Path(folder) if folder else None
