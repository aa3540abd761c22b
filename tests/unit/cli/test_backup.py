"""What a backup saves and a restore gives back, and how far the alarm manager is then."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_chassis.errors import BadUsage, BrokenRecording, DependencyUnreachable
from meltwatch_chassis.recording.manifest import BACKUP_NAME, BackupManifest
from meltwatch_chassis.recording.reader import read_backup_manifest
from meltwatch_chassis.recording.writer import RecordingWriter
from meltwatch_cli.domain.state_copy import STATE, epoch_after
from meltwatch_cli.pipeline.copying import (
    check_fits,
    check_segments,
    require_empty,
    restore_state,
    save_state,
)
from meltwatch_core.alarms.authorship import MAX_OWN_EPOCH
from meltwatch_core.alarms.manager.own_topics import OWN
from meltwatch_core.alarms.ports import Commit, Place
from meltwatch_schemas.errors import Refusal
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.unread import UnreadBatch
from meltwatch_schemas.window import NS_PER_S

from tests.support.examples import examples
from tests.support.state_topics import NOW_NS, PREFIX, StateInMemory, state_record, write_backup

ALARMS, COMMANDS = Place(Topic.ALARMS, 0), Place(Topic.ALARM_COMMANDS, 0)
UNREAD = UnreadBatch.of(b"torn", range(1, 2), Refusal.MALFORMED, "expected a batch")


def no_patience() -> bool:
    return False


def nothing(_: int) -> None:
    pass


def saved(state: StateInMemory, folder: Path) -> BackupManifest:
    manifest = write_backup(state, folder)
    assert read_backup_manifest(folder) == manifest
    return manifest


def contents(state: StateInMemory) -> dict[Topic, list[object]]:
    return {
        topic: [(r.key, r.value, r.headers, r.timestamp_ms) for r in records]
        for topic, records in state.topics.items()
        if records
    }


some_bytes = st.none() | st.binary(max_size=30)
some_topics = st.dictionaries(
    st.sampled_from(STATE),
    st.lists(st.tuples(st.integers(1, 3), some_bytes, some_bytes)),
    max_size=6,
)


@given(some_topics, st.integers(0, 40), st.integers(0, 3))
@examples(40)
def test_what_is_restored_is_what_was_saved_and_commands_are_judged_once(
    tmp_path_factory, drawn, judged, aborted
):
    state = StateInMemory()
    for topic, given_ in drawn.items():
        offset, state.topics[topic] = 0, []
        for gap, key, value in given_:
            offset += gap
            state.topics[topic].append(state_record(topic, offset, key=key, value=value))
    state.notes = [{COMMANDS: Commit(judged, judged, 3)}]
    folder = tmp_path_factory.mktemp("saved")
    manifest = saved(state, folder)
    target = StateInMemory(ends=dict.fromkeys(STATE, aborted))
    require_empty(target)
    epoch = restore_state(target, folder, manifest, NOW_NS, nothing, no_patience)
    assert contents(target) == contents(state)
    assert epoch >= NOW_NS // NS_PER_S
    (committed,) = target.notes
    assert {commit.epoch for commit in committed.values()} == {epoch}
    due = [
        r
        for r in target.topics.get(Topic.ALARM_COMMANDS, [])
        if r.offset >= committed[COMMANDS].position
    ]
    was_due = [r for r in state.topics.get(Topic.ALARM_COMMANDS, []) if r.offset >= judged]
    assert [r.value for r in due] == [r.value for r in was_due]
    for topic in set(OWN) & set(STATE):
        held = target.topics.get(topic, [])
        assert all(record.offset < committed[Place(topic, 0)].position for record in held)


def test_a_backup_of_before_there_were_portraits_is_restored(tmp_path):
    state = StateInMemory({topic: [state_record(topic, 0)] for topic in STATE})
    manifest = saved(state, tmp_path)
    held = tuple(part for part in manifest.parts if part.topic is not Topic.PORTRAITS)
    schemas = {name: kind for name, kind in manifest.schemas.items() if name != Topic.PORTRAITS}
    old = manifest.model_copy(update={"parts": held, "schemas": schemas})
    (tmp_path / BACKUP_NAME).write_text(old.model_dump_json())
    read = read_backup_manifest(tmp_path)
    check_fits(read, PREFIX, tmp_path)
    target = StateInMemory()
    restore_state(target, tmp_path, read, NOW_NS, nothing, no_patience)
    assert contents(target).keys() == set(STATE) - {Topic.PORTRAITS}


def test_what_fails_half_way_leaves_nothing_and_can_be_run_again(tmp_path):
    state = StateInMemory({topic: [state_record(topic, 4)] for topic in STATE})
    manifest = saved(state, tmp_path / "kept")
    target = StateInMemory()

    def fail(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restore_state(target, tmp_path / "kept", manifest, NOW_NS, fail, no_patience)
    assert contents(target) == {}
    require_empty(target)
    restore_state(target, tmp_path / "kept", manifest, NOW_NS, nothing, no_patience)
    assert contents(target) == contents(state)


class Forgetful(StateInMemory):
    """A broker whose retention takes each record the moment after it came."""

    def bounds(self, topic: Topic) -> tuple[int, int]:
        self.topics.pop(topic, None)
        return super().bounds(topic)


def test_what_is_older_than_its_topics_retention_may_go_as_soon_as_it_came(tmp_path):
    state = StateInMemory({topic: [state_record(topic, 4)] for topic in STATE})
    manifest = saved(state, tmp_path / "kept")
    target = Forgetful()
    epoch = restore_state(target, tmp_path / "kept", manifest, NOW_NS, nothing, no_patience)
    assert epoch > manifest.epoch
    assert {end for _, end in map(target.bounds, STATE)} == {2}


class Tardy(StateInMemory):
    """A broker that shows what was committed after so many looks."""

    looks = 3

    def bounds(self, topic: Topic) -> tuple[int, int]:
        first, end = super().bounds(topic)
        self.looks -= end > 0
        return first, end if self.looks < 0 else 0


def test_what_is_committed_is_waited_for_and_its_want_is_told(tmp_path):
    state = StateInMemory({topic: [state_record(topic, 4)] for topic in STATE})
    manifest = saved(state, tmp_path / "kept")
    waits = iter([True] * 3)
    restore_state(Tardy(), tmp_path / "kept", manifest, NOW_NS, nothing, lambda: next(waits))
    with pytest.raises(DependencyUnreachable, match=r"up to offset 0, got an end of 0; look"):
        restore_state(Tardy(), tmp_path / "kept", manifest, NOW_NS, nothing, no_patience)


@pytest.mark.parametrize("topic", STATE)
def test_a_topic_that_holds_anything_is_refused(topic):
    with pytest.raises(BadUsage, match=f"{topic}.v1: expected an empty topic, found .* offset 9"):
        require_empty(StateInMemory({topic: [state_record(topic, 9)]}))


def test_records_of_others_among_the_managers_are_left_out(tmp_path):
    records = [state_record(Topic.ALARMS, offset) for offset in range(6)]
    own = Commit(2, 2, 3, own=((3, 4),))
    state = StateInMemory({Topic.ALARMS: records}, [{ALARMS: own}])
    sink = RecordingWriter(tmp_path / "kept")
    found = save_state(state, sink, no_patience, nothing)
    assert found.left_out == {Topic.ALARMS: 2}
    assert found.parts[0].segments[0].records == 4


def test_a_record_whose_commit_comes_a_moment_later_is_the_managers(tmp_path):
    early, late = Commit(2, 2, 3), Commit(2, 2, 3, own=((2, 5),))
    records = [state_record(Topic.ALARMS, offset) for offset in range(6)]
    state = StateInMemory({Topic.ALARMS: records}, [{ALARMS: c} for c in (early, early, late)])
    waits = iter([True, True, False])
    found = save_state(state, RecordingWriter(tmp_path / "kept"), lambda: next(waits), nothing)
    assert found.left_out == {}


def test_patience_is_used_up_once_not_for_each_record(tmp_path):
    records = [state_record(Topic.ALARMS, offset) for offset in range(100)]
    state = StateInMemory({Topic.ALARMS: records}, [{ALARMS: Commit(0, 0, 3)}])
    asked: list[int] = []

    def wait() -> bool:
        asked.append(1)
        return len(asked) < 3

    found = save_state(state, RecordingWriter(tmp_path / "kept"), wait, nothing)
    assert found.left_out == {Topic.ALARMS: 100}


def test_a_batch_that_cannot_be_read_is_counted_and_not_saved(tmp_path):
    broken = replace(state_record(Topic.ALARM_COMMANDS, 1), value=UNREAD)
    state = StateInMemory({Topic.ALARM_COMMANDS: [state_record(Topic.ALARM_COMMANDS, 0), broken]})
    found = save_state(state, RecordingWriter(tmp_path / "kept"), no_patience, nothing)
    assert found.left_out == {Topic.ALARM_COMMANDS: 1}


def test_the_generation_is_that_of_the_records_where_offsets_have_expired(tmp_path):
    claims = [b'{"epoch":7}', b'{"epoch":12}', b'{"epoch":99999999999999999999}', b"{", None]
    records = [state_record(Topic.ALARMS, n, value=value) for n, value in enumerate(claims)]
    assert saved(StateInMemory({Topic.ALARMS: records}), tmp_path / "kept").epoch == 12


@given(st.integers(0, 2**53), st.integers(0, 2**40), st.integers(1, 10**6))
def test_a_generation_is_above_what_can_have_reigned_and_above_an_earlier_restore(
    epoch, now_s, later_s
):
    first = epoch_after(epoch, now_s * NS_PER_S)
    assert first < MAX_OWN_EPOCH
    assert first >= min(epoch + now_s, MAX_OWN_EPOCH - 1)
    assert epoch_after(epoch, (now_s + later_s) * NS_PER_S) >= first


# Hostile folders


def kept(tmp_path: Path) -> Path:
    folder = tmp_path / "kept"
    saved(StateInMemory({topic: [state_record(topic, 4)] for topic in STATE}), folder)
    return folder


def changed(folder: Path, change) -> Path:
    file = folder / BACKUP_NAME
    document = json.loads(file.read_text())
    change(document)
    file.write_text(json.dumps(document))
    return folder


def restored(folder: Path) -> None:
    manifest = read_backup_manifest(folder)
    check_fits(manifest, PREFIX, folder)
    check_segments(folder, manifest, nothing)


def in_first(name, value):
    def change(document):
        document["parts"][0]["segments"][0][name] = value

    return change


def at_top(name, value):
    return lambda document: document.__setitem__(name, value)


LIES = [
    (in_first("file", "../../etc/passwd"), "file: String should match pattern"),
    (in_first("file", "/etc/passwd"), "file: String should match pattern"),
    (in_first("file", f"alarms-00000/{9:020}.segment"), "expected a segment: No such"),
    (in_first("bytes", 2**40), "less than or equal to 16777216"),
    (in_first("bytes", 3), "expected 3 bytes, got 4"),
    (in_first("sha256", "0" * 64), "expected SHA-256 0000"),
    (at_top("format", 2), "format: Input should be 1"),
    (at_top("topic_prefix", "other"), "expected a backup of the topics of 'meltwatch', got"),
    (
        at_top("schemas", {"alarms": "alarm/2"}),
        "expected alarms of alarm/1, got alarm/2; restore it by release 0.2.0",
    ),
    (at_top("schemas", {}), "expected alarms of alarm/1, got None"),
    (at_top("epoch", 2**60), "epoch: Input should be less than"),
    (at_top("epoch", -1), "epoch: Input should be greater"),
    (lambda d: d["parts"].append(d["parts"][0]), "expected one part of each topic"),
    (lambda d: d["parts"][0].update(partition=1), "one part of each topic, partition 0"),
    (lambda d: d["parts"][0].update(topic="scores"), "that are backed up, got scores"),
    (
        at_top("archives", [{"name": "../x", "files": 1, "bytes": 1, "sha256": "0" * 64}]),
        "name: String should match pattern",
    ),
]


@pytest.mark.parametrize(("change", "words"), LIES)
def test_a_manifest_that_lies_is_refused_in_one_line(tmp_path, change, words):
    with pytest.raises((BrokenRecording, BadUsage)) as refused:
        restored(changed(kept(tmp_path), change))
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_changed_byte_and_a_missing_file_are_refused(tmp_path):
    folder = kept(tmp_path)
    segment = next(folder.glob("*/*.segment"))
    data = segment.read_bytes()
    segment.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(BrokenRecording, match="expected SHA-256"):
        restored(folder)
    segment.unlink()
    with pytest.raises(BrokenRecording, match="No such file"):
        restored(folder)
    (folder / BACKUP_NAME).unlink()
    with pytest.raises(BrokenRecording, match="expected a finished backup"):
        restored(folder)
