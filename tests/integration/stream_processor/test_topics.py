"""Topics deleted and made again, partitions added, offsets moved: told, and gone on from."""

from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from functools import partial

import pytest
from kafka import KafkaAdminClient, KafkaConsumer
from kafka.errors import NoError, UnknownMemberIdError
from kafka.structs import OffsetAndMetadata, TopicPartition
from meltwatch_chassis.kafka.admin import create_topics
from meltwatch_local_cluster.servers import TritonServer
from meltwatch_schemas.score import WindowScore
from meltwatch_schemas.score_topics import GapCause
from meltwatch_schemas.topics import Topic, catalogue
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC

from tests.integration.stream_processor.worker import Tail, Worker, Works, scores_of
from tests.support.input_records import ORIGIN_NS, live
from tests.support.logs import entries
from tests.support.murmur2 import partition_of
from tests.support.servers import TEST_PARTITIONS
from tests.support.waiting import until

pytestmark = [pytest.mark.integration, pytest.mark.long]
INPUTS = (Topic.EMBEDDINGS, Topic.CURRENTS)
FURNACES = ("melt/a", "melt/b")
GROUP = "stream-processor"
LIMIT_S = 120.0


@pytest.fixture
def admin(works: Works) -> Iterable[KafkaAdminClient]:
    client = KafkaAdminClient(bootstrap_servers=works.kafka)
    yield client
    client.close()


class Sending:
    """What the furnaces send, stretch by stretch."""

    def __init__(self, works: Works) -> None:
        self._works = works
        self._sent_s = 0

    def more(self, seconds: int, furnaces: Iterable[str] = FURNACES) -> None:
        start_ns = ORIGIN_NS + self._sent_s * NS_PER_S
        self._works.send(live(furnaces, float(seconds), start_ns=start_ns))
        self._sent_s += seconds


def wait_for(worker: Worker, line: str) -> None:
    """Wait until the worker is not ready, for this reason."""
    until(lambda: line in worker.ask("readyz"), lambda: said(worker), LIMIT_S)


def wait_until_ready(worker: Worker) -> None:
    until(lambda: worker.ask("readyz") == "ok\n", lambda: said(worker), LIMIT_S)


def said(worker: Worker) -> str:
    return f"{worker.ask('readyz')}\n{worker.log.read_text()[-1800:]}"


def lines(worker: Worker, event: str) -> list[dict[str, object]]:
    return entries(worker.log, event)


def is_told(worker: Worker, names: list[str]) -> bool:
    told = [line["topic"] for line in lines(worker, "topic_replaced")]
    return told[-len(names) :] == names


def unaccounted(scores: Iterable[WindowScore]) -> list[int]:
    """Window ends that are missing between the first and the last of each furnace, or double."""
    found: list[int] = []
    ends: dict[str, list[int]] = {}
    for score in scores:
        ends.setdefault(score.furnace_id, []).append(score.window_end_ns)
    for each in ends.values():
        due = range(min(each), max(each) + 1, PUBLISHED_SPEC.hop_ns)
        found += [end for end in due if each.count(end) != 1]
    return found


def newest(works: Works, furnace_id: str) -> int:
    scores = scores_of(works.scores.read_all())
    return max((s.window_end_ns for s in scores if s.furnace_id == furnace_id), default=0)


def wait_for_windows(works: Works, worker: Worker, until_s: int) -> None:
    """Wait until each furnace has windows nearly up to an instant of event time."""
    wanted_ns = ORIGIN_NS + until_s * NS_PER_S - 3 * PUBLISHED_SPEC.hop_ns
    until(
        lambda: all(newest(works, name) > wanted_ns for name in FURNACES),
        lambda: said(worker),
        LIMIT_S,
    )


def test_topics_made_again_under_a_running_worker(
    works: Works, triton: TritonServer, admin: KafkaAdminClient
) -> None:
    specs = [
        replace(spec, config=spec.config | {"retention.ms": "-1"})
        for spec in catalogue(works.prefix, TEST_PARTITIONS)
    ]
    sending, sent_s = Sending(works), 0
    with works.worker(triton.address) as worker:
        worker.until_ready()
        for gone in (INPUTS, INPUTS[:1]):
            sending.more(20)
            sent_s += 20
            wait_for_windows(works, worker, sent_s)
            names = [topic.under(works.prefix) for topic in gone]
            admin.delete_topics(names)
            wait_for(worker, f"expected the topics {', '.join(names)}, they are missing")
            create_topics(
                {"bootstrap_servers": [works.kafka]}, [s for s in specs if s.topic in gone]
            )
            wait_until_ready(worker)
            assert worker.ask("healthz") == "ok\n"
            until(partial(is_told, worker, names), partial(said, worker), LIMIT_S)
        sending.more(20)
        wait_for_windows(works, worker, sent_s + 20)
        scores = works.settled(worker)
        assert worker.stop() == 0
    assert unaccounted(scores) == []
    causes = {gap.cause for score in scores for gap in score.gaps.values()}
    assert causes == {GapCause.REPLACED}


def test_partitions_added_under_a_running_worker_and_to_a_kept_assignment(
    works: Works, triton: TritonServer, admin: KafkaAdminClient
) -> None:
    """The second worker is a static member: it gets back what it had before they were added."""
    settings = {"group_instance_id": "one", "session_timeout_s": 60}
    partitioned = (*INPUTS, Topic.SCORES, Topic.LATE)

    def add(topics: Iterable[Topic], count: int) -> None:
        for topic in topics:
            admin.create_partitions({topic.under(works.prefix): count})

    def judges(worker: Worker, low: int, high: int) -> None:
        """A furnace of a new partition gets its windows."""
        names = (f"melt/new{number}" for number in range(1000))
        name = next(n for n in names if low <= partition_of(n.encode(), high) < high)
        with Tail(works.kafka, Topic.SCORES.under(works.prefix), high) as scores:
            works.send(live([name], 12.0))
            scores.until(lambda rs: any(r.key == name.encode() for r in rs), LIMIT_S)

    with works.worker(triton.address, **settings) as worker:
        worker.until_ready()
        add(partitioned[:1], 6)
        wait_for(worker, "expected equal numbers of partitions, got 6 of")
        add(partitioned[1:], 6)
        wait_until_ready(worker)
        judges(worker, 3, 6)
        assert worker.stop() == 0
    add(partitioned, 9)
    with works.worker(triton.address, **settings) as worker:
        until(lambda: lines(worker, "partitions_assigned"), lambda: said(worker), LIMIT_S)
        wait_until_ready(worker)
        until(
            lambda: lines(worker, "partitions_assigned")[-1]["partitions"] == list(range(9)),
            lambda: said(worker),
            LIMIT_S,
        )
        judges(worker, 6, 9)


def test_offsets_that_somebody_moves(
    works: Works, triton: TritonServer, admin: KafkaAdminClient
) -> None:
    group, sending = f"{works.prefix}.{GROUP}", Sending(works)
    parts = [TopicPartition(t.under(works.prefix), n) for t in INPUTS for n in range(3)]

    def move(offsets: dict[TopicPartition, int]) -> set[type[Exception]]:
        moved = {part: OffsetAndMetadata(offset, "", -1) for part, offset in offsets.items()}
        return set(admin.alter_group_offsets(group, moved).values())

    def ends() -> dict[TopicPartition, int]:
        with closing(KafkaConsumer(bootstrap_servers=works.kafka)) as consumer:
            return {part: end for part, end in consumer.end_offsets(parts).items() if end}

    with works.worker(triton.address) as worker:
        worker.until_ready()
        sending.more(20)
        wait_for_windows(works, worker, 20)
        assert move(ends()) == {UnknownMemberIdError}  # Kafka's own guard: the group is at work
        assert worker.stop() == 0
    scores = scores_of(works.scores.read_all())
    cuts: dict[TopicPartition, int] = {}
    for score in scores:  # of two windows scored at once the later one may be published first
        for topic, cut in score.inputs.items():
            part = TopicPartition(topic, cut.partition)
            cuts[part] = max(cuts.get(part, 0), cut.last_handed_on or 0)
    sending.more(30)
    latest = ends()
    # The broker hears of the leaving after the worker has left.
    until(lambda: move(latest) == {NoError}, "the group being empty")
    with works.worker(triton.address) as worker:
        worker.until_ready()
        sending.more(20)
        wait_for_windows(works, worker, 70)
        gaps = {
            TopicPartition(line["topic"], line["partition"]): line["lost"]
            for line in lines(worker, "history_gap_found")
        }
        assert worker.stop() == 0
    assert gaps == {part: latest[part] - cuts[part] - 1 for part in cuts}
    until(lambda: move(dict.fromkeys(latest, 0)) == {NoError}, "the group being empty")
    with works.worker(triton.address) as worker:
        worker.until_ready()
        sending.more(20)
        wait_for_windows(works, worker, 90)
        assert lines(worker, "history_gap_found") == []
        scores = works.settled(worker)
    assert unaccounted(scores) == []
    assert {gap.cause for score in scores for gap in score.gaps.values()} == {GapCause.MOVED}
