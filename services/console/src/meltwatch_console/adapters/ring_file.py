"""The file in which the traces of all furnaces are kept over a restart.

Without it Kafka is read for the last hour again.
"""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO, Final

import structlog
from meltwatch_chassis.clock import Clock
from meltwatch_chassis.whole_file import DRAFT
from meltwatch_schemas.text import escaped
from meltwatch_schemas.window import NS_PER_MS

from meltwatch_console.domain.ring import WindowRing
from meltwatch_console.domain.ring_block import (
    FORM,
    MAX_HEAD,
    last_line,
    read_end,
    read_head,
    restored_ring,
    ring_block,
)
from meltwatch_console.errors import RingRefused
from meltwatch_console.pipeline.score_book import ScoreBook

NAME: Final = "scores.ring"
SAVED_EVERY_S: Final = 600.0
_log = structlog.get_logger()


class RingFile:
    """One file, written as a whole or not at all.

    Parameters
    ----------
    folder
        Made if it is not there.
    most
        How many furnaces at most.
    """

    def __init__(self, folder: Path, most: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / NAME
        self._most = most

    def read(self, now_ms: int) -> tuple[dict[str, WindowRing], int]:
        """Return the rings and when they were saved (ms); nothing where there is no file.

        Raises
        ------
        RingRefused
            If it is torn, or no such file.
        OSError
            If it cannot be read.
        """
        if not self._file.exists():
            return {}, 0
        if not self._file.is_file():
            raise RingRefused("expected a file")
        with self._file.open("rb") as source:
            return self._rings(source, now_ms)

    @contextmanager
    def writing(self, saved_ms: int) -> Iterator["RingDraft"]:
        """Give what takes blocks; the file is there once all of them are written.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        draft = self._file.with_name(f"{NAME}-{token_hex(4)}{DRAFT}")
        try:
            with draft.open("wb") as out:
                made = RingDraft(out)
                yield made
                out.write(last_line(made.blocks, saved_ms))
                out.flush()
                os.fsync(out.fileno())
            draft.replace(self._file)
        finally:
            draft.unlink(missing_ok=True)

    def _rings(self, source: BinaryIO, now_ms: int) -> tuple[dict[str, WindowRing], int]:
        if source.readline(len(FORM)) != FORM:
            raise RingRefused(f"expected it to begin with {FORM.decode().strip()}")
        rings: dict[str, WindowRing] = {}
        while line := source.readline(MAX_HEAD):
            if (saved_ms := read_end(line, len(rings))) is not None:
                return rings, saved_ms
            head = read_head(line)
            if head.furnace in rings or len(rings) >= self._most:
                raise RingRefused(f"expected at most {self._most} furnaces, each once")
            rings[head.furnace] = restored_ring(head, source.read(head.size), now_ms)
        raise RingRefused("expected its last line, it is torn")


class RingDraft:
    """Takes blocks.

    Parameters
    ----------
    out
        Where they are written.

    Attributes
    ----------
    blocks
        How many were.
    """

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self.blocks = 0
        out.write(FORM)

    def write(self, block: bytes) -> None:
        """Write one."""
        self._out.write(block)
        self.blocks += 1


class RingKeeper:
    """Reads the rings at the start, and saves them every ten minutes and at the end.

    Parameters
    ----------
    book
        Has them.
    file
        Where they are kept.
    clock
        Wall clock.
    """

    def __init__(self, book: ScoreBook, file: RingFile, clock: Clock) -> None:
        self._book = book
        self._file = file
        self._clock = clock

    async def restore(self) -> int:
        """Take over what was kept, before any score is read; return up to when it goes (ms).

        What cannot be read is told and left: the scores on Kafka give the last hour again.
        """
        try:
            rings, saved_ms = await asyncio.to_thread(self._file.read, self._now_ms())
        except (RingRefused, OSError) as error:
            _log.warning("ring_refused", error=escaped(str(error)))
            return 0
        for furnace_id, ring in rings.items():
            self._book.put_ring(furnace_id, ring)
        if rings:
            _log.info("ring_read", furnaces=len(rings), saved_ms=saved_ms)
        return saved_ms

    async def keep_on(self) -> None:
        """Save again and again; never ends by itself, and no failure ends it."""
        try:
            while True:
                await asyncio.sleep(SAVED_EVERY_S)
                await self._save()
        finally:
            self._save_now()

    async def _save(self) -> None:
        try:
            with self._file.writing(self._now_ms()) as sink:
                for furnace_id, ring in self._book.rings():
                    # Copied here, where nobody changes it; written where nobody waits.
                    await asyncio.to_thread(sink.write, ring_block(furnace_id, ring))
        except OSError as error:
            _log.warning("ring_not_saved", error=escaped(str(error)))

    def _save_now(self) -> None:
        try:
            with self._file.writing(self._now_ms()) as sink:
                for furnace_id, ring in self._book.rings():
                    sink.write(ring_block(furnace_id, ring))
        except OSError as error:
            _log.warning("ring_not_saved", error=escaped(str(error)))

    def _now_ms(self) -> int:
        return self._clock.now_ns() // NS_PER_MS
