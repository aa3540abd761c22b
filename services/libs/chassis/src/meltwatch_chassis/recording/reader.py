"""Records of a recording or a backup: each segment is checked before it is used."""

import errno
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TypeVar

from meltwatch_schemas.record import RawRecord
from pydantic import BaseModel, ValidationError

from meltwatch_chassis.errors import BrokenRecording
from meltwatch_chassis.recording.manifest import (
    BACKUP_NAME,
    FILE_NAME,
    BackupManifest,
    Manifest,
    Part,
    Segment,
)
from meltwatch_chassis.recording.segment_codec import unpack_records

_MAX_MANIFEST_BYTES: Final = 256 * 1024 * 1024
_Form = TypeVar("_Form", bound=BaseModel)


def read_manifest(folder: Path) -> Manifest:
    """Return what a recording says of itself.

    Raises
    ------
    BrokenRecording
        If there is no manifest, or none that we can read.
    """
    return _manifest(folder, FILE_NAME, Manifest, "recording")


def read_backup_manifest(folder: Path) -> BackupManifest:
    """Return what a backup says of itself.

    Raises
    ------
    BrokenRecording
        If there is no manifest, or none that we can read.
    """
    return _manifest(folder, BACKUP_NAME, BackupManifest, "backup")


def _manifest(folder: Path, name: str, form: type[_Form], kind: str) -> _Form:
    path = folder / name
    try:
        text = _read(path, _MAX_MANIFEST_BYTES)
    except OSError as error:
        raise BrokenRecording(
            f"{folder}: expected a finished {kind}, which has a {name}: {error.strerror}"
        ) from error
    try:
        return form.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"])
        raise BrokenRecording(f"{path}: {where}: {first['msg']}") from error


def segment_records(
    folder: Path, manifest: Manifest | BackupManifest, part: Part, segment: Segment
) -> Iterator[RawRecord]:
    """Yield the records of one segment of a part, by offset.

    Raises
    ------
    BrokenRecording
        If the file is not what the manifest says of it.
    """
    data = _checked(folder, segment)
    topic = part.topic.under(manifest.topic_prefix)
    try:
        yield from unpack_records(data, topic, part.partition)
    except BrokenRecording as error:
        raise BrokenRecording(f"{folder / segment.file}: {error}") from error


def within(folder: Path, name: str) -> Path:
    """Return the path of a file of a recording.

    Raises
    ------
    BrokenRecording
        If a link leads out of the folder.
    """
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise BrokenRecording(f"{path}: expected a file of the folder, got a link out of it")
    return path


def _checked(folder: Path, segment: Segment) -> bytes:
    path = within(folder, segment.file)
    try:
        data = _read(path, segment.bytes)
    except OSError as error:
        raise BrokenRecording(f"{path}: expected a segment: {error.strerror}") from error
    if len(data) != segment.bytes:
        raise BrokenRecording(f"{path}: expected {segment.bytes} bytes, got {len(data)}")
    if (found := hashlib.sha256(data).hexdigest()) != segment.sha256:
        raise BrokenRecording(f"{path}: expected SHA-256 {segment.sha256}, got {found}")
    return data


def _read(path: Path, at_most: int) -> bytes:
    """Return a file's bytes, one more than allowed at most."""
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is no file")
    with path.open("rb") as file:
        return file.read(at_most + 1)
