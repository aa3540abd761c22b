"""How the join grows with furnaces, and with frames a message: rows that need no server."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

import numpy as np
from meltwatch_schemas.embedding import SCHEMA, EmbeddingChunk, encode_embedding
from meltwatch_schemas.encoder import Encoder, dct_basis
from meltwatch_schemas.record import headers_for
from meltwatch_schemas.topics import Topic

from tests.bench.figure import US, Figure, figure
from tests.bench.measure import Cost, Stopwatch, taking_turns
from tests.bench.streams import Join, Placed, names, placed, stream
from tests.support.input_records import (
    ORIGIN_NS,
    STRIDE_NS,
    InputRecord,
    identity,
    live,
    sample_record,
)

FURNACES: Final = (1, 10, 100, 1000)
DEPTH_S: Final = 8
ROUNDS: Final = 3
RECORDS: Final = 1_000
"""At least so many a run: with few furnaces the same join is done again."""
# Three values a patch: a thousand furnaces' frames must fit into memory.
_SMALL: Final = Encoder("dct", dct_basis(3))
_KIB: Final = 1024


def _joined(records: Sequence[Placed], encoder: Encoder | None, units: int) -> Cost:
    times = max(1, RECORDS // len(records))
    with Stopwatch() as watch:
        for _ in range(times):
            Join(encoder).fill(records)
    return watch.cost(times * units)


def furnaces() -> Iterator[Figure]:
    """Measure the first seconds of more and more furnaces of one partition."""
    given = {count: [*placed(live(names(count), DEPTH_S, encoder=_SMALL))] for count in FURNACES}
    subjects = {
        str(count): partial(_joined, records, _SMALL, len(records))
        for count, records in given.items()
    }
    for count, costs in taking_turns(subjects, ROUNDS).items():
        what = f"a small record, {count} furnaces in a partition"
        yield figure(f"growth.furnaces.{count}", what, US, {"ours": costs})


def memory() -> Iterator[Figure]:
    """Measure what a furnace holds with a whole look-back."""
    join, count = Join(), 3
    join.fill(stream(count, 1).before)
    kib = join.joiner.size_bytes / count / _KIB
    yield Figure("growth.memory", "what the join holds of a furnace", "KiB", (kib,))


def frames() -> Iterator[Figure]:
    """Measure one furnace's minute with one, two and three frames a message."""
    subjects = {
        str(count): partial(_joined, [*placed(_minute(count))], None, 60 * 1000 // 720)
        for count in (1, 2, 3)
    }
    for count, costs in taking_turns(subjects, ROUNDS).items():
        what = f"a frame with its share of the currents, {count} a message"
        yield figure(f"growth.frames.{count}", what, US, {"ours": costs})


def _minute(count: int) -> list[InputRecord]:
    """A minute of a furnace, with so many frames a message."""
    (name,) = names(1)
    chance, encoder = np.random.default_rng(1), Encoder("dct", dct_basis(192))
    records = [sample_record(name, ORIGIN_NS + n * 10**9, seq=2 * n) for n in range(60)]
    times_ns = [ORIGIN_NS + number * STRIDE_NS for number in range(60 * 1000 // 720)]
    for first in range(0, len(times_ns), count):
        group = np.array(times_ns[first : first + count], np.int64)
        pictures = chance.integers(0, 256, (len(group), 64, 64, 3), np.uint8)
        chunk = EmbeddingChunk(
            identity(name, "camera", first, int(group[-1])),
            group,
            encoder.encoder_id,
            encoder.encode(pictures),
        )
        records.append(
            InputRecord(
                Topic.EMBEDDINGS,
                name.encode(),
                encode_embedding(chunk),
                tuple(headers_for(SCHEMA)),
                int(group[-1]) // 1_000_000,
            )
        )
    return sorted(records, key=lambda record: record.timestamp_ms)
