"""``meltwatch backup`` and ``meltwatch restore``: what nothing else could fill again."""

import os
import re
import shutil
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Final

from cyclopts import Parameter
from cyclopts.validators import Number
from meltwatch_chassis.clock import Clock, SystemClock
from meltwatch_chassis.errors import BadUsage
from meltwatch_chassis.progress import progress
from meltwatch_chassis.recording.manifest import BACKUP_NAME, BackupManifest
from meltwatch_chassis.recording.reader import read_backup_manifest
from meltwatch_chassis.recording.writer import RecordingWriter, disk_errors
from meltwatch_schemas.access import Principal
from meltwatch_schemas.instants import rfc3339, utc_from_ns
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_S

from meltwatch_cli import bootstrap
from meltwatch_cli.adapters import archive
from meltwatch_cli.commands.output import DONE, AsJson, print_json, print_line, print_notice
from meltwatch_cli.domain.state_copy import STATE, schema_of
from meltwatch_cli.pipeline.copying import (
    SavedState,
    check_fits,
    check_segments,
    require_empty,
    restore_state,
    save_state,
)
from meltwatch_cli.settings import located

_PATIENCE_NS: Final = 15 * NS_PER_S
_PAUSE_S: Final = 0.5
_FOLDER: Final = "%Y-%m-%dT%H-%M-%SZ"
_A_BACKUP: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}-[0-9]{2}-[0-9]{2}Z")
_ABANDONED: Final = timedelta(days=1)
_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,31}")

Files = Annotated[
    list[str] | None,
    Parameter(
        "--files",
        metavar="NAME=FOLDER",
        help="A folder of files too, under a name: evidence=FOLDER, journal=FOLDER …",
    ),
]


def backup(
    *,
    to: Annotated[
        Path, Parameter(metavar="FOLDER", help="Each backup is a folder in it, named by its time.")
    ],
    files: Files = None,
    keep: Annotated[
        int | None,
        Parameter(validator=Number(gte=1), help="Remove the oldest, but so many, once it is done."),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Save the alarm list and all else in Kafka that nothing could fill again.

    These are alarms, alarm points, furnace states, commands, their results, receipts and
    portraits. It joins no group and writes nothing to Kafka. All services may go on.
    """
    folders, clock = _named(files), SystemClock()
    settings = located(os.environ, "kafka")
    taken_ns = clock.now_ns()
    folder = to / utc_from_ns(taken_ns).strftime(_FOLDER)
    with bootstrap.state(settings, Principal.BACKUP) as source:
        sink = RecordingWriter(folder)
        with progress("backup", "records") as advance:
            saved = save_state(source, sink, _patience(clock), advance)
        with progress("files", "bytes") as advance:
            archives = tuple(
                archive.pack(name, path, folder, advance) for name, path in folders.items()
            )
        manifest = BackupManifest(
            release=version("meltwatch-cli"),
            taken_at=utc_from_ns(taken_ns),
            topic_prefix=source.prefix,
            epoch=saved.epoch,
            schemas={topic: schema_of(topic) for topic in STATE},
            judged=saved.judged,
            parts=saved.parts,
            archives=archives,
        )
        sink.finish(manifest, BACKUP_NAME)
    _tell_saved(manifest, folder, saved, as_json=as_json)
    if keep is not None:
        _remove_old(to, keep, utc_from_ns(taken_ns))
    return DONE


def restore(
    folder: Annotated[
        Path, Parameter("FOLDER", allow_leading_hyphen=False, help="A folder of 'backup'.")
    ],
    /,
    *,
    files: Files = None,
    as_json: AsJson = False,
) -> int:
    """Write a backup into empty topics, all of it or nothing; before any service starts.

    Every file is checked first. If this is interrupted, nothing stands, and it can be run again.
    """
    folders, clock = _named(files), SystemClock()
    settings = located(os.environ, "kafka")
    manifest = read_backup_manifest(folder)
    check_fits(manifest, settings.topic_prefix, folder)
    archives = {each.name: each for each in manifest.archives}
    if unknown := sorted(folders.keys() - archives.keys()):
        held = ", ".join(archives) or "none"
        raise BadUsage(f"--files {unknown[0]}: expected a name of the backup, which has {held}")
    for name, path in folders.items():
        archive.require_room(name, path)
    records = sum(segment.records for part in manifest.parts for segment in part.segments)
    with progress("checking", "records", records) as advance:
        check_segments(folder, manifest, advance)
    with progress("checking", "bytes", sum(each.bytes for each in manifest.archives)) as advance:
        for each in manifest.archives:
            archive.check(folder, each, advance)
    with bootstrap.state(settings, Principal.RESTORE) as target:
        require_empty(target)
        for name, path in folders.items():
            with progress(f"restoring {name}", "bytes", archives[name].bytes) as advance:
                archive.unpack(folder, archives[name], path, advance)
        with progress("restoring", "records", records) as advance:
            epoch = restore_state(
                target, folder, manifest, clock.now_ns(), advance, _patience(clock)
            )
    _tell_restored(manifest, folder, epoch, as_json=as_json)
    for name in sorted(archives.keys() - folders.keys()):
        print_notice(f"{name} was not restored: add --files {name}=FOLDER, or unpack {name}.tar")
    return DONE


def _named(files: list[str] | None) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for text in files or ():
        name, equals, folder = text.partition("=")
        if not (equals and folder and _NAME.fullmatch(name)):
            raise BadUsage(f"--files: expected NAME=FOLDER with a name as a-z0-9-, got {text!r}")
        if name in found:
            raise BadUsage(f"--files {name}: expected each name once")
        found[name] = Path(folder)
    return found


def _patience(clock: Clock) -> Callable[[], bool]:
    """Return a function that waits a moment, and is False once all of that has been long."""
    waited_ns = 0

    def wait() -> bool:
        nonlocal waited_ns
        if waited_ns >= _PATIENCE_NS:
            return False
        began_ns = clock.monotonic_ns()
        time.sleep(_PAUSE_S)
        waited_ns += clock.monotonic_ns() - began_ns
        return True

    return wait


def _counts(manifest: BackupManifest) -> dict[str, int]:
    return {
        part.topic.value: sum(segment.records for segment in part.segments)
        for part in manifest.parts
    }


def _bytes(manifest: BackupManifest) -> int:
    segments = sum(segment.bytes for part in manifest.parts for segment in part.segments)
    return segments + sum(each.bytes for each in manifest.archives)


def _document(manifest: BackupManifest, folder: Path) -> dict[str, Any]:
    return {
        "folder": str(folder),
        "taken_at": rfc3339(manifest.taken_at),
        "records": _counts(manifest),
        "files": {each.name: each.files for each in manifest.archives},
        "bytes": _bytes(manifest),
    }


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} of {name}" for name, count in counts.items())


def _text(manifest: BackupManifest, folder: Path) -> str:
    files = _listed({each.name: each.files for each in manifest.archives})
    held = f"{_listed(_counts(manifest))}{f'; files: {files}' if files else ''}"
    return f"{held}; {_bytes(manifest) / 1e6:.1f} MB, in {folder}"


def _tell_saved(
    manifest: BackupManifest, folder: Path, saved: SavedState, *, as_json: bool
) -> None:
    if as_json:
        left_out: dict[Topic, int] = saved.left_out
        told = {topic.value: count for topic, count in left_out.items()}
        print_json(_document(manifest, folder) | {"left_out": told})
    else:
        print_line(f"saved {_text(manifest, folder)}")
    for topic, count in saved.left_out.items():
        noun = "record" if count == 1 else "records"
        print_notice(
            f"{topic}: {count} {noun} left out: unreadable, or of nobody who may write there"
        )


def _tell_restored(manifest: BackupManifest, folder: Path, epoch: int, *, as_json: bool) -> None:
    if as_json:
        print_json(_document(manifest, folder) | {"epoch": epoch})
    else:
        print_line(f"restored {_text(manifest, folder)}")


def _remove_old(parent: Path, keep: int, now: datetime) -> None:
    """Remove the oldest backups but some, and what killed runs have left a day ago."""
    with disk_errors(parent):
        found = sorted(
            path for path in parent.iterdir() if path.is_dir() and _A_BACKUP.fullmatch(path.name)
        )
        finished = [path for path in found if (path / BACKUP_NAME).is_file()]
        abandoned = [path for path in found if path not in finished and _is_old(path.name, now)]
        for path in (*finished[:-keep], *abandoned):
            shutil.rmtree(path)
            print_notice(f"removed {path}")


def _is_old(name: str, now: datetime) -> bool:
    try:
        taken = datetime.strptime(name, _FOLDER).replace(tzinfo=UTC)
    except ValueError:
        return False
    return now - taken > _ABANDONED
