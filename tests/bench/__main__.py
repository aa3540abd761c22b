"""``python -m tests.bench``: measures what Meltwatch costs, and writes ``docs/benchmarks.md``.

With rows picked it only prints, unless it is told to keep them. ``--compare`` measures another
revision with the same rows.
"""

import argparse
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

import structlog
from threadpoolctl import threadpool_limits

from tests.bench import page, sizing
from tests.bench.compare import compared
from tests.bench.figure import Figure, table
from tests.bench.guard import recorded_ratios
from tests.bench.ledger import FILE, Record
from tests.bench.machine import moment, setting
from tests.bench.rows import Row, picked
from tests.bench.stage import Stage


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("rows", nargs="*", help="rows, beginnings of rows, or pure; all by default")
    parser.add_argument("--compare", metavar="REV", help="another revision to measure beside this")
    parser.add_argument("--keep", action="store_true", help="write the picked rows to the page too")
    parser.add_argument("--json", type=Path, help="write what was measured there")
    asked = parser.parse_args(arguments)
    try:
        chosen = [*picked(asked.rows)]
    except ValueError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    record = measured(chosen, asked.json)
    if asked.compare:
        print(compared(record, asked.compare, asked.rows))
    elif asked.keep or not asked.rows:
        _keep(record, afresh=not asked.rows)
    return 0


def _keep(measured_now: Record, *, afresh: bool) -> None:
    """Write what was measured, and the pages; rows that were not measured now stay as they were."""
    record = Record.read() if FILE.exists() else measured_now
    record.take(measured_now)
    if afresh:
        record.ratios = recorded_ratios()
    record.write()
    record = Record.read()  # the pages show what was kept, to its digits
    page.write(record)
    sizing.write(record)
    print(f"bench: wrote {page.PAGE} and {sizing.PAGE}")


def measured(chosen: Sequence[Row], path: Path | None) -> Record:
    """Measure rows; one that fails is said and does not end the others.

    What is measured is written to a path after each row, if there is one.
    """
    record = Record(setting())
    with (
        tempfile.TemporaryDirectory(prefix="meltwatch-bench-") as folder,
        Stage(Path(folder)) as stage,
    ):
        for number, row in enumerate(chosen, start=1):
            begun_s, measured = time.monotonic(), moment()
            print(f"{number}/{len(chosen)} {row.name} …", flush=True)
            figures: list[Figure] = []
            why = ""
            try:
                figures.extend(row.measure(stage))
            except Exception as error:  # noqa: BLE001 - whatever it was, the others are measured
                why = f"{type(error).__name__}: {' '.join(str(error).split())[-300:]}"
            record.add(row.name, figures, measured, why)
            if path:
                record.write(path)
            took_s = time.monotonic() - begun_s
            print("\n".join(table(figures).splitlines()[2:]), f"{why} [{took_s:.0f} s]", flush=True)
    return record


if __name__ == "__main__":
    # kafka-python reads its protocol files by calls that Python 3.11 and 3.12 deprecate.
    warnings.simplefilter("ignore", DeprecationWarning)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("error"))
    threadpool_limits(1)  # as every service does
    sys.exit(main(sys.argv[1:]))
