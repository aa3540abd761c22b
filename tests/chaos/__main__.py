"""``python -m tests.chaos``: the campaigns in full length, and a table; exit code 1 if any fails.

``--mutants`` runs the shortest campaign with one delivery rule broken at a time instead, and
fails if any mutant gets through.
"""

import argparse
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

from tests.chaos.campaigns import CAMPAIGNS
from tests.chaos.mutant import MUTANTS
from tests.chaos.report import Report, table
from tests.chaos.stage import Stage
from tests.chaos.worker_kill import NAME as SHORTEST

_CONTROL = "none: as it is"
_MUTANT_ROUNDS = 3
_MUTANT_SESSION_S = 2.0


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--campaign", action="append", choices=CAMPAIGNS, help="all by default")
    parser.add_argument("--rounds", type=int, help="instead of the full length")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mutants", action="store_true")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="meltwatch-chaos-") as folder:
        if asked.mutants:
            return _run_mutants(Path(folder), asked.seed)
        return _run(Path(folder), asked)


def _run(folder: Path, asked: argparse.Namespace) -> int:
    reports: list[Report] = []
    with Stage(folder) as stage:
        for name in asked.campaign or CAMPAIGNS:
            rounds = asked.rounds or CAMPAIGNS[name].rounds
            print(f"{name}: {rounds} rounds", flush=True)
            start_s = time.monotonic()
            reports.append(CAMPAIGNS[name].run(stage, rounds, asked.seed))
            print(f"{name}: {time.monotonic() - start_s:.0f} s\n{table(reports[-1:])}", flush=True)
    print(f"\n{table(reports)}")
    return 1 if any(report.faults for report in reports) else 0


def _run_mutants(folder: Path, seed: int) -> int:
    with Stage(folder, session_s=_MUTANT_SESSION_S) as stage:
        control, *mutants = [_run_mutant(stage, name, seed) for name in (_CONTROL, *MUTANTS)]
    print(table([control, *mutants]))
    escaped = [report.name for report in mutants if not report.faults]
    print(f"not caught: {', '.join(escaped)}" if escaped else "every mutant is caught")
    return 1 if escaped or control.faults else 0


def _run_mutant(stage: Stage, name: str, seed: int) -> Report:
    print(f"{name}:", flush=True)
    if name != _CONTROL:
        stage.program = ("tests.chaos.mutant", name)
    report = CAMPAIGNS[SHORTEST].run(stage, _MUTANT_ROUNDS, seed)
    report.name = name
    return report


if __name__ == "__main__":
    # kafka-python reads its protocol files by calls that Python 3.11 and 3.12 deprecate.
    warnings.simplefilter("ignore", DeprecationWarning)
    sys.exit(main(sys.argv[1:]))
