"""PyAV's packets and frames as frames of a camera; the one place that knows its codecs."""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal

import av
import numpy as np
from av.codec.context import Flags
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from av.video.stream import VideoStream
from meltwatch_schemas.window import NS_PER_S

from meltwatch_sources.domain.picture import ColourRule
from meltwatch_sources.plant import VideoSource
from meltwatch_sources.ports import Frame, Picture, SourceLost

_REFERENCE_TIME: Final = struct.Struct("<q")
_MATRICES: Final = {"bt601": Colorspace.ITU601, "bt709": Colorspace.ITU709}
_RANGES: Final = {"limited": ColorRange.MPEG, "full": ColorRange.JPEG}
_PICTURE_LIMIT_NS: Final = 20 * NS_PER_S


@dataclass(frozen=True, slots=True)
class Decoding:
    """How a stream is decoded.

    Attributes
    ----------
    which
        All frames, or key frames alone.
    colours
        How they are read.
    """

    which: Literal["all", "key"]
    colours: ColourRule

    @classmethod
    def of(cls, source: VideoSource) -> "Decoding":
        """Return how the plant file wants it."""
        return cls(source.decode, ColourRule(source.matrix, source.colour_range))

    def picture(self, frame: VideoFrame, reformatter: VideoReformatter) -> Picture:
        """Return a frame upright, RGB, full range; the reformatter keeps its tables between."""
        matrix = self.colours.matrix_of(frame.colorspace)
        colour_range = self.colours.range_of(frame.color_range, frame.format.name)
        rgb: Picture = reformatter.reformat(
            frame,
            format="rgb24",
            src_colorspace=_MATRICES[matrix],
            dst_colorspace=Colorspace.ITU601,
            src_color_range=_RANGES[colour_range],
            dst_color_range=ColorRange.JPEG,
        ).to_ndarray()  # type: ignore[assignment]  # of rgb24 it is bytes
        # PyAV tells by how much a player turns it, anti-clockwise.
        return np.rot90(rgb, round(frame.rotation / 90)) if frame.rotation else rgb


def video_stream(container: InputContainer, decoding: Decoding) -> VideoStream:
    """Return the first video stream, ready to be decoded.

    Raises
    ------
    SourceLost
        If there is none.
    """
    if not container.streams.video:
        raise SourceLost("expected a video stream, got none")
    stream = container.streams.video[0]
    # One thread: a camera is decoded in a tenth of a core, and more of them delay frames.
    stream.codec_context.thread_count = 1
    if decoding.which == "key":
        stream.codec_context.skip_frame = "NONKEY"
        # Nothing is out of order then, so that no frame waits for a later one.
        stream.codec_context.flags |= Flags.low_delay
    return stream


def codec_of(stream: VideoStream) -> str:
    """Return the name of a stream's codec."""
    return str(stream.codec_context.name)


class FrameMaker:
    """Decodes the packets of one stream, in order.

    What cannot be decoded, or not whole, damages all that rests on it: until the next key frame.

    Parameters
    ----------
    decoding
        How.
    stream
        Of the packets.
    now_ns
        Gives monotonic time.
    """

    def __init__(self, decoding: Decoding, stream: VideoStream, now_ns: Callable[[], int]) -> None:
        self._decoding = decoding
        self._now_ns = now_ns
        # Read once: PyAV makes a new fraction for each packet that is asked.
        base = stream.time_base or Fraction(1, NS_PER_S)
        self._numerator, self._denominator = base.numerator * NS_PER_S, base.denominator
        self._reformatter = VideoReformatter()
        self._is_torn = False
        self._pictured_ns = now_ns()

    def decoded(self, packet: "Packet[VideoStream]", arrival_ns: int) -> Iterator[Frame]:
        """Give the frames that a packet completes.

        Raises
        ------
        SourceLost
            If no picture came for 20 s although packets do.
        """
        sender_ns = _sender_ns(packet)
        if self._decoding.which == "key" and packet.size and not packet.is_keyframe:
            return
        try:
            frames = packet.decode()
        except av.FFmpegError:
            self._is_torn, frames = True, []
            yield Frame(_no_picture, 0, None, arrival_ns, is_key=False, is_damaged=True)
        self._is_torn = self._is_torn or packet.is_corrupt
        for frame in frames:
            self._is_torn = frame.is_corrupt or (self._is_torn and not frame.key_frame)
            self._pictured_ns = self._now_ns()
            yield self._made(frame, packet, sender_ns, arrival_ns)
        if self._now_ns() - self._pictured_ns > _PICTURE_LIMIT_NS:
            raise SourceLost(
                "packets come, but no picture for 20 s; set a key frame every 0.7 s at the camera"
            )

    def _made(
        self,
        frame: VideoFrame,
        packet: "Packet[VideoStream]",
        sender_ns: int | None,
        arrival_ns: int,
    ) -> Frame:
        media_ns = self.media_ns(frame.pts)
        if sender_ns is not None:
            # With frames out of order the packet is not the frame's own.
            sender_ns += media_ns - self.media_ns(packet.pts)
        return Frame(
            lambda: self._decoding.picture(frame, self._reformatter),
            media_ns,
            sender_ns,
            arrival_ns,
            bool(frame.key_frame),
            self._is_torn or frame.pts is None,
        )

    def media_ns(self, ticks: int | None) -> int:
        """Return a time of a packet or frame in ns; one that is missing is 0."""
        return 0 if ticks is None else ticks * self._numerator // self._denominator


def _sender_ns(packet: "Packet[VideoStream]") -> int | None:
    """Return the sender's own time of a packet: since its first report FFmpeg adds it to each."""
    if not packet.has_sidedata("prft"):
        return None
    (microseconds,) = _REFERENCE_TIME.unpack_from(bytes(packet.get_sidedata("prft")))
    return int(microseconds) * 1000


def _no_picture() -> Picture:
    raise SourceLost("expected a picture, got a packet that cannot be decoded")
