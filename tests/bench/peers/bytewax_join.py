"""``bytewax_join.py FILE stateful|windows``: the join as a Bytewax dataflow, in one process.

``stateful`` keeps each furnace in a ``stateful_flat_map``, as Bytewax advises for logic of one's
own. ``windows`` collects by its event clock and sliding windows, as it advises for windows. FILE
holds the values of Kafka records, so that no broker's cost is counted. Prints one line of JSON.
"""

import json
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import bytewax.operators as op
import bytewax.operators.windowing as win
import msgpack
from bytewax.dataflow import Dataflow
from bytewax.testing import TestingSink, TestingSource, run_main
from join import BOUND_NS, HOP_NS, LOOK_BACK_NS, Furnace, decoded, window

_EPOCH = datetime(2020, 1, 1, tzinfo=UTC)


def keyed(value: bytes) -> tuple[str, tuple[bool, int, Any]]:
    """Decode a record."""
    furnace, *rest = decoded(value)
    return furnace, tuple(rest)


def step(state: Furnace | None, record: tuple[bool, int, Any]) -> tuple[Furnace, list[Any]]:
    """Take a record into a furnace."""
    furnace = state or Furnace()
    return furnace, furnace.take(*record)


def aligned(found: tuple[int, list[tuple[bool, int, Any]]]) -> Any:
    """Put a collected window together."""
    _, records = found
    frames = [(at_ns, values) for is_video, at_ns, values in records if is_video]
    samples = [(at_ns, values) for is_video, at_ns, values in records if not is_video]
    return window(frames, samples, max(at_ns for _, at_ns, _ in records))


def dataflow(values: list[bytes], by: str, out: list[Any]) -> Dataflow:
    """Build it."""
    flow = Dataflow("join")
    records = op.map("decode", op.input("input", flow, TestingSource(values, 100)), keyed)
    if by == "stateful":
        joined = op.stateful_flat_map("join", records, step)
    else:
        clock = win.EventClock(
            lambda record: datetime.fromtimestamp(record[1] / 1e9, UTC),
            timedelta(microseconds=max(BOUND_NS.values()) / 1e3),
        )
        windower = win.SlidingWindower(
            timedelta(microseconds=LOOK_BACK_NS / 1e3),
            timedelta(microseconds=HOP_NS / 1e3),
            _EPOCH,
        )
        collected = win.collect_window("collect", records, clock, windower)
        joined = op.map_value("align", collected.down, aligned)
    op.output("output", joined, TestingSink(out))
    return flow


def main() -> None:
    """Run it."""
    values: list[bytes] = msgpack.unpackb(Path(sys.argv[1]).read_bytes())
    out: list[Any] = []
    flow = dataflow(values, sys.argv[2], out)
    begun_s = time.process_time()
    run_main(flow)
    cpu_s = time.process_time() - begun_s
    print(json.dumps({"records": len(values), "windows": len(out), "cpu_s": cpu_s}))


if __name__ == "__main__":
    main()
