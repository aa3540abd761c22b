"""Which adapter opens a camera, by the scheme of its address."""

from pathlib import Path
from typing import Final

from meltwatch_chassis.clock import Clock
from meltwatch_schemas.window import NS_PER_MS, NS_PER_S

from meltwatch_sources.adapters.file import FileCamera
from meltwatch_sources.adapters.rtsp import RtspCamera
from meltwatch_sources.credentials import Credentials, CredentialStore
from meltwatch_sources.domain.event_clock import ClockRule
from meltwatch_sources.domain.picture import PictureRule
from meltwatch_sources.plant import VideoSource

_USUAL_DELAY_NS: Final = 150 * NS_PER_MS
_MEASURED_WITHIN_NS: Final = 30 * NS_PER_MS


def camera_of(
    source: VideoSource, folder: Path, store: CredentialStore, clock: Clock
) -> RtspCamera | FileCamera:
    """Return a camera that has not been opened.

    Parameters
    ----------
    source
        What the plant file says.
    folder
        Where relative files begin.
    store
        Where its login is read when it is opened.
    clock
        Stamps arrivals.
    """
    if source.where.scheme == "file":
        return FileCamera(source, folder, clock)

    def login() -> Credentials | None:
        return None if source.credentials is None else store.read(source.credentials)

    return RtspCamera(source, login, clock, folder)


def connection_of(source: VideoSource) -> VideoSource:
    """Return what furnaces of one camera have in common: it is opened and decoded once."""
    seen = {"source_id": "", "crop": None, "rotate_degrees": 0, "mirror": False}
    return source.model_copy(update=seen)


def picture_rule(source: VideoSource) -> PictureRule:
    """Return what the plant file says of a picture."""
    return PictureRule(source.crop, source.rotate_degrees, source.mirror)


def clock_rule(source: VideoSource) -> ClockRule:
    """Return what the plant file says of a camera's clock."""
    if source.where.scheme == "file":
        # Played by this host: there is no way of the light to wait for, and nothing to claim.
        return ClockRule("arrival", 0, 0)
    if source.camera_delay_s is None:
        return ClockRule(source.clock, _USUAL_DELAY_NS, _USUAL_DELAY_NS)
    delay_ns = int(source.camera_delay_s * NS_PER_S)
    return ClockRule(source.clock, delay_ns, _MEASURED_WITHIN_NS, is_delay_measured=True)
