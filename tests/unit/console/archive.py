"""What Kafka has of one furnace, as a picture desk asks for it."""

from collections.abc import Sequence

import numpy as np
from meltwatch_console.errors import TooDear
from meltwatch_console.pipeline.score_book import ScoreBook
from meltwatch_schemas.current import CurrentChunk
from meltwatch_schemas.embedding import EmbeddingChunk
from meltwatch_schemas.encoder import default_encoder
from meltwatch_schemas.score import Cut, WindowScore
from meltwatch_schemas.score_topics import NewestFrame
from meltwatch_schemas.window import NS_PER_MS, PUBLISHED_SPEC

from tests.support.builders import FURNACE, NOON_NS, current_chunk, embedding_chunk, window_score

HOP_NS = PUBLISHED_SPEC.hop_ns
FIRST_NS = PUBLISHED_SPEC.first_end_after(FURNACE, NOON_NS)
VIDEO = "meltwatch.embeddings.v1"


def pixels_at(number: int) -> np.ndarray:
    """Return the picture of a window: each has its own grey."""
    return np.full((64, 64, 3), 100 + number, np.uint8)


def scores(count: int, *, names_frames: bool = True) -> list[WindowScore]:
    """Return windows one after the other, each with two frames that stand at its own offsets."""
    made = []
    for number in range(count):
        end_ns = FIRST_NS + number * HOP_NS
        frames = tuple(
            NewestFrame(2 * number + slot, end_ns - (1 - slot) * PUBLISHED_SPEC.frame_stride_ns)
            for slot in (0, 1)
        )
        hot = np.zeros((64, 64), np.uint8)
        hot[50:60, 28:36] = 200
        made.append(
            window_score(
                end_ns, FURNACE, 6.0, anomaly_map=hot, inputs={VIDEO: Cut(3, 0, 2 * number + 1)},
                frames=frames if names_frames else (),
            )
        )  # fmt: skip
    return made


def book_of(found: Sequence[WindowScore]) -> ScoreBook:
    """Return a book that has taken scores."""
    book = ScoreBook("meltwatch", lambda _: 0)
    book.take_scores(found)
    return book


class ArchiveOfOne:
    """Holds windows, their frames and currents.

    Attributes
    ----------
    asked
        How often a frame was fetched.
    is_dear
        Whatever is looked for costs too much.
    """

    def __init__(self, found: Sequence[WindowScore]) -> None:
        self._scores = found
        self.asked = 0
        self.is_dear = False
        self.encoder_id = default_encoder().encoder_id

    async def frame(self, _furnace: str, partition: int, offset: int) -> EmbeddingChunk | None:
        self.asked += 1
        number, slot = divmod(offset, 2)
        if partition != 3 or number >= len(self._scores):
            return None
        event_ns = self._scores[number].window_end_ns - (1 - slot) * PUBLISHED_SPEC.frame_stride_ns
        data = default_encoder().encode(pixels_at(number)[None])
        return embedding_chunk([event_ns], data, encoder_id=self.encoder_id)

    async def scores(self, _furnace: str, since_ms: int, until_ms: int, _budget: int):
        self._pay()
        return [
            each for each in self._scores
            if since_ms <= each.window_end_ns // NS_PER_MS <= until_ms
        ]  # fmt: skip

    async def currents(
        self, _furnace: str, since_ms: int, _until_ms: int, _budget: int
    ) -> list[CurrentChunk]:
        self._pay()
        samples = np.array([[1.0, 2.0, np.nan], [4.0, 5.0, 6.0]], np.float32)
        return [current_chunk(since_ms * NS_PER_MS, samples)]

    async def frames_until(self, _furnace: str, _since_ms: int, until_ms: int, _budget: int):
        self._pay()
        last_ns = until_ms * NS_PER_MS
        return [(3, 7, last_ns - 5), (3, 8, last_ns + 5)]

    def _pay(self) -> None:
        if self.is_dear:
            raise TooDear
