"""What live sources give is numbered and goes straight on; their states are watched."""

import threading
from dataclasses import replace

from meltwatch_chassis.metrics import Metrics
from meltwatch_chassis.testing import ManualClock
from meltwatch_producers.publication import unsent
from meltwatch_producers.wires import CURRENT_WIRE
from meltwatch_schemas.chunk import Modality, Sync
from meltwatch_schemas.current import decode_current
from meltwatch_schemas.record import OutgoingRecord
from meltwatch_source_producer.live import LiveFeed, Outlet, SourcesHealth
from meltwatch_sources.domain.supervision import Loss
from meltwatch_sources.ports import SourceLost
from meltwatch_sources.supervisor import LiveSource, SourceName

from tests.support.builders import NOON_NS, current_chunk

S = 1_000_000_000


class Sink(list[OutgoingRecord]):
    def send(self, record: OutgoingRecord) -> None:
        self.append(record)

    def is_full(self) -> bool:
        return False

    def is_idle(self) -> bool:
        return True


class TwoLooks(threading.Event):
    """A stop event that is set at the second wait."""

    waits = 0

    def wait(self, timeout: float | None = None) -> bool:
        self.waits += 1
        return self.waits > 1


def live_source(clock: ManualClock) -> LiveSource:
    return LiveSource(SourceName("a/b/c", Modality.CURRENT, "m", "opc.tcp://h"), clock, Metrics())


def test_chunks_are_numbered_by_their_samples_and_sent_with_what_is_known_of_their_time() -> None:
    sink = Sink()
    feed = LiveFeed(
        unsent("a/b/c", "m", "b" * 16),
        Outlet(CURRENT_WIRE, "plant.currents.v1", sink, ManualClock(NOON_NS + 9 * S)),
    )
    for number, sync in enumerate((Sync("ntp", 7), Sync("free", 16), None)):
        chunk = current_chunk(NOON_NS + number * S, [[1, 2, 3]] * 2)
        identity = replace(feed.identity, sync=sync)
        feed.put(replace(chunk, identity=identity))

    sent = [decode_current(record.value or b"") for record in sink]
    assert [chunk.identity.seq for chunk in sent] == [0, 2, 4]
    assert [chunk.identity.sync for chunk in sent] == [Sync("ntp", 7), Sync("free", 16), None]
    assert {chunk.identity.ingest_time_ns for chunk in sent} == {NOON_NS + 9 * S}
    assert {record.key for record in sink} == {b"a/b/c"}


def test_a_source_that_is_away_is_a_warning_and_one_that_is_stuck_is_unhealthy() -> None:
    clock = ManualClock(NOON_NS)
    live = live_source(clock)
    health = SourcesHealth((live,), clock)
    assert "expected its first state" in (health.readiness() or "")
    live.opening()
    live.lost(SourceLost("no route", Loss.LOST))

    assert health.readiness() is None
    assert health.progress() is None
    assert "waiting for 0 s no route" in (health.warning() or "")
    clock.advance(31 * S)
    assert "expected a look at the sources by now" in (health.progress() or "")
    health.watch_sources(TwoLooks())
    assert "expected a step every 30 s" in (health.progress() or "")
    live.moved()
    assert health.progress() is None
    live.delivered()
    assert health.warning() is None
