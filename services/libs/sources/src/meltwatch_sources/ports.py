"""What adapters of cameras and meters deliver."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from meltwatch_sources.domain.reading import MeterReading
from meltwatch_sources.domain.supervision import Loss

Picture = NDArray[np.uint8]
"""Shape ``(height, width, 3)``, RGB, full range, upright."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame of a camera, with all the times that its adapter knows.

    Attributes
    ----------
    picture
        Converts it. Asked only of frames that are chosen: decoding alone is the cost of a camera.
    media_ns
        Time within the stream, from an arbitrary start.
    sender_ns
        What the sender's own clock said, ns UTC, or None.
    arrival_ns
        When it was here, ns UTC of this host.
    is_key
        It can be decoded without any other.
    is_damaged
        The decoder found errors in it.
    """

    picture: Callable[[], Picture]
    media_ns: int
    sender_ns: int | None
    arrival_ns: int
    is_key: bool
    is_damaged: bool


class SourceLost(Exception):  # noqa: N818 - the name says what is the matter
    """Nothing comes any more: the supervisor opens the source anew.

    Parameters
    ----------
    why
        One line, redacted.
    loss
        What kind of loss, which says how long to wait.
    """

    def __init__(self, why: str, loss: Loss = Loss.LOST) -> None:
        super().__init__(why)
        self.why = why
        self.loss = loss


class Camera(Protocol):
    """A live source of frames. It is opened once and never used again."""

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        """Give the frames that come, in order, until told to stop.

        Raises
        ------
        SourceLost
            If none can come any more.
        """
        ...


class Meter(Protocol):
    """A live source of readings. It is opened once and never used again."""

    def readings(self, stop: asyncio.Event) -> AsyncGenerator[MeterReading, None]:
        """Give the readings that come, in order, until told to stop.

        Raises
        ------
        SourceLost
            If none can come any more.
        """
        ...
