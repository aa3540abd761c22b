"""Recordings played as if they were live: a video, or a folder of stills with times in names."""

import re
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import av
from meltwatch_chassis.clock import Clock
from meltwatch_schemas.window import NS_PER_S

from meltwatch_sources.adapters.decoding import Decoding, FrameMaker, codec_of, video_stream
from meltwatch_sources.credentials import redacted
from meltwatch_sources.plant import VideoSource
from meltwatch_sources.ports import Frame, SourceLost

_TIME: Final = re.compile(
    r"(?<!\d)(\d{4})[-_]?(\d\d)[-_]?(\d\d)[-_T ]?(\d\d)[-_:]?(\d\d)[-_:]?(\d\d)"
    r"(?:[.,_-]?(\d{1,9}))?(?!\d)"
)
_EPOCH_MS: Final = re.compile(r"(?<!\d)(1\d{12})(?!\d)")
_STILLS: Final = frozenset({".jpg", ".jpeg", ".png", ".bmp"})


class FileCamera:
    """A recording, played once from its beginning at its own pace; opened anew it begins again.

    Parameters
    ----------
    source
        What the plant file says.
    folder
        Where a relative address begins.
    clock
        Paces it.

    Attributes
    ----------
    codec, title
        As it says them, once it is open.
    """

    def __init__(self, source: VideoSource, folder: Path, clock: Clock) -> None:
        self._path = source.where.file(folder)
        self._decoding = Decoding.of(source)
        self._clock = clock
        self.codec, self.title = "", ""

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        """Give the frames, each when it is due, until told to stop.

        Raises
        ------
        SourceLost
            If it cannot be read.
        """
        try:
            frames = self._stills() if self._path.is_dir() else self._video(self._path)
            yield from self._paced(frames, stop)
        except (av.FFmpegError, OSError) as error:
            raise SourceLost(redacted(f"{self._path}: {error.strerror or error!r}")) from None

    def _paced(self, frames: Iterator[Frame], stop: threading.Event) -> Iterator[Frame]:
        origin_ns: int | None = None
        for frame in frames:
            if origin_ns is None:
                origin_ns = self._clock.now_ns() - frame.media_ns
            due_ns = origin_ns + frame.media_ns
            while (left_ns := due_ns - self._clock.now_ns()) > 0:
                if stop.wait(min(left_ns / NS_PER_S, 1.0)):
                    return
            yield Frame(
                frame.picture,
                frame.media_ns,
                None,
                self._clock.now_ns(),
                frame.is_key,
                frame.is_damaged,
            )

    def _video(self, path: Path) -> Iterator[Frame]:
        with closing(av.open(str(path))) as container:
            stream = video_stream(container, self._decoding)
            self.codec, self.title = codec_of(stream), container.metadata.get("title", "")
            maker = FrameMaker(self._decoding, stream, self._clock.monotonic_ns)
            for packet in container.demux(stream):
                yield from maker.decoded(packet, 0)

    def _stills(self) -> Iterator[Frame]:
        timed = sorted(
            (time_ns, path)
            for path in self._path.iterdir()
            if path.suffix.lower() in _STILLS and (time_ns := time_in_name(path.name)) is not None
        )
        if not timed:
            raise SourceLost(f"{self._path}: expected stills with times in their names, got none")
        for time_ns, path in timed:
            for frame in self._video(path):
                yield Frame(frame.picture, time_ns, None, 0, is_key=True, is_damaged=False)


def time_in_name(name: str) -> int | None:
    """Return the time that a file's name tells, ns UTC; None if it tells none.

    Taken are ``2026-11-29T09-30-00.250``, ``20261129_093000``, with or without signs between, and
    milliseconds since the Unix epoch.
    """
    if found := _EPOCH_MS.search(name):
        return int(found[1]) * 1_000_000
    if (found := _TIME.search(name)) is None:
        return None
    try:
        second = datetime(*(int(part) for part in found.groups()[:6]), tzinfo=UTC)  # type: ignore[arg-type, misc]  # six numbers
    except ValueError:
        return None
    fraction_ns = int((found[7] or "0").ljust(9, "0"))
    return int(second.timestamp()) * NS_PER_S + fraction_ns
