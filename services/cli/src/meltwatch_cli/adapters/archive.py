"""Folders of files as tar files: packed, checked and unpacked, a piece at a time."""

import hashlib
import io
import os
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Final

from meltwatch_chassis.errors import BadUsage, BrokenRecording
from meltwatch_chassis.recording.manifest import FolderArchive
from meltwatch_chassis.recording.reader import within
from meltwatch_chassis.recording.writer import disk_errors
from meltwatch_chassis.whole_file import DRAFT

_PIECE: Final = 1024 * 1024
_UNPACKING: Final = f"restoring{DRAFT}"
_OF_THE_DISK: Final = "lost+found"
Advance = Callable[[int], None]


class _Measured(io.RawIOBase):
    """A file that is written from its beginning to its end, and measured."""

    def __init__(self, file: IO[bytes], advance: Advance) -> None:
        self._file = file
        self._advance = advance
        self.digest = hashlib.sha256()
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]  # tarfile writes bytes alone
        self._file.write(data)
        self.digest.update(data)
        self.size += len(data)
        self._advance(len(data))
        return len(data)


def pack(name: str, folder: Path, into: Path, advance: Advance) -> FolderArchive:
    """Write the files of a folder into a tar file; return what the manifest says of it.

    Files that are not complete yet, links, pipes and devices are left out. A file that goes while
    this works has gone.

    Parameters
    ----------
    name
        What the folder is called.
    folder
        What to pack.
    into
        Folder of the backup.
    advance
        Told how many bytes have been written.

    Raises
    ------
    BadUsage
        If there is no such folder, or the disk does not take it.
    """
    if not folder.is_dir():
        raise BadUsage(f"--files {name}: expected a folder, got {folder}")
    path = into / f"{name}.tar"
    files = 0
    with disk_errors(into), path.open("xb") as file:
        measured = _Measured(file, advance)
        # The client writes whole blocks; nothing is read back.
        with tarfile.open(fileobj=measured, mode="w|", format=tarfile.PAX_FORMAT) as tar:
            for each in _within(folder):
                files += _add(tar, folder, each)
        file.flush()
        os.fsync(file.fileno())
    return FolderArchive(
        name=name, files=files, bytes=measured.size, sha256=measured.digest.hexdigest()
    )


def _within(folder: Path) -> Iterator[Path]:
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(n for n in folders if not n.endswith(DRAFT) and n != _OF_THE_DISK)
        yield from (Path(here) / n for n in folders)
        yield from (Path(here) / n for n in sorted(files) if not n.endswith(DRAFT))


def _add(tar: tarfile.TarFile, folder: Path, path: Path) -> bool:
    """Add a file or a folder; tell whether it is a file that was added."""
    name = path.relative_to(folder).as_posix()
    try:
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            return False
        if path.is_dir():
            tar.addfile(_anonymous(tar.gettarinfo(path, name)))
            return False
        with path.open("rb") as file:
            found = _anonymous(tar.gettarinfo(arcname=name, fileobj=file))
            tar.addfile(found, file)
            return True
    except FileNotFoundError:
        return False


def _anonymous(found: tarfile.TarInfo) -> tarfile.TarInfo:
    found.uid = found.gid = 0
    found.uname = found.gname = ""
    return found


def check(folder: Path, archive: FolderArchive, advance: Advance) -> None:
    """Read a tar file of a backup once.

    Raises
    ------
    BrokenRecording
        If it is missing, or not what the manifest says of it.
    """
    path = within(folder, archive.file)
    digest, size = hashlib.sha256(), 0
    try:
        if path.exists() and not path.is_file():
            raise BrokenRecording(f"{path}: expected a file, got something else")
        with path.open("rb") as file:
            while size <= archive.bytes and (piece := file.read(_PIECE)):
                digest.update(piece)
                size += len(piece)
                advance(len(piece))
    except OSError as error:
        raise BrokenRecording(f"{path}: expected an archive: {error.strerror}") from error
    if size != archive.bytes:
        raise BrokenRecording(f"{path}: expected {archive.bytes} bytes, got another number")
    if digest.hexdigest() != archive.sha256:
        raise BrokenRecording(
            f"{path}: expected SHA-256 {archive.sha256}, got {digest.hexdigest()}"
        )


def require_room(name: str, folder: Path) -> None:
    """Refuse a folder that holds anything but what an interrupted restore has left.

    Raises
    ------
    BadUsage
        If so.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise BadUsage(f"--files {name}: expected a folder, got {folder}")
    found = {path.name for path in folder.iterdir()} - {_OF_THE_DISK, _UNPACKING}
    if found:
        raise BadUsage(f"--files {name}: expected an empty folder, found {folder / min(found)}")


def unpack(folder: Path, archive: FolderArchive, into: Path, advance: Advance) -> None:
    """Write the files of a tar file, which was checked, into a folder; at first into a draft of it.

    Raises
    ------
    BrokenRecording
        If it holds anything but files and folders below its own.
    BadUsage
        If the disk does not take it.
    """
    draft = into / _UNPACKING
    with disk_errors(into):
        into.mkdir(parents=True, exist_ok=True)
        _remove(draft)
        draft.mkdir()
        try:
            with tarfile.open(within(folder, archive.file), "r|") as tar:
                _unpack(tar, draft, advance)
        except tarfile.TarError as error:
            raise BrokenRecording(
                f"{folder / archive.file}: expected a tar file: {error}"
            ) from None
        for path in draft.iterdir():
            path.rename(into / path.name)
        draft.rmdir()


def _unpack(tar: tarfile.TarFile, draft: Path, advance: Advance) -> None:
    times: list[tuple[Path, float]] = []
    for member in tar:
        path = draft / _safe(tar, member)
        if member.isdir():
            path.mkdir(parents=True, exist_ok=True)
            times.append((path, member.mtime))
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        content = tar.extractfile(member)
        with path.open("xb") as file:
            while content is not None and (piece := content.read(_PIECE)):
                file.write(piece)
                advance(len(piece))
        os.utime(path, (member.mtime, member.mtime))
    # Files that come later change the times of their folders.
    for path, time_s in reversed(times):
        os.utime(path, (time_s, time_s))


def _safe(tar: tarfile.TarFile, member: tarfile.TarInfo) -> PurePosixPath:
    name = PurePosixPath(member.name)
    is_plain = member.isdir() or (member.isreg() and not member.issparse())
    if not is_plain or name.is_absolute() or ".." in name.parts or "\0" in member.name:
        raise BrokenRecording(
            f"{tar.name!r}: expected files and folders below its own, got {member.name[:200]!r}"
        )
    return name


def _remove(draft: Path) -> None:
    """Remove what an interrupted restore has left."""
    for here, folders, files in os.walk(draft, topdown=False):
        for name in files:
            (Path(here) / name).unlink()
        for name in folders:
            path = Path(here) / name
            path.unlink() if path.is_symlink() else path.rmdir()
    if draft.exists():
        draft.rmdir()
