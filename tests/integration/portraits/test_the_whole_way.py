"""A portrait from hours of operation to an alarm. The furnace is simulated, all else is real."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from meltwatch_local_cluster.servers import KafkaServer, TritonServer
from meltwatch_schemas import current, embedding
from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.current import CurrentChunk, encode_current
from meltwatch_schemas.embedding import EmbeddingChunk, encode_embedding
from meltwatch_schemas.encoder import default_encoder
from meltwatch_schemas.instants import ns_from_utc
from meltwatch_schemas.record import headers_for
from meltwatch_schemas.score import WindowScore
from meltwatch_schemas.topics import Topic, timestamp_ms
from meltwatch_schemas.window import NS_PER_MS, NS_PER_S, PUBLISHED_SPEC
from meltwatch_simulator import Fault, Scenario
from meltwatch_simulator.unseen import UnseenEvent, UnseenFurnace

from tests.integration.alarm_manager.bench import ManagerProcess
from tests.integration.stream_processor.worker import Tail, Works, scores_of
from tests.support.input_records import InputRecord, identity
from tests.support.servers import Topics
from tests.support.waiting import until

pytestmark = [pytest.mark.integration, pytest.mark.long]

Command = Callable[..., tuple[int, str, str]]
FURNACE = "plant/hall/FMF-01"
HOURS_S, LATER_S = int(4.4 * 3600), 20 * 60
BLOCK_S = 2
LONG_S = 900.0
PLANT = f"""
furnaces:
  - id: {FURNACE}
    name: Furnace 1
    alarm_points:
      - alarm_class: overheat
      - alarm_class: novelty
        setpoint: {{novelty_on: 3.0, novelty_off: 2.5}}
        setpoint_basis: chosen for this test
"""


class NoFaults:
    """A schedule of normal operation."""

    def between(self, furnace_id: str, start_ns: int, end_ns: int) -> tuple[Fault, ...]:
        return ()


def furnace(begin_ns: int, events: tuple[UnseenEvent, ...] = ()) -> UnseenFurnace:
    scenario = Scenario(5, (FURNACE,), begin_ns, None, NoFaults())
    return UnseenFurnace(scenario.furnace(FURNACE), events)


def seen(source: UnseenFurnace, begin_ns: int, from_s: int, until_s: int) -> Iterator[InputRecord]:
    """What a camera and a meter send of some seconds, 2 s a record."""
    encoder, spec = default_encoder(), PUBLISHED_SPEC
    stride, period = spec.frame_stride_ns, spec.sample_period_ns
    for second in range(from_s, until_s, BLOCK_S):
        start_ns = begin_ns + second * NS_PER_S
        end_ns = start_ns + BLOCK_S * NS_PER_S
        times = np.arange(-(-start_ns // stride) * stride, end_ns, stride, dtype=np.int64)
        who = identity(FURNACE, "camera", int(times[0] // stride), int(times[-1]) + 50 * NS_PER_MS)
        frames = EmbeddingChunk(
            who, times, encoder.encoder_id, encoder.encode(source.frames(times))
        )
        yield InputRecord(
            Topic.EMBEDDINGS, FURNACE.encode(), encode_embedding(frames),
            tuple(headers_for(embedding.SCHEMA)), timestamp_ms(int(times[-1])),
        )  # fmt: skip
        times = np.arange(-(-start_ns // period) * period, end_ns, period, dtype=np.int64)
        who = identity(FURNACE, "meter", int(times[0] // period), int(times[-1]) + 50 * NS_PER_MS)
        samples = CurrentChunk(who, int(times[0]), period, source.currents(times))
        yield InputRecord(
            Topic.CURRENTS, FURNACE.encode(), encode_current(samples),
            tuple(headers_for(current.SCHEMA)), timestamp_ms(int(times[-1])),
        )  # fmt: skip


def raises(found: list) -> list[AlarmRecord]:
    """What was raised by the portrait, in order."""
    of_it = [each for each in found if each.value and each.key.endswith(b"/NOVELTY")]
    records = [AlarmRecord.from_json(each.value) for each in of_it]
    return [each for each in records if each.transition.cause == "RAISE"]


@pytest.fixture
def site(
    works: Works, topics: Topics, kafka: KafkaServer, monkeypatch: pytest.MonkeyPatch
) -> Works:
    """The topics, which the command finds by its environment."""
    monkeypatch.setenv("MELTWATCH_KAFKA", kafka.address)
    monkeypatch.setenv("MELTWATCH_TOPIC_PREFIX", topics.prefix)
    (works.folder / "plant.yaml").write_text(PLANT)
    return works


@contextmanager
def manager(site: Works) -> Iterator[None]:
    """An alarm manager for as long as the block lasts."""
    process = ManagerProcess(
        site.folder / "manager.log",
        kafka=site.kafka,
        topic_prefix=site.prefix,
        plant_file=str(site.folder / "plant.yaml"),
    ).start()
    try:
        yield
    finally:
        process.kill()


def scored_until(site: Works, end_ns: int) -> list[WindowScore]:
    """Wait until windows up to an instant are scored; return all scores."""

    def reached(found: list) -> bool:
        return bool(found) and scores_of(found[-1:])[0].window_end_ns > end_ns - 5 * NS_PER_S

    return scores_of(site.scores.until(reached, LONG_S))


def test_what_nobody_taught_is_found_by_a_portrait_made_of_the_hours_before(
    site: Works, triton: TritonServer, command: Command
) -> None:
    begin_ns = (time.time_ns() // NS_PER_S - 5 * 3600) * NS_PER_S
    later_ns = begin_ns + HOURS_S * NS_PER_S
    end_ns = later_ns + LATER_S * NS_PER_S
    leak, electrode = (
        UnseenEvent(kind, later_ns + at_s * NS_PER_S, later_ns + (at_s + 150) * NS_PER_S, 7)
        for kind, at_s in (("leak", 360), ("broken electrode", 780))
    )
    with (
        manager(site),
        site.worker(triton.address) as worker,
        Tail(site.kafka, Topic.ALARMS.under(site.prefix), 1) as alarms,
    ):
        site.send(seen(furnace(begin_ns), begin_ns, 0, HOURS_S))
        scored_until(site, later_ns)
        code, out, err = command(
            "portrait", "fit", "--furnace", FURNACE, "--from", "-6h", "--publish", "--json"
        )
        assert code == 0, err
        until(lambda: worker.events()["portrait_taken"] == 1, worker.log.read_text)
        happening = furnace(begin_ns, (leak, electrode))
        site.send(seen(happening, begin_ns, HOURS_S, HOURS_S + LATER_S))
        scores = scored_until(site, end_ns)
        alarms.until(lambda found: len(raises(found)) >= 2, LONG_S)

    told = [score.novelty for score in scores if score.window_end_ns > later_ns + 15 * NS_PER_S]
    assert {each and each.portrait for each in told} == {json.loads(out)["portrait"]}
    of_leak, of_electrode = raises(alarms.records)
    for record, event, place in (
        (of_leak, leak, "picture"),
        (of_electrode, electrode, "currents"),
    ):
        assert event.start_ns < ns_from_utc(record.condition_time) < event.end_ns, record
        assert place in record.message
        assert record.message.startswith("Unlike its own normal operation: ")
