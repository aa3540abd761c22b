"""What live sources gave waits for its turn, bounded and numbered."""

from dataclasses import replace

from meltwatch_chassis.metrics import Metrics
from meltwatch_chassis.testing import ManualClock
from meltwatch_producers.live import LiveFeed, Supply
from meltwatch_producers.publication import unsent
from meltwatch_schemas.chunk import Modality, Sync
from meltwatch_schemas.current import CurrentChunk
from meltwatch_sources.domain.supervision import Loss
from meltwatch_sources.ports import SourceLost
from meltwatch_sources.supervisor import LiveSource, SourceName

from tests.support.builders import NOON_NS, current_chunk

S = 1_000_000_000


def live_source(clock: ManualClock) -> LiveSource:
    return LiveSource(SourceName("a/b/c", Modality.CURRENT, "m", "opc.tcp://h"), clock, Metrics())


def feed(dropped: list[int]) -> LiveFeed[CurrentChunk]:
    return LiveFeed(
        unsent("a/b/c", "m", "b" * 16), live_source(ManualClock(NOON_NS)), dropped.append
    )


def test_chunks_are_numbered_by_their_samples_when_they_are_sent() -> None:
    live: LiveFeed[CurrentChunk] = feed([])
    for number in range(3):
        live.put(current_chunk(NOON_NS + number * S, [[1, 2, 3]] * 2))
    sent = [*live.due(0, 0), *live.due(0, 0)]
    live.put(current_chunk(NOON_NS + 3 * S, [[1, 2, 3]]))
    sent += live.due(0, 0)

    assert [chunk.identity.seq for chunk in sent] == [0, 2, 4, 6]
    assert {chunk.identity.furnace_id for chunk in sent} == {"a/b/c"}


def test_how_good_a_time_is_stays_with_its_chunk() -> None:
    live: LiveFeed[CurrentChunk] = feed([])
    chunk = current_chunk(NOON_NS, [[1, 2, 3]])
    live.put(replace(chunk, identity=replace(chunk.identity, sync=Sync("ntp", 7))))
    live.put(replace(chunk, identity=replace(chunk.identity, sync=Sync("free", 16))))

    assert [sent.identity.sync for sent in live.due(0, 0)] == [Sync("ntp", 7), Sync("free", 16)]


def test_without_room_the_oldest_go_and_are_counted() -> None:
    dropped: list[int] = []
    live = feed(dropped)
    for number in range(1200):
        live.put(current_chunk(NOON_NS + number * S, [[1, 2, 3]]))

    sent = live.due(0, 0)
    assert sum(dropped) == 200
    assert [chunk.last_event_ns for chunk in sent] == [NOON_NS + n * S for n in range(200, 1200)]


def test_a_source_that_is_away_is_a_warning_and_one_that_is_stuck_is_unhealthy() -> None:
    clock = ManualClock(NOON_NS)
    live = live_source(clock)
    supply: Supply[CurrentChunk] = Supply("plant", (), (live,))
    assert "expected its first state" in (supply.readiness() or "")
    live.opening()
    live.lost(SourceLost("no route", Loss.LOST))

    assert supply.readiness() is None
    assert supply.progress() is None
    assert "waiting for 0 s no route" in (supply.warning() or "")
    clock.advance(31 * S)
    assert "expected a step every 30 s" in (supply.progress() or "")
    live.moved()
    assert supply.progress() is None
    live.delivered()
    assert supply.warning() is None
