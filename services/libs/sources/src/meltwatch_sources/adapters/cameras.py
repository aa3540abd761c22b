"""Which adapter opens a camera, by the scheme of its address."""

from pathlib import Path

from meltwatch_chassis.clock import Clock

from meltwatch_sources.adapters.file import FileCamera
from meltwatch_sources.adapters.rtsp import RtspCamera
from meltwatch_sources.credentials import Credentials, CredentialStore
from meltwatch_sources.plant import VideoSource
from meltwatch_sources.ports import Camera


def camera_of(source: VideoSource, folder: Path, store: CredentialStore, clock: Clock) -> Camera:
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
