"""A recording gives back what was put in, or one clear line."""

import json
from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_backtester.adapters.recording_history import open_recording
from meltwatch_backtester.commands.record import save
from meltwatch_backtester.domain.span import Span
from meltwatch_backtester.errors import BrokenRecording
from meltwatch_backtester.ports import OffsetRange, TopicPart
from meltwatch_chassis.errors import BadUsage
from meltwatch_chassis.recording.segment_codec import pack_record, unpack_records
from meltwatch_chassis.recording.writer import RecordingWriter
from meltwatch_schemas.record import RawRecord
from meltwatch_schemas.topics import Topic

from tests.support.examples import examples
from tests.support.history import HistoryInMemory

PART = TopicPart(Topic.EMBEDDINGS, 1)
NAME = "meltwatch.embeddings.v1"
SPAN = Span(1_000_000_000, 2_000_000_000)

some_bytes = st.none() | st.binary(max_size=40)
headers = st.lists(st.tuples(st.text(max_size=8), some_bytes), max_size=3).map(tuple)
contents = st.tuples(st.integers(1, 4), st.integers(-1, 2**62), some_bytes, some_bytes, headers)


@st.composite
def partitions(draw):
    """Draw records of a partition: gaps between offsets, times in any order."""
    drawn = draw(st.lists(contents, min_size=1, max_size=12))
    offsets = accumulate((content[0] for content in drawn), initial=draw(st.integers(0, 2**40)))
    return [
        RawRecord(NAME, 1, offset, *rest)
        for offset, (_, *rest) in zip(list(offsets)[1:], drawn, strict=True)
    ]


def saved(folder: Path, records: list[RawRecord], segment_bytes: int = 200) -> None:
    history = HistoryInMemory({PART: records})
    scope = {PART: history.bounds(PART)}
    sink = RecordingWriter(folder, segment_bytes)
    save(history, SPAN, scope, sink, lambda _: None, partial=False)


def three_records() -> list[RawRecord]:
    return [
        RawRecord(NAME, 1, offset, 1_000 + offset, b"f", bytes(100), (("schema", b"e/1.0"),))
        for offset in (7, 8, 10)
    ]


@given(records=partitions(), segment_bytes=st.integers(1, 400), data=st.data())
@examples(20)
def test_a_recording_gives_back_what_was_saved(tmp_path_factory, records, segment_bytes, data):
    folder = tmp_path_factory.mktemp("recording") / "new"
    saved(folder, records, segment_bytes)
    live, found = HistoryInMemory({PART: records}), open_recording(folder)

    assert found.bounds(PART) == live.bounds(PART)
    start, end = sorted(data.draw(st.tuples(*[st.integers(*live.bounds(PART))] * 2)))
    assert list(found.read(PART, start, end)) == list(live.read(PART, start, end))
    time_ns = data.draw(st.sampled_from(records)).timestamp_ms * 1_000_000
    assert found.start_at(PART, time_ns) == live.start_at(PART, time_ns)
    assert found.start_at(PART, 2**63 * 1_000_000) == live.bounds(PART).end


@given(records=partitions())
@examples(10)
def test_the_same_records_give_the_same_bytes(tmp_path_factory, records):
    folders = [tmp_path_factory.mktemp("recording") / "new" for _ in range(2)]
    for folder in folders:
        saved(folder, records)

    first, second = ({p.relative_to(f): p.read_bytes() for p in f.rglob("*.*")} for f in folders)
    assert first == second


@given(records=partitions())
@examples(15)
def test_bytes_cut_off_anywhere_are_refused_or_end_behind_a_record(records):
    packed = [pack_record(record) for record in records]
    whole, ends = b"".join(packed), set(accumulate(map(len, packed), initial=0))
    for size in range(len(whole)):
        if size in ends:
            continue
        with pytest.raises(BrokenRecording):
            list(unpack_records(whole[:size], NAME, 1))


def test_a_segment_cut_off_at_any_byte_is_refused(tmp_path):
    saved(tmp_path, three_records(), segment_bytes=1000)
    path = next(tmp_path.rglob("*.segment"))
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(BrokenRecording, match=f"expected {len(whole)} bytes, got {size}"):
            list(open_recording(tmp_path).read(PART, 0, 100))


def test_a_manifest_cut_off_at_any_byte_is_refused(tmp_path):
    saved(tmp_path, three_records())
    path = tmp_path / "manifest.json"
    whole = path.read_bytes().rstrip()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(BrokenRecording):
            open_recording(tmp_path)


def test_a_changed_byte_is_refused(tmp_path):
    saved(tmp_path, three_records(), segment_bytes=1000)
    path = next(tmp_path.rglob("*.segment"))
    data = bytearray(path.read_bytes())
    data[50] ^= 1
    path.write_bytes(data)

    with pytest.raises(BrokenRecording, match=r"00007\.segment: expected SHA-256 .*, got "):
        list(open_recording(tmp_path).read(PART, 0, 100))


def test_a_segment_that_is_missing_is_named(tmp_path):
    saved(tmp_path, three_records())
    next(tmp_path.rglob("*.segment")).unlink()

    with pytest.raises(BrokenRecording, match="expected a segment: No such file"):
        list(open_recording(tmp_path).read(PART, 0, 100))


def changed_manifest(folder: Path, change) -> None:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda m: m.update(format=2), "format: Input should be 1"),
        (lambda m: m.pop("to"), "to: Field required"),
        (lambda m: m["parts"][0]["segments"].reverse(), "expected segments by offset"),
        (lambda m: m["parts"][0].update(end=9), "expected segments by offset"),
        (
            lambda m: m["parts"][0]["segments"][0].update(file="../../etc/passwd"),
            "file: String should match",
        ),
        (lambda m: m["parts"][0]["segments"][0].update(bytes=2**40), "bytes: Input should be less"),
    ],
)
def test_a_manifest_that_says_anything_else_is_refused(tmp_path, change, expected):
    saved(tmp_path, three_records())
    changed_manifest(tmp_path, change)

    with pytest.raises(BrokenRecording, match=expected) as refusal:
        open_recording(tmp_path)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "data",
    [
        b"\x93\x01\x02\x03",
        b"\x95\x01\x02\xa1k\xc0\x90",
        b"\x95\xc3\x02\xc0\xc0\x90",
        b"\x95\x01\x02\xc0\xc0\x91\x91\x01",
        b"\x80",
        b"\xc1",
        b"\xdd\xff\xff\xff\xff",
        b"\xd4\x01\x00",
        b"\x00",
    ],
    ids=lambda data: data.hex(),
)
def test_what_is_no_record_is_refused(data):
    with pytest.raises(BrokenRecording):
        list(unpack_records(data, NAME, 1))


def test_a_folder_without_manifest_is_no_recording(tmp_path):
    RecordingWriter(tmp_path).write(PART, OffsetRange(7, 11), three_records())

    with pytest.raises(BrokenRecording, match=r"expected a finished recording, .*manifest\.json"):
        open_recording(tmp_path)


def test_a_folder_that_holds_something_is_not_written_to(tmp_path):
    (tmp_path / "mine.txt").touch()

    with pytest.raises(BadUsage, match=r"expected an empty folder .*mine\.txt"):
        RecordingWriter(tmp_path)


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(BadUsage, match="expected a folder that can be written"):
        RecordingWriter(tmp_path / "file" / "folder")


def test_progress_ends_at_the_number_of_offsets(tmp_path):
    records = three_records()
    steps: list[int] = []
    history = HistoryInMemory({PART: records}, {PART: OffsetRange(5, 20)})
    scope = {PART: OffsetRange(5, 20)}
    save(history, SPAN, scope, RecordingWriter(tmp_path), steps.append, partial=False)

    assert sum(steps) == 15
