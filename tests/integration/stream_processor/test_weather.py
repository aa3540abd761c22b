"""The join in bad weather, on a real broker: backlogs, slow cameras, wrong clocks, strangers.

Eight furnaces share one partition, so each is also the neighbour of all others.
"""

import time
from collections import Counter
from dataclasses import dataclass, replace
from functools import partial

import pytest
from kafka.consumer.fetcher import ConsumerRecord
from meltwatch_local_cluster.servers import TritonServer
from meltwatch_schemas.record import header
from meltwatch_schemas.score import Modality, WindowScore
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_MS, NS_PER_S, PUBLISHED_SPEC

from tests.integration.stream_processor.test_delivery import resting_on
from tests.integration.stream_processor.weather import Source, Weather, names
from tests.integration.stream_processor.worker import Tail, Works, gaps
from tests.support.input_records import PERIOD_NS, frame_record, sample_record
from tests.support.servers import Topics

pytestmark = [pytest.mark.integration, pytest.mark.long]

VIDEO, CURRENT = Modality.VIDEO, Modality.CURRENT
LASTS_S, BACKLOG_S, DIES_S, BACK_S, RIGHT_S = 45, 600, 12, 10, 25
LOOK_BACK_S = 130
PLAIN, METER_FIRST, CAMERA_FIRST, DEAD, SIX, FORTY, BACK, STRANGER = names(8, 3)
JOINED = (PLAIN, METER_FIRST, CAMERA_FIRST, SIX, FORTY)


@dataclass(frozen=True)
class Seen:
    """What a worker made of it.

    Attributes
    ----------
    began_ns
        When it all began.
    weather
        What was sent.
    scores
        By furnace.
    late, letters
        Keys of the late copies; furnace and reason of the dead letters.
    metrics
        As scraped at the end.
    """

    began_ns: int
    weather: Weather
    scores: dict[str, list[WindowScore]]
    late: list[str]
    letters: list[tuple[str, str | None]]
    metrics: str

    def end_s(self, score: WindowScore) -> float:
        """When a window ended, counted from the beginning."""
        return (score.window_end_ns - self.began_ns) / NS_PER_S

    def closed_after_s(self, score: WindowScore) -> float:
        """How long after its end the record was sent that closed a window, at most."""
        return (score.times.last_ingest_ns - score.window_end_ns) / NS_PER_S


def weather_at(began_ns: int) -> Weather:
    """What the eight send from an instant on."""
    weather = Weather()
    end_ns = began_ns + LASTS_S * NS_PER_S

    def at(seconds: float) -> int:
        return began_ns + round(seconds * NS_PER_S)

    def late_by(seconds: float, event_ns: int) -> int:
        return max(event_ns + round(seconds * NS_PER_S), began_ns)

    def clock(event_ns: int) -> int:
        is_back = at(BACK_S) <= event_ns < at(RIGHT_S)
        return event_ns - 3600 * NS_PER_S if is_back else event_ns

    live = partial(late_by, 0)
    for name in (DEAD, BACK):
        weather.add(Source(name, CURRENT, at(-LOOK_BACK_S), end_ns, live))
    for name in (PLAIN, SIX, FORTY):
        weather.add(Source(name, CURRENT, at(-60), end_ns, live))
    weather.add(
        Source(PLAIN, VIDEO, at(-10), end_ns, live),
        Source(DEAD, VIDEO, at(-10), at(DIES_S), live),
        Source(SIX, VIDEO, at(-60), end_ns - 6 * NS_PER_S, partial(late_by, 6)),
        Source(FORTY, VIDEO, at(-60), end_ns - 40 * NS_PER_S, partial(late_by, 40)),
        Source(BACK, VIDEO, at(-10), end_ns, live, clock),
    )
    for name, first, second in ((METER_FIRST, CURRENT, VIDEO), (CAMERA_FIRST, VIDEO, CURRENT)):
        weather.add(
            Source(name, first, at(-BACKLOG_S), began_ns, lambda _: at(2)),
            Source(name, second, at(-BACKLOG_S), began_ns, lambda _: at(5)),
        )
    for seconds in (3, 20):
        ahead_ns = at(seconds) + 3600 * NS_PER_S
        stranger = frame_record(STRANGER, ahead_ns, seq=seconds, sent_ns=ahead_ns)
        stamped = replace(stranger, timestamp_ms=at(seconds) // NS_PER_MS)
        weather.due.append((at(seconds), stamped))
    return weather


class LiveMeter:
    """A meter that goes on sending, a record a second."""

    def __init__(self, works: Works, furnace_id: str, from_ns: int) -> None:
        self._works, self._furnace_id, self._next_ns = works, furnace_id, from_ns

    def send_due(self) -> None:
        """Send what is due by now."""
        due = []
        while self._next_ns + NS_PER_S <= time.time_ns():
            seq = self._next_ns // PERIOD_NS
            due.append(sample_record(self._furnace_id, self._next_ns, seq=seq))
            self._next_ns += NS_PER_S
        if due:
            self._works.send(due)


def watch(works: Works, topics: Topics, triton: TritonServer) -> Seen:
    """Let it blow over a worker, and look at what is left."""
    with (
        works.worker(triton.address) as worker,
        Tail(works.kafka, topics.name(Topic.LATE), topics.partitions) as late,
        Tail(works.kafka, topics.name(Topic.DEAD_LETTERS), 1) as letters,
    ):
        worker.until_ready()
        began_ns = time.time_ns() + NS_PER_S
        weather = weather_at(began_ns)
        weather.blow(works.kafka, works.prefix)
        # The last ones close when the slower modality has come so far.
        expected = {name: len(weather.undisturbed(name)) - 5 for name in JOINED}
        long_ns = (LOOK_BACK_S + LASTS_S - 5) * NS_PER_S
        expected |= dict.fromkeys((DEAD, BACK), long_ns // PUBLISHED_SPEC.hop_ns - 2)
        print(f"expected at least {expected}")
        meter = LiveMeter(works, DEAD, began_ns + LASTS_S * NS_PER_S)

        def has_all(found: list[ConsumerRecord]) -> bool:
            # A worker with a backlog hands on in a moment what came in half a minute. By its clock
            # the dead camera is not idle then, until its meter is heard for five seconds more.
            meter.send_due()
            return _has(found, expected)

        works.scores.until(has_all)
        metrics = worker.ask("metrics")
        scores: dict[str, list[WindowScore]] = {}
        for score in works.settled(worker):
            scores.setdefault(score.furnace_id, []).append(score)
        return Seen(
            began_ns=began_ns,
            weather=weather,
            scores=scores,
            late=[(record.key or b"").decode() for record in late.read_all()],
            letters=[
                ((record.key or b"").decode(), header(record.headers, "dlq.error"))
                for record in letters.read_all()
            ],
            metrics=metrics,
        )


def test_every_furnace_is_judged_as_if_it_were_alone_and_the_weather_fair(
    works: Works, topics: Topics, triton: TritonServer
) -> None:
    seen = watch(works, topics, triton)

    for scores in seen.scores.values():
        assert gaps(scores, PUBLISHED_SPEC.hop_ns) == []
    for name in JOINED:
        undisturbed = seen.weather.undisturbed(name)
        # Whoever stops is waited for no more, after 5 s: then one more window may close.
        last_ns = max(window.window_end_ns for window in undisturbed.values())
        before = [score for score in seen.scores[name] if score.window_end_ns <= last_ns]
        found = {score.window_id: resting_on(score) for score in before}
        expected = {window_id: resting_on(w) for window_id, w in undisturbed.items()}
        assert found == {window_id: expected[window_id] for window_id in found}, name
    assert set(seen.late) <= {BACK}
    assert set(seen.letters) == {(STRANGER, "future_event_time")}
    assert len(seen.letters) == 2
    _is_left_out(seen)
    _goes_on_by_its_meter(seen)
    for name, behind_s in ((SIX, 6), (FORTY, 40)):
        label = f'modality_behind_seconds{{furnace="{name}",modality="video"}} '
        (shown,) = [line for line in seen.metrics.splitlines() if label in line]
        assert behind_s - 3 < float(shown.split()[-1]) < behind_s + 3


def _has(records: list[ConsumerRecord], expected: dict[str, int]) -> bool:
    found = Counter((record.key or b"").decode() for record in records)
    return all(found[name] >= count for name, count in expected.items())


def _is_left_out(seen: Seen) -> None:
    """A camera that dies is waited for once; how long, tells the reader's clock in other tests."""
    after = [score for score in seen.scores[DEAD] if seen.end_s(score) > DIES_S]
    assert max(seen.end_s(score) for score in after) > LASTS_S - 5
    assert {score.modalities for score in after[8:]} == {(CURRENT,)}
    waited_s = [round(seen.closed_after_s(score), 1) for score in after]
    print(f"closed so long after their end, in seconds: {waited_s}")


def _goes_on_by_its_meter(seen: Seen) -> None:
    """A camera whose clock goes back an hour is named; it is heard again when it is right."""
    scores = seen.scores[BACK]
    meanwhile = [score for score in scores if BACK_S + 8 < seen.end_s(score) < RIGHT_S]
    assert len(meanwhile) >= 4
    assert {score.modalities for score in meanwhile} == {(CURRENT,)}
    # Not in all on a busy machine: a window says what is known when it closes.
    assert any("clock_step_video" in score.reasons for score in meanwhile)
    again = [score for score in scores if seen.end_s(score) > RIGHT_S + 10]
    assert len(again) >= 4
    assert {score.modalities for score in again} == {(VIDEO, CURRENT)}
