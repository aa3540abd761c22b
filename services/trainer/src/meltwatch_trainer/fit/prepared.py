"""From folders of recordings and a file of labels to recordings that can be learned from."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from meltwatch_chassis.errors import ConfigurationError
from meltwatch_chassis.label_file import read_labels
from meltwatch_chassis.recording.manifest import FILE_NAME
from meltwatch_chassis.whole_file import write_whole
from meltwatch_fmf_benchmark import Repair
from meltwatch_schemas.encoder import default_encoder
from meltwatch_schemas.labels import Label
from meltwatch_schemas.window import PUBLISHED_SPEC

from meltwatch_trainer.data.process_pool import in_processes
from meltwatch_trainer.data.recorded.benchmark import names_in, write_recording
from meltwatch_trainer.data.recorded.kept import partitions_of, write_partition
from meltwatch_trainer.data.recorded.labels import labelled, masked
from meltwatch_trainer.data.recorded.runs import LabelledRecording
from meltwatch_trainer.data.recorded.store import RecordedFurnace, open_furnace
from meltwatch_trainer.errors import LabelError, NoBenchmarkError, RecordingError

LABELS: Final = "labels"
"""The repair of labels that do not fit; the others are ``Repair``'s."""
_DONE: Final = "furnaces.json"

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class RecordingPart:
    """A part of a folder that is read by itself.

    Attributes
    ----------
    part
        A partition of a recording of ``meltwatch record``, or a recording of the benchmark.
    repairs
        What of the benchmark's files may be repaired.
    content
        What tells whether it has changed.
    """

    folder: Path
    part: int | str
    repairs: tuple[Repair, ...]
    content: str

    @property
    def key(self) -> str:
        """Names the folder of its windows."""
        made_from = (
            *(self.part, self.repairs, self.content),
            *(PUBLISHED_SPEC.spec_id, default_encoder().encoder_id),
        )
        return hashlib.sha256(repr(made_from).encode()).hexdigest()[:16]

    def write(self, root: Path) -> None:
        """Write its windows, unless they are there."""
        folder = root / self.key
        if (folder / _DONE).exists():
            return
        if isinstance(self.part, int):
            written = write_partition(self.folder, self.part, folder)
        else:
            written = write_recording(self.folder, self.part, frozenset(self.repairs), folder)
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / _DONE, json.dumps([path.name for path in written]))

    def furnaces(self, root: Path) -> list[RecordedFurnace]:
        """Return its furnaces, whose windows were written."""
        folder = root / self.key
        return [open_furnace(folder / name) for name in json.loads((folder / _DONE).read_text())]


def sources_of(folders: Sequence[Path], repairs: Sequence[str]) -> list[RecordingPart]:
    """Return the parts of all folders.

    Raises
    ------
    RecordingError
        If a folder is neither a recording of ``meltwatch record`` nor the benchmark's.
    """
    resolved = [folder.resolve() for folder in folders]
    for number, folder in enumerate(resolved):
        if folder in resolved[:number]:
            raise RecordingError(f"--recordings: expected each folder once, got {folder} twice")
    wanted = tuple(repair for repair in Repair if repair.value in repairs)
    return [source for folder in resolved for source in _sources_in(folder, wanted)]


def _sources_in(folder: Path, repairs: tuple[Repair, ...]) -> list[RecordingPart]:
    if not folder.is_dir():
        raise RecordingError(f"{folder}: expected a folder with a recording, got none")
    manifest = folder / FILE_NAME
    if manifest.exists():
        partitions = partitions_of(folder)
        content = hashlib.sha256(manifest.read_bytes()).hexdigest()
        return [RecordingPart(folder, partition, (), content) for partition in partitions]
    try:
        names = names_in(folder, frozenset(repairs))
    except NoBenchmarkError as error:
        raise RecordingError(
            f"{folder}: expected a recording of 'meltwatch record' ({FILE_NAME}) or of the "
            f"FMF-Benchmark (videos/, currents/ and timestamps/, or *.mat files), got neither"
        ) from error
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    stats = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    content = hashlib.sha256(repr(stats).encode()).hexdigest()
    return [RecordingPart(folder, name, repairs, content) for name in names]


def read_recordings(
    sources: Sequence[RecordingPart], root: Path, workers: int, progress: Progress
) -> list[RecordedFurnace]:
    """Return the furnaces of all sources; those that were read before are not read again.

    Raises
    ------
    RecordingError
        If a file is not of its form.
    """
    write = partial(_write, root=root)
    for done, _ in enumerate(in_processes(write, sources, workers), start=1):
        progress(done, len(sources))
    return [furnace for source in sources for furnace in source.furnaces(root)]


def _write(source: RecordingPart, root: Path) -> None:
    source.write(root)


def with_labels(
    furnaces: Sequence[RecordedFurnace], labels: Path | None, repairs: Sequence[str]
) -> list[LabelledRecording]:
    """Return recordings with what is known of them; those without a whole run are left out.

    Raises
    ------
    LabelError
        If the file is none, is missing, or a label does not fit.
    """
    if labels is None and not all(furnace.has_masks for furnace in furnaces):
        name = next(furnace.name for furnace in furnaces if not furnace.has_masks)
        raise LabelError(f"--labels: expected a file, as {name} has no masks of its own, got none")
    told = labelled(furnaces, [] if labels is None else _read(labels), repair=LABELS in repairs)
    found = []
    for furnace, said in zip(furnaces, told, strict=True):
        time = masked(furnace, PUBLISHED_SPEC.hop_ns) if furnace.has_masks else said
        found.append(LabelledRecording(furnace, time, time.of_windows(furnace.ends_ns)))
    return found


def _read(path: Path) -> Sequence[Label]:
    try:
        return read_labels(path)
    except ConfigurationError as error:
        raise LabelError(str(error)) from error
