"""Portraits on a real Kafka: what scores say of them, through kills and foreign records."""

from contextlib import closing

import pytest
from kafka import KafkaProducer
from meltwatch_core.portraits import is_judged
from meltwatch_local_cluster.servers import KafkaServer, TritonServer
from meltwatch_schemas.novelty import Novelty, novelty_message
from meltwatch_schemas.portrait import SCHEMA, Portrait, encode_portrait, portrait_id
from meltwatch_schemas.record import headers_for
from meltwatch_schemas.score import WindowScore
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_S

from tests.integration.stream_processor.worker import Tail, Works, scores_of
from tests.support.builders import portrait
from tests.support.input_records import ORIGIN_NS, live
from tests.support.servers import Topics
from tests.support.waiting import LIMIT_S, until

pytestmark = pytest.mark.integration

WITH, WITHOUT = ("works/melt/with", "works/melt/without")
SECONDS = 70
FOR_EVER = 1e9
"""Seconds: the records of these tests are of long ago."""


def put(
    kafka: KafkaServer, topics: Topics, furnace_id: str, value: bytes | Portrait | None
) -> bytes:
    """Write what stands for a furnace's portrait; return the bytes."""
    written = encode_portrait(value) if isinstance(value, Portrait) else value
    with closing(KafkaProducer(bootstrap_servers=kafka.address)) as producer:
        producer.send(
            topics.name(Topic.PORTRAITS),
            key=furnace_id.encode(),
            value=written,
            headers=list(headers_for(SCHEMA)),
        ).get(LIMIT_S)
    return written or b""


def told(scores: list[WindowScore], furnace_id: str) -> dict[int, Novelty | None]:
    return {each.window_end_ns: each.novelty for each in scores if each.furnace_id == furnace_id}


def test_killed_in_between_it_says_the_same_as_one_that_goes_on(
    works: Works, topics: Topics, kafka: KafkaServer, triton: TritonServer
) -> None:
    """One in shadow goes on while live is killed: both must say the same, bit by bit."""
    value = put(kafka, topics, WITH, portrait(furnace_id=WITH))
    shadow_topic, count = topics.name(Topic.SHADOW_SCORES), topics.partitions
    with (
        Tail(kafka.address, shadow_topic, count) as watched,
        works.worker(triton.address, shadow_ensemble="fmformer", shed_after_s=FOR_EVER) as shadow,
    ):
        shadow.until_ready()
        works.send(live([WITH, WITHOUT], SECONDS))
        for wanted in (15, 40, 60):
            with works.worker(triton.address) as worker:
                works.scores.until(lambda found, wanted=wanted: len(found) >= wanted)
                worker.kill()
        with works.worker(triton.address):
            scores = scores_of(works.scores.until(lambda found: len(found) >= 2 * 46))
        in_shadow = scores_of(watched.until(lambda found: len(found) >= 2 * 46))

    ours, theirs = told(scores, WITH), told(in_shadow, WITH)
    assert len(ours.keys() & theirs.keys()) >= 46
    for end_ns in ours.keys() & theirs.keys():
        one, other = ours[end_ns], theirs[end_ns]
        assert one is not None
        assert other is not None
        assert novelty_message(one) == novelty_message(other), end_ns
        assert one.portrait == portrait_id(value)
        if is_judged(WITH, end_ns):
            assert one.surprise is not None or end_ns < ORIGIN_NS + 60 * NS_PER_S
    assert {*told(scores, WITHOUT).values()} == {None}


def test_a_foreign_record_ends_nothing_and_a_new_portrait_counts(
    works: Works, topics: Topics, kafka: KafkaServer, triton: TritonServer
) -> None:
    put(kafka, topics, WITH, portrait(furnace_id=WITHOUT))
    put(kafka, topics, "\x1b[2J", b"\x00" * 200_000)
    with works.worker(triton.address) as worker:
        worker.until_ready()
        refused = 'meltwatch_portraits_refused_total{reason="contract_violation"} 1.0'
        until(lambda: refused in worker.ask("metrics"), worker.log.read_text)
        assert worker.events()["portrait_refused"] == 2
        value = put(kafka, topics, WITH, portrait(furnace_id=WITH))
        until(lambda: worker.events()["portrait_taken"] == 1, worker.log.read_text)
        works.send(live([WITH], 30))
        scores = scores_of(works.scores.until(lambda found: len(found) >= 18))
        put(kafka, topics, WITH, None)
        until(lambda: worker.events()["portrait_retired"] == 1, worker.log.read_text)
        works.send(live([WITH], 30, start_ns=ORIGIN_NS + 30 * NS_PER_S))
        later = scores_of(works.scores.until(lambda found: len(found) >= 38))

    assert {n and n.portrait for n in told(scores, WITH).values()} == {portrait_id(value)}
    retired_ns = ORIGIN_NS + 30 * NS_PER_S
    assert {n for end_ns, n in told(later, WITH).items() if end_ns > retired_ns} == {None}
    assert "\x1b" not in worker.log.read_text()


def test_topics_made_again_are_read_from_their_beginning(
    works: Works, topics: Topics, kafka: KafkaServer, triton: TritonServer
) -> None:
    from tests.integration.alarm_manager.bench import make_again  # noqa: PLC0415

    put(kafka, topics, WITH, portrait(furnace_id=WITH))
    with works.worker(triton.address) as worker:
        worker.until_ready()
        until(lambda: "meltwatch_portraits 1.0" in worker.ask("metrics"), worker.log.read_text)
        make_again(kafka.address, topics.prefix, [Topic.PORTRAITS])
        until(lambda: "meltwatch_portraits 0.0" in worker.ask("metrics"), worker.log.read_text)
        put(kafka, topics, WITHOUT, portrait(furnace_id=WITHOUT))
        until(lambda: "meltwatch_portraits 1.0" in worker.ask("metrics"), worker.log.read_text)
        works.send(live([WITH, WITHOUT], 30))
        scores = scores_of(works.scores.until(lambda found: len(found) >= 36))

    assert {*told(scores, WITH).values()} == {None}
    assert None not in told(scores, WITHOUT).values()
