"""IP cameras and restreamers: ``rtsp://`` and ``rtsps://`` by PyAV."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import av
from av.container import InputContainer
from meltwatch_chassis.clock import Clock

from meltwatch_sources.adapters.camera_tls import CameraTls
from meltwatch_sources.adapters.decoding import Decoding, FrameMaker, codec_of, video_stream
from meltwatch_sources.credentials import Credentials, redacted, with_login
from meltwatch_sources.domain.stride_sampler import Backlog
from meltwatch_sources.domain.supervision import Loss
from meltwatch_sources.plant import VideoSource
from meltwatch_sources.ports import Frame, SourceLost

_OPEN_S: Final = 5.0
_READ_S: Final = 3.0
_OPTIONS: Final = {
    "fflags": "nobuffer",
    # Half a second: what FFmpeg looks at before it plays is late.
    "analyzeduration": "500000",
}
_REFUSED: Final = (
    "the camera refused the login; if it is right, let the camera offer Digest MD5 alone"
)


class RtspCamera:
    """One session of a camera.

    Parameters
    ----------
    source
        What the plant file says.
    login
        Reads the login when the camera is opened.
    clock
        Stamps arrivals.
    folder
        Where a relative ``ca_file`` begins.

    Attributes
    ----------
    codec, title
        As the camera says them, once it is open.
    """

    def __init__(
        self,
        source: VideoSource,
        login: Callable[[], Credentials | None],
        clock: Clock,
        folder: Path = Path(),
    ) -> None:
        self._source = source
        self._login = login
        self._clock = clock
        self._folder = folder
        self.codec, self.title = "", ""

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        """Give the frames that come, in order, until told to stop.

        Raises
        ------
        SourceLost
            If none can come any more.
        """
        login = self._login()
        tls = CameraTls.of(self._source, login, self._folder)
        try:
            with closing(self._opened(login, tls)) as container:
                yield from self._read(container, stop)
        except av.FFmpegError as error:
            raise _loss(error, login) from None

    def _opened(self, login: Credentials | None, tls: CameraTls | None) -> InputContainer:
        url = with_login(self._source.where, login)
        options = _OPTIONS | {"rtsp_transport": self._source.transport}
        try:
            return av.open(
                url,
                options={**options, **(tls.options if tls else {})},
                timeout=(_OPEN_S, _READ_S),
            )
        except av.FFmpegError as error:
            # FFmpeg says no more than "Input/output error" of a certificate.
            if tls is not None and (problem := tls.problem(_READ_S)):
                raise SourceLost(problem) from None
            raise _loss(error, login) from None

    def _read(self, container: InputContainer, stop: threading.Event) -> Iterator[Frame]:
        decoding, backlog = Decoding.of(self._source), Backlog()
        stream = video_stream(container, decoding)
        self.codec, self.title = codec_of(stream), container.metadata.get("title", "")
        maker = FrameMaker(decoding, stream, self._clock.monotonic_ns)
        is_passing_over = False
        asked_ns = self._clock.monotonic_ns()
        for packet in container.demux(stream):
            arrival_ns = self._clock.now_ns()
            waited_ns = self._clock.monotonic_ns() - asked_ns
            if stop.is_set() or packet.dts is None:
                return
            media_ns = maker.media_ns(packet.pts)
            is_passing_over |= backlog.is_behind(media_ns, arrival_ns, waited_ns)
            is_passing_over &= not packet.is_keyframe
            if not is_passing_over:
                yield from maker.decoded(packet, arrival_ns)
            asked_ns = self._clock.monotonic_ns()


def _loss(error: av.FFmpegError, login: Credentials | None) -> SourceLost:
    """Return what FFmpeg's error means; its text holds the whole URL, so it is redacted."""
    if isinstance(error, av.error.HTTPUnauthorizedError | av.error.HTTPForbiddenError):
        return SourceLost(_REFUSED, Loss.REFUSED)
    if isinstance(error, av.error.ExitError):
        return SourceLost(f"nothing came for {_READ_S:.0f} s")
    return SourceLost(redacted(error.strerror or repr(error), login))
