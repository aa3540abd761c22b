"""Recordings of ``meltwatch record``: their records joined to windows as the product joins them."""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from heapq import merge
from pathlib import Path

from meltwatch_chassis.errors import BrokenRecording
from meltwatch_chassis.recording.manifest import Manifest
from meltwatch_chassis.recording.reader import read_manifest, segment_records
from meltwatch_core.join.entry import Entry, read
from meltwatch_core.join.event_time import EventTimeJoiner
from meltwatch_core.join.window import AlignedWindow
from meltwatch_schemas.encoder import default_encoder
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.instants import ns_from_utc
from meltwatch_schemas.score import Modality
from meltwatch_schemas.topics import Topic

from meltwatch_trainer.data.recorded.store import FurnaceWriter
from meltwatch_trainer.errors import RecordingError

_TOPICS = {Modality.VIDEO: Topic.EMBEDDINGS, Modality.CURRENT: Topic.CURRENTS}


def partitions_of(folder: Path) -> tuple[int, ...]:
    """Return the partitions that a recording holds.

    Raises
    ------
    RecordingError
        If it is none.
    """
    return _manifest(folder).recorded_partitions


def write_partition(folder: Path, partition: int, to: Path) -> list[Path]:
    """Write the whole windows of each furnace of one partition, each into a folder of its own.

    Windows stand where the product's stand, and hold what it would have scored: closed by event
    time, by the same join. Those with a modality missing teach nothing and are left out.

    Returns
    -------
    The folders, in the order of the furnaces' names.

    Raises
    ------
    RecordingError
        If the files are not what the manifest says, or no record is of our encoder.
    """
    manifest = _manifest(folder)
    encoder = default_encoder()
    joiner = EventTimeJoiner(partition, encoder)
    refused: Counter[str] = Counter()
    writers: dict[str, FurnaceWriter] = {}
    with ExitStack() as stack:
        for window in _windows(folder, manifest, partition, joiner, refused):
            name = window.furnace_id
            if name not in writers:
                target = to / f"{len(writers):04d}"
                writers[name] = stack.enter_context(FurnaceWriter(target))
            _write(writers[name], window)
        if not writers and refused:
            word, count = refused.most_common(1)[0]
            raise RecordingError(
                f"{folder}: partition {partition}: expected records that make windows, "
                f"got {count} that are refused: {word}"
            )
        for name, writer in writers.items():
            writer.finish(f"{folder.name}: {name}", name, has_masks=False)
    return [to / f"{number:04d}" for number, _ in sorted(enumerate(writers), key=lambda x: x[1])]


def _windows(
    folder: Path,
    manifest: Manifest,
    partition: int,
    joiner: EventTimeJoiner,
    refused: Counter[str],
) -> Iterator[AlignedWindow]:
    """Yield the whole windows that end within the recorded span."""
    begin_ns, end_ns = ns_from_utc(manifest.since), ns_from_utc(manifest.until)
    streams = (_entries(folder, manifest, partition, modality) for modality in Modality)
    try:
        for entry in merge(*streams, key=lambda entry: entry.last_event_ns or 0):
            if isinstance(entry.content, ContractViolation):
                refused[str(entry.content)] += 1
                continue
            outcome = joiner.admit(entry.content, entry.offset)
            if outcome.refusal is not None:
                refused[str(outcome.refusal)] += 1
            for window in outcome.windows:
                is_whole = window.embeddings is not None and window.currents_a is not None
                if is_whole and begin_ns <= window.window_end_ns < end_ns:
                    yield window
    except BrokenRecording as error:
        raise RecordingError(str(error)) from error


def _entries(
    folder: Path, manifest: Manifest, partition: int, modality: Modality
) -> Iterator[Entry]:
    for part in manifest.parts:
        if part.topic is _TOPICS[modality] and part.partition == partition:
            for segment in part.segments:
                for raw in segment_records(folder, manifest, part, segment):
                    yield read(raw, modality)


def _write(writer: FurnaceWriter, window: AlignedWindow) -> None:
    clip, currents = window.clip, window.currents_a
    if clip is None or currents is None:
        return
    fresh = writer.fresh(clip)
    newest = default_encoder().decode(clip[len(clip) - fresh :])
    writer.write_window(window.window_end_ns, clip, newest, currents)


def _manifest(folder: Path) -> Manifest:
    try:
        return read_manifest(folder)
    except BrokenRecording as error:
        raise RecordingError(str(error)) from error
