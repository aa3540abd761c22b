"""``python -m tests.chaos``: the campaigns in full length, and a table; exit code 1 if any fails.

``--mutants`` runs the shortest campaigns with one delivery rule broken at a time instead, and
fails if any mutant gets through; ``--mutant`` names some of them.
"""

import argparse
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

from tests.chaos import forged, manager_kill, poison, topics, weather, worker_kill
from tests.chaos.campaigns import CAMPAIGNS
from tests.chaos.mutant import (
    FORGERS,
    IN_WEATHER,
    MANAGERS,
    MUTANTS,
    OF_TOPICS,
    OF_WORKERS,
    WORKERS,
)
from tests.chaos.report import Report, table
from tests.chaos.site import MANAGER
from tests.chaos.stage import Stage
from tests.integration.stream_processor.worker import SERVICE

_CONTROL = "none: as it is"
_MUTANT_ROUNDS = 3
_POISON_ROUNDS = 2  # one of each service
_WEATHER_ROUNDS = 1
_MUTANT_SESSION_S = 2.0


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--campaign", action="append", choices=CAMPAIGNS, help="all by default")
    parser.add_argument("--rounds", type=int, help="instead of the full length")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mutants", action="store_true")
    parser.add_argument("--mutant", action="append", choices=MUTANTS)
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="meltwatch-chaos-") as folder:
        if asked.mutants:
            return _run_mutants(Path(folder), asked)
        return _run(Path(folder), asked)


def _run(folder: Path, asked: argparse.Namespace) -> int:
    reports: list[Report] = []
    with Stage(folder) as stage:
        for name in asked.campaign or CAMPAIGNS:
            if lack := CAMPAIGNS[name].lack():
                print(f"{name} is left out: it {lack}", flush=True)
                continue
            rounds = asked.rounds or CAMPAIGNS[name].rounds
            print(f"{name}: {rounds} rounds, seed {asked.seed}", flush=True)
            start_s = time.monotonic()
            reports.append(CAMPAIGNS[name].run(stage, rounds, asked.seed))
            print(f"{name}: {time.monotonic() - start_s:.0f} s\n{table(reports[-1:])}", flush=True)
    print(f"\n{table(reports)}")
    return 1 if any(report.faults for report in reports) else 0


def _run_mutants(folder: Path, asked: argparse.Namespace) -> int:
    names = asked.mutant or [_CONTROL, *MUTANTS]
    reports, unfinished = [], []
    with Stage(folder, session_s=_MUTANT_SESSION_S) as stage:
        for name in names:
            print(f"{name}:", flush=True)
            try:
                reports.append(_run_mutant(stage, name, asked.seed))
                print(table(reports[-1:]), flush=True)
            except AssertionError as error:
                unfinished.append(name)
                print(f"{name}: the campaign came to no end: {str(error)[:500]}", flush=True)
    print(table(reports))
    escaped = [each.name for each in reports if not each.faults and each.name != _CONTROL]
    is_sound = not any(each.faults for each in reports if each.name == _CONTROL)
    print(f"came to no end: {', '.join(unfinished) or 'none'}")
    print(f"not caught: {', '.join(escaped) or 'none'}")
    return 1 if escaped or _CONTROL in unfinished or not is_sound else 0


def _run_mutant(stage: Stage, name: str, seed: int) -> Report:
    program = ("tests.chaos.mutant", name)
    stage.program = program if name in OF_WORKERS else (SERVICE,)
    stage.manager = program if name in MUTANTS and name not in OF_WORKERS else (MANAGER,)
    if name in WORKERS or name == _CONTROL:
        report = worker_kill.run(stage, _MUTANT_ROUNDS, seed)
    elif name in MANAGERS:
        report = manager_kill.run(stage, len(manager_kill.TURNS), seed)
    elif name in FORGERS:
        report = forged.run(stage, _MUTANT_ROUNDS, seed)
    elif name in IN_WEATHER:
        report = weather.run(stage, _WEATHER_ROUNDS, seed)
    elif name in OF_TOPICS:
        report = topics.run(stage, len(topics.TURNS), seed)
    else:
        report = poison.run(stage, _POISON_ROUNDS, seed)
    report.name = name
    return report


if __name__ == "__main__":
    # kafka-python reads its protocol files by calls that Python 3.11 and 3.12 deprecate.
    warnings.simplefilter("ignore", DeprecationWarning)
    sys.exit(main(sys.argv[1:]))
