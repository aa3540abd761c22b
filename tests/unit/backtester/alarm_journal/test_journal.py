"""The journal: nothing twice, nothing lost, whatever ends a run; spoilt files and full disks."""

import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_backtester.adapters.journal_folder import JournalFolder
from meltwatch_backtester.domain import volume
from meltwatch_backtester.domain.volume import JOURNALLED, holes_of
from meltwatch_backtester.errors import BadUsage, BrokenJournal
from meltwatch_backtester.pipeline.journalling import Added, catch_up
from meltwatch_core.alarms.kpi.lines import Logged
from meltwatch_schemas.alarm_command import RESULT_SCHEMA
from meltwatch_schemas.alarm_point import POINT_SCHEMA
from meltwatch_schemas.topics import Topic

from tests.support.builders import alarm_point
from tests.support.examples import examples
from tests.unit.backtester.alarm_journal.topics import TopicInMemory
from tests.unit.backtester.test_full_disk import room_for
from tests.unit.core.alarms.kpi.story import DAY_S, Story, at_ns, name

A, B = name(1), name(2)
FAR = 100 * DAY_S


def run(kafka: TopicInMemory, folder: Path, topic: Topic = Topic.ALARMS) -> Added:
    """Do one run."""
    kept = JournalFolder(folder)
    with kept.writing():
        return catch_up(topic, kafka, kept, lambda _: None)


def kept_in(folder: Path, begin_s: float = -FAR, end_s: float = FAR) -> list[Logged]:
    """Read alarms back."""
    kept = JournalFolder(folder)
    return list(kept.alarms(kept.volumes(Topic.ALARMS), at_ns(begin_s), at_ns(end_s)))


def told(story: Story) -> TopicInMemory:
    """Return a topic that holds a story."""
    kafka = TopicInMemory()
    for record in story.records:
        kafka.tell(record)
    return kafka


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    story = Story().raises(A, 0).acks(A, 10).blinks(B, 20)
    kafka = told(story)
    kafka.put(B.encode(), None, 100)
    assert run(kafka, tmp_path).records == 5
    found = kept_in(tmp_path)
    assert [each.record for each in found] == [*story.records, None]
    assert [each.alarm_id for each in found] == [A, A, B, B, B]
    assert found[-1].written_ns == at_ns(100)


def test_a_run_adds_what_is_new_and_nothing_twice(tmp_path: Path) -> None:
    kafka = told(Story().raises(A, 0))
    run(kafka, tmp_path)
    assert run(kafka, tmp_path).records == 0
    more = Story().raises(A, 0).acks(A, 10)
    kafka.tell(more.records[1])
    assert run(kafka, tmp_path).records == 1
    assert [each.record for each in kept_in(tmp_path)] == more.records
    assert len(list((tmp_path / "alarms").iterdir())) == 1


def test_each_day_has_a_file_and_a_quiet_run_makes_none(tmp_path: Path) -> None:
    kafka = told(Story().blinks(A, 0).blinks(A, DAY_S).blinks(A, 2 * DAY_S))
    for _ in range(3):
        run(kafka, tmp_path)
    names = sorted(file.name for file in (tmp_path / "alarms").iterdir())
    assert names == [
        "000001-2026-03-01.parquet",
        "000002-2026-03-02.parquet",
        "000003-2026-03-03.parquet",
    ]


def test_an_empty_topic_is_noted_once(tmp_path: Path) -> None:
    kafka = TopicInMemory(now_ns=at_ns(0))
    for _ in range(2):
        run(kafka, tmp_path)
    kafka.tell(Story().raises(A, 60).records[0])
    run(kafka, tmp_path)
    assert len(list((tmp_path / "alarms").iterdir())) == 1
    assert len(kept_in(tmp_path)) == 1


class StopsAfter(JournalFolder):
    """Ends the process before a certain file is complete."""

    left: int

    def write(self, *arguments: Any, **others: Any) -> Path:
        if self.left == 0:
            raise KeyboardInterrupt
        self.left -= 1
        return super().write(*arguments, **others)


@given(
    st.lists(st.tuples(st.integers(0, 3 * DAY_S), st.integers(0, 3)), max_size=12),
    st.lists(st.integers(0, 12), min_size=1, max_size=4),
    st.lists(st.integers(0, 2), min_size=4, max_size=4),
    st.integers(1, 4),
)
@examples(8)
def test_interrupted_runs_lose_nothing_and_repeat_nothing(
    tmp_path_factory: pytest.TempPathFactory,
    times: list[tuple[int, int]],
    cuts: list[int],
    stops: list[int],
    most_rows: int,
) -> None:
    """Runs at any moment, of which any ends at any file, give the topic in the end."""
    folder, whole = tmp_path_factory.mktemp("journal"), TopicInMemory()
    for second, number in sorted(times):
        whole.tell(Story().raises(name(number), second).records[0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(volume, "MAX_ROWS", most_rows)
        for cut, stop in zip(sorted(cuts), stops, strict=False):
            part = TopicInMemory(records=whole.records[:cut], now_ns=at_ns(3 * DAY_S))
            part.end = part.records[-1].offset + 2 if part.records else 0
            stopped = StopsAfter(folder)
            stopped.left = stop
            with stopped.writing(), suppress(KeyboardInterrupt):
                catch_up(Topic.ALARMS, part, stopped, lambda _: None)
        whole.now_ns = at_ns(3 * DAY_S)
        run(whole, folder)
    found = [each.written_ns for each in kept_in(folder)]
    assert found == [each.timestamp_ms * 1_000_000 for each in whole.records]
    kept = JournalFolder(folder)
    assert list(holes_of(each.facts for each in kept.volumes(Topic.ALARMS))) == []


def test_before_a_stretch_only_the_newest_of_each_alarm_is_read(tmp_path: Path) -> None:
    story = Story().raises(A, 0).acks(A, 10).clears(A, 20).raises(B, 30).raises(A, 5000)
    run(told(story), tmp_path)
    found = [each.record for each in kept_in(tmp_path, begin_s=1000)]
    assert found == story.records[2:]
    assert [each.record for each in kept_in(tmp_path, -1, 15)] == story.records[:2]


def test_an_older_epoch_is_not_the_newest(tmp_path: Path) -> None:
    story = Story().raises(A, 0, epoch=2).acks(A, 10)
    stale = Story().raises(A, 20, seq=9).records[0]  # of a manager that no longer leads
    kafka = told(story)
    kafka.tell(stale)
    run(kafka, tmp_path)
    assert [each.record for each in kept_in(tmp_path, begin_s=1000)] == [story.records[1]]


def test_strangers_are_kept_but_not_read(tmp_path: Path) -> None:
    kafka = TopicInMemory()
    kafka.put(None, None, 0)
    kafka.put(b"\xff\xfe", b"{}", 1)
    kafka.put(A.encode(), b"\xff" * 10, 2)
    kafka.put(A.encode(), b"x" * 300_000, 3)
    kafka.put(A.encode(), Story().raises(B, 0).records[0].to_json(), 4)
    kafka.tell(Story().raises(A, 5, run_id="R1").records[0])
    kafka.tell(Story().raises(A, 6).records[0])
    assert run(kafka, tmp_path).records == 7
    assert [each.record and each.record.run_id for each in kept_in(tmp_path)] == [None]
    kept = JournalFolder(tmp_path)
    volumes = kept.volumes(Topic.ALARMS)
    assert kept.count_unreadable(volumes, at_ns(0), at_ns(10)) == 5


@pytest.mark.parametrize("timestamp_ms", [-1, 2**62])
def test_a_timestamp_that_is_none_ends_nothing(tmp_path: Path, timestamp_ms: int) -> None:
    kafka = told(Story().raises(A, 0))
    kafka.records.append(replace(kafka.records[0], offset=2, timestamp_ms=timestamp_ms))
    kafka.end = 4
    assert run(kafka, tmp_path).records == 2
    kafka.tell(Story().raises(B, 10).records[0])
    assert run(kafka, tmp_path).records == 1
    assert {each.alarm_id for each in kept_in(tmp_path)} == {A, B}


def test_denied_commands_and_unapproved_changes_are_counted(tmp_path: Path) -> None:
    results = TopicInMemory()
    for second, code in enumerate(("ok", "not_permitted", "stale", "not_permitted")):
        answer = {
            "command_id": None,
            "alarm_id": A,
            "result": "done" if code == "ok" else "refused",
            "code": code,
            "detail": "",
            "at": "2026-03-01T00:00:00Z",
        }
        results.put(A.encode(), json.dumps(answer).encode(), second, schema=RESULT_SCHEMA)
    points = TopicInMemory()
    change = {"by": "li", "why": "too many", "at": "2026-03-01T00:00:00Z"}
    named: list[dict[str, Any]] = [{}, {"approved_by": "chen"}, {"change": change}]
    for second, who in enumerate(named):
        point = alarm_point(A, **who)
        points.put(A.encode(), point.to_json(), second, schema=POINT_SCHEMA)
    points.put(A.encode(), None, 3, schema=POINT_SCHEMA)
    run(results, tmp_path, Topic.ALARM_RESULTS)
    run(points, tmp_path, Topic.ALARM_POINTS)
    kept = JournalFolder(tmp_path)
    span = (at_ns(0), at_ns(60))
    assert kept.count_refused(kept.volumes(Topic.ALARM_RESULTS), *span) == 2
    assert kept.count_unapproved(kept.volumes(Topic.ALARM_POINTS), *span) == 1
    assert kept.count_refused([], *span) == 0


def test_a_topic_that_was_made_again_is_another_life(tmp_path: Path) -> None:
    run(told(Story().raises(A, 0)), tmp_path)
    again = told(Story().raises(B, 100))
    again.topic_id = "second"
    added = run(again, tmp_path)
    assert added.records == 1
    assert added.hole is not None
    assert "made again" in str(added.hole)
    assert [(each.alarm_id, each.life) for each in kept_in(tmp_path)] == [(A, 0), (B, 1)]


def test_what_kafka_deleted_before_a_run_is_told(tmp_path: Path) -> None:
    kafka = told(Story().raises(A, 0).acks(A, 10).clears(A, 20))
    first = TopicInMemory(records=kafka.records[:1], end=2, now_ns=at_ns(1))
    run(first, tmp_path)
    kafka.start, kafka.records = 4, kafka.records[2:]
    added = run(kafka, tmp_path)
    assert "2 offsets were deleted" in str(added.hole)
    kept = JournalFolder(tmp_path)
    assert list(holes_of(each.facts for each in kept.volumes(Topic.ALARMS))) == [added.hole]


def test_a_week_without_a_run_is_told(tmp_path: Path) -> None:
    kafka = told(Story().raises(A, 0))
    run(kafka, tmp_path)
    kafka.now_ns = at_ns(10 * DAY_S)
    assert "2026-03-01 00:00 UTC to 2026-03-04 00:00 UTC" in str(run(kafka, tmp_path).hole)
    kafka.now_ns = at_ns(16 * DAY_S)
    assert run(kafka, tmp_path).hole is None


def test_a_broker_that_lost_its_end_is_read_on(tmp_path: Path) -> None:
    story = Story().raises(A, 0).acks(A, 10)
    kafka = told(story)
    run(kafka, tmp_path)
    kafka.records, kafka.end = kafka.records[:1], 2
    run(kafka, tmp_path)
    kafka.tell(Story().raises(B, 50).records[0])
    run(kafka, tmp_path)
    assert [each.alarm_id for each in kept_in(tmp_path)] == [A, A, B]


@pytest.mark.parametrize("content", [b"", b"PAR1 junk PAR1", None])
def test_a_spoilt_file_is_named(tmp_path: Path, content: bytes | None) -> None:
    """Cut off, replaced, or with a hole in the middle of its rows."""
    run(told(Story().blinks(A, 0)), tmp_path)
    (file,) = (tmp_path / "alarms").iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[:4] + b"\0" * 200 + whole[204:] if content is None else content)
    with pytest.raises(BrokenJournal, match=r"000001-2026-03-01\.parquet: expected a volume"):
        kept_in(tmp_path)
    with pytest.raises(BrokenJournal, match=r"000001-2026-03-01\.parquet: expected a volume"):
        run(told(Story().blinks(A, 0)), tmp_path)
    file.unlink()
    assert run(told(Story().blinks(A, 0)), tmp_path).records == 2


def test_a_full_disk_is_one_line_and_harms_nothing(tmp_path: Path) -> None:
    kafka = told(Story().raises(A, 0))
    run(kafka, tmp_path)
    kafka.tell(Story().raises(B, 10).records[0])
    with room_for(300), pytest.raises(BadUsage, match="cannot be written"):
        run(kafka, tmp_path)
    assert [file.name for file in (tmp_path / "alarms").iterdir()] == ["000001-2026-03-01.parquet"]
    assert len(kept_in(tmp_path)) == 1
    assert run(kafka, tmp_path).records == 1


def test_two_do_not_write_at_once(tmp_path: Path) -> None:
    with JournalFolder(tmp_path).writing(), pytest.raises(BadUsage, match="another run does"):
        run(TopicInMemory(), tmp_path)


@pytest.mark.parametrize("folder", ["a*b", "a[1]?", "it's", "ein Ordner", "鞍山"])
def test_a_folder_may_have_any_name(tmp_path: Path, folder: str) -> None:
    for other in ("aXb", "a1X"):
        run(told(Story().raises(B, 0)), tmp_path / other)
    kafka = told(Story().raises(A, 0))
    run(kafka, tmp_path / folder)
    kafka.tell(Story().raises(A, 7, seq=9).records[0])
    run(kafka, tmp_path / folder)
    assert {each.alarm_id for each in kept_in(tmp_path / folder)} == {A}


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadUsage, match="cannot be written"):
        run(TopicInMemory(), tmp_path / "file")


def test_a_folder_that_is_none_holds_nothing(tmp_path: Path) -> None:
    for topic in JOURNALLED:
        assert JournalFolder(tmp_path / "none").volumes(topic) == []
