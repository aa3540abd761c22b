"""Whatever is written into the topics of a run: the screen counts it and goes on."""

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st
from meltwatch_chassis.testing import ManualClock
from meltwatch_local_cluster.domain.observed_run import ObservedRun
from meltwatch_local_cluster.screen.observer import Observer
from meltwatch_local_cluster.screen.presenters import draw
from meltwatch_schemas.record import RawRecord

from tests.support.hostile_alarms import foreign_records, hostile_scores
from tests.support.run_snapshots import ORIGIN_NS, at, heartbeat, snapshot
from tests.support.timed_records import FURNACE, alarm_record

TOPICS = ("scores", "alarms", "heartbeats", "late", "dead-letters")
some_bytes = st.none() | st.binary(max_size=40)


def followed(records: list[RawRecord]) -> Observer:
    """Let an observer take in records, and then the last word of a healthy manager."""

    class Follower:
        problem = None

        def poll(self, _ms: int) -> list[RawRecord]:
            return records

    run = ObservedRun([FURNACE], ORIGIN_NS)
    observer = Observer(Follower(), run, lambda: None, ManualClock())  # type: ignore[arg-type]  # what it needs of one
    observer.look(0)
    run.add_heartbeat(heartbeat(30))
    draw(snapshot(run, 31), 80, 24)
    return observer


def corpus() -> Iterator[RawRecord]:
    true = alarm_record(raised_s=10).to_json()
    for hostile in (*hostile_scores(FURNACE, at(10)), *foreign_records(FURNACE, true, at(10))):
        yield hostile.raw("meltwatch")
    for topic in TOPICS:
        for key in (None, b"", b"\xff"):
            for value in (
                None,
                b"",
                b"\xff",
                b"[" * 10_000,
                b'{"at": "9999-12-31T23:59:59-12:00"}',
            ):
                headers = (("schema", None), ("dlq.error", b"\xff\x1b"))
                yield RawRecord(f"meltwatch.{topic}.v1", 0, 0, 2**62, key, value, headers)


def test_the_whole_corpus_is_counted_and_the_screen_goes_on() -> None:
    observer = followed(list(corpus()))

    assert observer.unreadable > 50
    assert observer.run.heartbeat == heartbeat(30)
    assert set(observer.run.dead_letters) == {"unknown"}


@given(
    topic=st.sampled_from(TOPICS),
    time_ms=st.integers(-1, 2**63 - 1),
    key=some_bytes,
    value=some_bytes,
    header=st.tuples(st.sampled_from(["schema", "dlq.error"]), some_bytes),
)
def test_any_bytes_are_counted_at_most(topic, time_ms, key, value, header) -> None:
    followed([RawRecord(f"a.{topic}.v1", 0, 0, time_ms, key, value, (header,))])
