import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from meltwatch_chassis.testing import ManualClock
from meltwatch_producers.pacing import Pace, SimulatedRun
from meltwatch_producers.publication import PacedPublication
from meltwatch_producers.wires import Wire
from meltwatch_schemas.current import SCHEMA, CurrentChunk, decode_current, encode_current
from meltwatch_schemas.record import OutgoingRecord
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import Grid

from tests.support.builders import NOON_NS, current_chunk

MS, S = 1_000_000, 1_000_000_000
BACKFILL_NS = 130 * S
TOPIC = "plant.currents.v1"
WIRE = Wire(Topic.CURRENTS, SCHEMA, encode_current, decode_current, BACKFILL_NS)


@dataclass
class Ticker:
    """A feed of one sample a second under a furnace's name."""

    furnace_id: str
    phase_ns: int = 0
    spans: list[tuple[int, int]] = field(default_factory=list)

    def due(self, after_ns: int, until_ns: int) -> Sequence[CurrentChunk]:
        self.spans.append((after_ns, until_ns))
        return [
            current_chunk(time_ns, [[1, 2, 3]], furnace_id=self.furnace_id)
            for time_ns in Grid(self.phase_ns, S).between(after_ns, until_ns)
        ]

    def next_due_ns(self, after_ns: int) -> int:
        return Grid(self.phase_ns, S).first_after(after_ns)


@dataclass(slots=True)
class RecordingPublisher:
    """A publisher that keeps what it is given, and has room for some records or for any number."""

    records: list[OutgoingRecord] = field(default_factory=list)
    room: int | None = None
    delivers: bool = True

    def send(self, record: OutgoingRecord) -> None:
        self.records.append(record)
        if self.room is not None:
            self.room -= 1

    def is_full(self) -> bool:
        return self.room is not None and self.room <= 0

    def is_idle(self) -> bool:
        return self.delivers


class Patience(threading.Event):
    """A stop event whose waits pass on a manual clock, and which is set when time is up."""

    def __init__(self, clock: ManualClock, seconds: float) -> None:
        super().__init__()
        self.clock, self.end_ns = clock, clock.time_ns + int(seconds * S)
        self.waits: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.waits.append(timeout)
        self.clock.advance(max(1, int(timeout * S)))
        if self.clock.time_ns >= self.end_ns:
            self.set()
        return self.is_set()


def publish(
    seconds: float,
    *feeds: Ticker,
    publisher: RecordingPublisher,
    speed: float = 1.0,
    duration_s: int | None = None,
) -> tuple[PacedPublication[CurrentChunk], Patience]:
    clock = ManualClock(NOON_NS)
    publication = PacedPublication(feeds, WIRE, TOPIC, publisher, clock)
    origin_ns = NOON_NS if speed == 1 else NOON_NS - 1000 * S
    end_ns = None if duration_s is None else origin_ns + duration_s * S
    stop = Patience(clock, seconds)
    publication.publish_due(SimulatedRun(origin_ns, end_ns, Pace(NOON_NS, origin_ns, speed)), stop)
    return publication, stop


def event_times(publisher: RecordingPublisher) -> list[int]:
    return [decode_current(record.value).last_event_ns for record in publisher.records]


def test_the_past_and_then_each_second_is_published_once_in_order() -> None:
    publisher = RecordingPublisher()
    feeds = [Ticker("a"), Ticker("b", phase_ns=300 * MS), Ticker("c", phase_ns=301 * MS)]
    publish(5.5, *feeds, publisher=publisher)

    times = event_times(publisher)
    assert times == sorted(times)
    assert len(times) == len(set(times)) == 3 * 130 + 5 + 6 + 6
    assert times[0] > NOON_NS - BACKFILL_NS


def test_spans_follow_each_other_without_gap_and_are_bounded() -> None:
    feed = Ticker("a")
    publish(5, feed, publisher=RecordingPublisher())

    assert all(
        before[1] == after[0] for before, after in zip(feed.spans, feed.spans[1:], strict=False)
    )
    assert max(until - after for after, until in feed.spans) <= 10 * S


def test_nothing_is_published_before_its_event_time() -> None:
    publisher = RecordingPublisher()
    publish(5, Ticker("a"), publisher=publisher)

    for record in publisher.records:
        chunk = decode_current(record.value)
        assert chunk.last_event_ns <= chunk.identity.ingest_time_ns


def test_a_live_record_is_sent_within_a_millisecond_of_its_time() -> None:
    publisher = RecordingPublisher()
    publish(5, Ticker("a", phase_ns=77), publisher=publisher)
    live = [decode_current(record.value) for record in publisher.records[130:]]

    assert live
    assert max(c.identity.ingest_time_ns - c.last_event_ns for c in live) < MS


def test_a_record_carries_key_headers_and_the_time_of_its_last_item() -> None:
    publisher = RecordingPublisher()
    publish(2, Ticker("site/F-1", phase_ns=123_456_789), publisher=publisher)
    record = publisher.records[-1]

    assert record.key == b"site/F-1"
    assert record.topic == TOPIC
    assert record.headers == (
        ("schema", b"current/1.0"),
        ("content-type", b"application/msgpack"),
    )
    assert record.timestamp_ms == decode_current(record.value).last_event_ns // MS


def test_while_the_publisher_is_full_nothing_more_is_sent_and_the_loop_lives() -> None:
    publisher = RecordingPublisher(room=7)
    publication, _ = publish(60, Ticker("a"), publisher=publisher)

    assert len(publisher.records) == 7
    assert publication.progress() is None


def test_what_waited_for_room_is_sent_when_there_is_some() -> None:
    publisher = RecordingPublisher(room=7)
    clock = ManualClock(NOON_NS)

    class Recovering(Patience):
        def wait(self, timeout: float | None = None) -> bool:
            if self.clock.time_ns > NOON_NS + 30 * S:
                publisher.room = None
            return super().wait(timeout)

    publication = PacedPublication([Ticker("a")], WIRE, TOPIC, publisher, clock)
    publication.publish_due(
        SimulatedRun(NOON_NS, None, Pace(NOON_NS, NOON_NS)), Recovering(clock, 40)
    )

    times = event_times(publisher)
    assert times == list(range(times[0], times[0] + len(times) * S, S))
    assert times[-1] >= NOON_NS + 39 * S


def test_a_source_that_has_ended_says_nothing_more_and_waits_to_be_stopped() -> None:
    publisher = RecordingPublisher()
    _, stop = publish(60, Ticker("a"), publisher=publisher, duration_s=20)

    assert event_times(publisher)[-1] == NOON_NS + 20 * S
    assert len(stop.waits) < 20 + 50


def test_a_source_whose_time_was_over_before_its_start_waits_without_a_word() -> None:
    publisher = RecordingPublisher()
    clock = ManualClock(NOON_NS)
    stop = Patience(clock, 60)
    over = SimulatedRun(NOON_NS - 1000 * S, NOON_NS - 500 * S, Pace(NOON_NS, NOON_NS))
    PacedPublication([Ticker("a")], WIRE, TOPIC, publisher, clock).publish_due(over, stop)

    assert publisher.records == []
    assert len(stop.waits) == 60


def test_ten_times_as_fast_sends_ten_records_a_second() -> None:
    publisher = RecordingPublisher()
    publish(10, Ticker("a"), publisher=publisher, speed=10)

    assert len(publisher.records) == pytest.approx(130 + 100, abs=2)


def test_it_is_ready_when_the_back_fill_is_delivered() -> None:
    ready, _ = publish(3, Ticker("a"), publisher=RecordingPublisher())
    waiting, _ = publish(3, Ticker("a"), publisher=RecordingPublisher(delivers=False))

    assert ready.readiness() is None
    assert waiting.readiness() == "expected the back-fill to be delivered by now"


def test_a_loop_that_stands_still_is_no_progress() -> None:
    clock = ManualClock(NOON_NS)
    publication = PacedPublication([Ticker("a")], WIRE, TOPIC, RecordingPublisher(), clock)
    clock.advance(30 * S)
    assert publication.progress() is None
    clock.advance(1)

    assert publication.progress() == "expected to go round every second, silent for 30 s"


def test_it_stops_in_the_middle_of_the_back_fill() -> None:
    publisher = RecordingPublisher(room=50)
    publish(1, Ticker("a"), publisher=publisher)

    assert len(publisher.records) == 50
