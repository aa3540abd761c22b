"""Frames, maps and currents of a furnace, fetched when somebody looks and decoded once."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple, Protocol, TypeVar

import numpy as np
from meltwatch_schemas.current import PHASES, CurrentChunk
from meltwatch_schemas.embedding import EmbeddingChunk
from meltwatch_schemas.encoder import default_encoder
from meltwatch_schemas.picture import AnomalyMap, MarkedSpot, png_of, spot_of
from meltwatch_schemas.score import WindowScore
from meltwatch_schemas.window import NS_PER_MS

from meltwatch_console.domain.flags import flags_of
from meltwatch_console.errors import NoPicture, TooDear
from meltwatch_console.pipeline.score_book import FramePlace, ScoreBook

FILM_MS: Final = 7_200
"""What a clip of the published spec reaches back."""
STRIP_MS: Final = 60_000
"""Of which one question for a film strip may ask."""
LOOKBACK_MS: Final = 120_000
BUDGET: Final = 8 * 1024 * 1024
"""Bytes of Kafka that one look may cost."""
STEP_MS: Final = 500
_MOST_STEPS: Final = 7_200
"""One hour."""
_KEPT: Final = 512
"""Pictures, of some 10 kB each."""
_Found = TypeVar("_Found")
_CHUNK_MS: Final = 2_000
"""A record's timestamp is its last event; it reaches back so far."""


class CurrentTrace(NamedTuple):
    """The three phases of a stretch of time.

    Attributes
    ----------
    start_ms
        Of the first step.
    step_ms
        Length of a step.
    phases
        Per phase and step the last value in it, amperes; None where there is none.
    """

    start_ms: int
    step_ms: int
    phases: tuple[list[float | None], ...]


class StripWindow(NamedTuple):
    """One window of a film strip.

    Attributes
    ----------
    end_ms, score, flags
        Of the window.
    frame
        Its own newest frame; None where it names none.
    spot
        What its map marks; None without a map.
    """

    end_ms: int
    score: float | None
    flags: int
    frame: FramePlace | None
    spot: MarkedSpot | None


class Archive(Protocol):
    """What Kafka still has; each call raises ``TransientError`` where it does not answer."""

    async def frame(self, furnace_id: str, partition: int, offset: int) -> EmbeddingChunk | None:
        """Return the record at an offset, or None."""
        ...

    async def scores(
        self, furnace_id: str, since_ms: int, until_ms: int, budget: int
    ) -> list[WindowScore]:
        """Return the scores with window ends in ``[since, until]``."""
        ...

    async def currents(
        self, furnace_id: str, since_ms: int, until_ms: int, budget: int
    ) -> list[CurrentChunk]:
        """Return the chunks that end in ``[since, until]``."""
        ...

    async def frames_until(
        self, furnace_id: str, since_ms: int, until_ms: int, budget: int
    ) -> list[tuple[int, int, int]]:
        """Return partition, offset and event time of frames."""
        ...


class PictureDesk:
    """Gives pictures of furnaces.

    Parameters
    ----------
    book
        What is known of the scores.
    archive
        What Kafka has.
    """

    def __init__(self, book: ScoreBook, archive: Archive) -> None:
        self._book = book
        self._archive = archive
        self._pictures: OrderedDict[tuple[Any, ...], bytes] = OrderedDict()
        self._decoding = asyncio.Lock()

    async def film(self, furnace_id: str, at_ms: int | None) -> list[FramePlace]:
        """Return where the frames of a clip stand, oldest first.

        Parameters
        ----------
        furnace_id
            Whose.
        at_ms
            The clip's end; None is the newest.

        Raises
        ------
        NoPicture
            If there is none, or it is too dear to fetch.
        TransientError
            If Kafka does not answer.
        """
        if at_ms is None:
            newest = self._book.newest(furnace_id)
            if newest is None:
                raise NoPicture("no window of this furnace is known")
            at_ms = newest.window_end_ns // NS_PER_MS
        # Of the window at the beginning the last hop's frames count, and they lie before its end.
        scores = await self._scores(furnace_id, at_ms - FILM_MS + 1, at_ms)
        places = [place for score in scores for place in self._book.frames_of(score)]
        if not places and scores:
            places = await self._film_of_old(furnace_id, at_ms)
        unique = {place.event_ns: place for place in places}
        return [unique[time_ns] for time_ns in sorted(unique)]

    async def strip(self, furnace_id: str, since_ms: int, until_ms: int) -> list[StripWindow]:
        """Return the windows that end in ``[since, until]``, oldest first.

        Raises
        ------
        ValueError
            If the stretch is empty or too long.
        NoPicture
            If it is too dear to fetch.
        TransientError
            If Kafka does not answer.
        """
        if not 0 < until_ms - since_ms <= STRIP_MS:
            raise ValueError(f"expected 1..{STRIP_MS} ms, got {until_ms - since_ms}")
        found = await self._scores(furnace_id, since_ms, until_ms)
        scores = {each.window_end_ns: each for each in found}
        return [self._strip_window(scores[end_ns]) for end_ns in sorted(scores)]

    async def frame(
        self, furnace_id: str, partition: int, offset: int, event_ns: int | None
    ) -> bytes:
        """Return a frame as PNG, its pixels exactly as the encoder took them.

        Parameters
        ----------
        furnace_id
            Whose.
        partition, offset
            Of its record.
        event_ns
            Which frame of the record; None is the last.

        Raises
        ------
        NoPicture
            If Kafka no longer has it, or it is in an encoder that is not known here.
        TransientError
            If Kafka does not answer.
        """
        key = ("frame", furnace_id, partition, offset, event_ns)
        return await self._kept(key, lambda: self._frame(furnace_id, partition, offset, event_ns))

    async def map_of(self, furnace_id: str, window_end_ms: int) -> AnomalyMap:
        """Return the anomaly map of a window.

        Raises
        ------
        NoPicture
            If the window has none.
        TransientError
            If Kafka does not answer.
        """
        held = self._book.anomaly_map(furnace_id, window_end_ms)
        if held is None:
            scores = await self._scores(furnace_id, window_end_ms, window_end_ms)
            held = next((s.anomaly_map for s in scores if s.anomaly_map is not None), None)
        if held is None:
            raise NoPicture("the window has no map: its score is low, or nobody scored it")
        return held

    async def map_picture(self, furnace_id: str, window_end_ms: int) -> bytes:
        """Return the anomaly map of a window as grey PNG; raises as ``map_of`` does."""
        return png_of(await self.map_of(furnace_id, window_end_ms))

    async def spot(self, furnace_id: str, window_end_ms: int) -> MarkedSpot:
        """Return what the map of a window marks; raises as ``map_of`` does."""
        return spot_of(await self.map_of(furnace_id, window_end_ms))

    async def currents(self, furnace_id: str, since_ms: int, until_ms: int) -> CurrentTrace:
        """Return the currents of a stretch of time on their grid.

        Raises
        ------
        NoPicture
            If they are too dear to fetch.
        TransientError
            If Kafka does not answer.
        """
        asked = furnace_id, since_ms, until_ms + _CHUNK_MS, BUDGET
        chunks = await _within_budget(self._archive.currents(*asked))
        return _on_grid(chunks, since_ms, until_ms)

    def _strip_window(self, score: WindowScore) -> StripWindow:
        found = score.anomaly_map
        return StripWindow(
            score.window_end_ns // NS_PER_MS,
            score.logit,
            flags_of(score),
            next(reversed(self._book.frames_of(score)), None),
            None if found is None else spot_of(found),
        )

    async def _scores(self, furnace_id: str, since_ms: int, until_ms: int) -> Sequence[WindowScore]:
        held = self._book.recent_scores(furnace_id, since_ms, until_ms)
        if held is not None:
            return held
        asked = furnace_id, since_ms, until_ms, BUDGET
        return await _within_budget(self._archive.scores(*asked))

    async def _film_of_old(self, furnace_id: str, at_ms: int) -> list[FramePlace]:
        """Look for frames where scores do not name them."""
        asked = furnace_id, at_ms - FILM_MS, at_ms, BUDGET
        found = await _within_budget(self._archive.frames_until(*asked))
        last_ns = at_ms * NS_PER_MS
        return [
            FramePlace(partition, offset, event_ns, at_ms)
            for partition, offset, event_ns in found
            if event_ns <= last_ns
        ]

    async def _frame(
        self, furnace_id: str, partition: int, offset: int, event_ns: int | None
    ) -> bytes:
        chunk = await self._archive.frame(furnace_id, partition, offset)
        if chunk is None:
            raise NoPicture("Kafka no longer has this frame: it keeps them for 7 days")
        if chunk.encoder_id != default_encoder().encoder_id:
            raise NoPicture(f"unknown encoder {chunk.encoder_id[:80]!r}: its basis is not here")
        times_ns = chunk.event_times_ns.tolist()
        if event_ns is not None and event_ns not in times_ns:
            raise NoPicture("the record has no frame of this instant")
        index = len(times_ns) - 1 if event_ns is None else times_ns.index(event_ns)
        async with self._decoding:  # in one thread: more are slower for matrices as small
            return await asyncio.to_thread(_decoded, chunk, index)

    async def _kept(self, key: tuple[Any, ...], make: Callable[[], Awaitable[bytes]]) -> bytes:
        if key in self._pictures:
            self._pictures.move_to_end(key)
            return self._pictures[key]
        picture = self._pictures[key] = await make()
        while len(self._pictures) > _KEPT:
            self._pictures.popitem(last=False)
        return picture


async def _within_budget(looking: Awaitable[Sequence[_Found]]) -> Sequence[_Found]:
    try:
        return await looking
    except TooDear:
        raise NoPicture("picture too dear to fetch: its partition holds too much") from None


def _decoded(chunk: EmbeddingChunk, index: int) -> bytes:
    pixels = default_encoder().decode(np.ascontiguousarray(chunk.data[index : index + 1]))
    return png_of(pixels[0])


def _on_grid(chunks: Iterable[CurrentChunk], since_ms: int, until_ms: int) -> CurrentTrace:
    """Return the samples of ``[since, until)``.

    Raises
    ------
    ValueError
        If the stretch is empty or longer than an hour.
    """
    steps = -(-(until_ms - since_ms) // STEP_MS)
    if not 0 < steps <= _MOST_STEPS:
        raise ValueError(f"expected 1..{_MOST_STEPS} steps of {STEP_MS} ms, got {steps}")
    values = np.full((steps, PHASES), np.nan)
    times = np.zeros((steps, PHASES), np.int64)
    for chunk in chunks:
        for time_ns, sample in zip(chunk.event_times_ns.tolist(), chunk.data, strict=True):
            step = (time_ns // NS_PER_MS - since_ms) // STEP_MS
            if not 0 <= step < steps:
                continue
            newer = ~np.isnan(sample) & (times[step] <= time_ns)
            values[step, newer] = sample[newer]
            times[step, newer] = time_ns
    rounded = np.round(values, 1).T.tolist()
    phases = tuple([None if value != value else value for value in phase] for phase in rounded)  # noqa: PLR0124 - NaN alone differs from itself
    return CurrentTrace(since_ms, STEP_MS, phases)
