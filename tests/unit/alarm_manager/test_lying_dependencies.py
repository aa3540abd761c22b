"""Whatever Redis or Kafka answers, it is checked: a failure to be tried again, never another."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_alarm_manager.adapters import kafka_intake
from meltwatch_alarm_manager.adapters.kafka_feed import KafkaFeed
from meltwatch_alarm_manager.adapters.kafka_intake import KafkaIntake
from meltwatch_alarm_manager.adapters.redis_view import RedisView
from meltwatch_alarm_manager.ports import AlarmChange, FurnaceChange
from meltwatch_chassis.errors import ConfigurationError, TransientError
from meltwatch_chassis.kafka.async_admin import Part, partitions_of
from meltwatch_chassis.kafka.async_consumers import AsyncReader
from meltwatch_chassis.kafka.topic_watch import TopicWatch
from meltwatch_chassis.testing import ManualClock
from meltwatch_core.alarms.authorship import MAX_OWN_EPOCH
from meltwatch_core.alarms.caution import Suspect
from meltwatch_core.alarms.commit_note import commit_of, note_of
from meltwatch_core.alarms.manager.alarms import INPUTS
from meltwatch_core.alarms.ports import Commit
from redis.exceptions import NoScriptError, RedisError, ResponseError

from tests.support.examples import examples
from tests.unit.core.alarms.samples import PREFIX, score

END = 1_000
JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=9)
    | st.binary(max_size=9)
    | st.sampled_from([b"7", b"-7", b"1e3", b"\xd9\xa7", b"9" * 400, -1, 0, 1, 10**400]),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(max_size=3), part),
    max_leaves=4,
)
FAULTS = st.sampled_from(
    [
        ResponseError("WRONGTYPE Operation against a key"),
        ResponseError("OOM command not allowed"),
        NoScriptError("NOSCRIPT No matching script"),
        RedisError("odd"),
        KafkaError("odd"),
        ValueError("the client stumbles"),
        KeyError("cluster_enabled"),
        RecursionError(),
        OSError("gone"),
    ]
)
ANSWERS = JUNK | FAULTS


class Liar:
    """Answers every call with junk or a fault, whatever is asked."""

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any]) -> None:
        self._draw = draw

    def say(self, among: st.SearchStrategy[Any] = ANSWERS) -> Any:
        """Give an answer."""
        answer = self._draw(among)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def __getattr__(self, _name: str) -> Any:
        async def answer(*_args: object, **_named: object) -> Any:
            return self.say()

        return answer


class LyingRedis(Liar):
    """A Redis client."""

    def register_script(self, _script: str) -> Any:
        async def queue(**_named: object) -> None: ...

        return queue

    async def scan_iter(self, **_named: object) -> AsyncIterator[Any]:
        for name in self.say(st.lists(JUNK, max_size=2) | FAULTS):
            yield name

    @asynccontextmanager
    async def pipeline(self, **_named: object) -> AsyncIterator["LyingRedis"]:
        yield self

    async def execute(self) -> Any:
        return self.say(ANSWERS | st.lists(st.sampled_from([-1, 0, 1]), min_size=2, max_size=2))


class LyingConsumer(Liar):
    """A consumer of Kafka."""

    def assign(self, _partitions: object) -> None:
        self.say(st.none() | FAULTS)

    def seek(self, _partition: object, offset: object) -> None:
        assert isinstance(offset, int)
        assert offset >= 0

    def pause(self, *_partitions: object) -> None:
        self.say(st.none() | FAULTS)

    resume = pause

    async def end_offsets(self, partitions: list[TopicPartition]) -> Any:
        return self.say(ANSWERS | st.fixed_dictionaries(dict.fromkeys(partitions, JUNK)))

    beginning_offsets = end_offsets

    async def list_consumer_group_offsets(self, _group: str) -> Any:
        places = [TopicPartition(topic.under(PREFIX), 0) for topic in INPUTS]
        said = st.builds(OffsetAndMetadata, JUNK, JUNK)
        return self.say(ANSWERS | st.fixed_dictionaries(dict.fromkeys(places, said)))

    async def describe_topics(self, _topics: object) -> Any:
        part = JUNK | st.fixed_dictionaries({"partition": JUNK})
        topic = JUNK | st.fixed_dictionaries({"partitions": st.lists(part, max_size=2)})
        good = st.just([{"partitions": [{"partition": 0}]}])
        return self.say(ANSWERS | good | st.lists(topic, max_size=2))


async def outcome(call: Any, expected: type | tuple[type, ...]) -> None:
    """Make a call: it gives what it should, or the one failure that is tried again."""
    failure: Exception | None = None
    answer: object = None
    try:
        answer = await call
    except (TransientError, ConfigurationError) as error:
        failure = error
    if failure is None:
        assert isinstance(answer, expected), answer
    else:
        assert str(failure).isprintable()
        assert len(str(failure)) < 600
        assert isinstance(failure, TransientError) or "Redis Cluster" in str(failure)


@examples(60)
@given(st.data())
async def test_whatever_redis_says_the_view_answers_or_fails_to_be_tried_again(data) -> None:
    view = RedisView(LyingRedis(data.draw), PREFIX, ManualClock(1))
    changes = [
        AlarmChange("a/F1/OVERHEAT", None, b"", 3),
        FurnaceChange(score(1, 1.0), unregistered=False),
    ]
    await outcome(view.open(END), int)
    await outcome(view.is_present(), bool)
    await outcome(view.apply(changes), bool)


@examples(60)
@given(st.data())
async def test_whatever_kafka_says_reading_begins_or_fails_to_be_tried_again(data) -> None:
    liar = LyingConsumer(data.draw)
    await outcome(partitions_of_topic(liar), list)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kafka_intake, "administration", lambda _: opened(liar))
        reader: Any = AsyncReader(liar)
        intake = KafkaIntake(reader, {}, PREFIX, "group", INPUTS, TopicWatch({}))
        feed = KafkaFeed(reader, {}, PREFIX, TopicWatch({}))
        await outcome(intake.committed(), dict)
        places = {kafka_intake.Place(topic, 0): None for topic in INPUTS}
        await outcome(intake.read_from(places, dict.fromkeys(places, 1)), dict)
        await outcome(intake.ends(), dict)
        await outcome(feed.end(), int)
        await outcome(intake.poll(0.0), list)
        await outcome(intake.has_read(dict.fromkeys(places, 1)), bool)


async def partitions_of_topic(liar: Liar) -> list[Part]:
    async with opened(liar) as admin:
        return await partitions_of(admin, "t")


@asynccontextmanager
async def opened(liar: Any) -> AsyncIterator[Any]:
    with kafka_intake.kafka_failures("asking the broker"):
        yield liar


@given(JUNK, JUNK | st.builds(lambda n: f'{{"position": {n!r}, "epoch": 3}}', JUNK))
def test_whatever_was_committed_is_a_commit_or_none(offset, text) -> None:
    commit = commit_of(offset, text)
    if commit is not None:
        assert 0 <= commit.offset <= commit.position < 2**63
        assert 0 <= commit.epoch <= MAX_OWN_EPOCH


RANGES = st.lists(st.tuples(st.integers(0, 2**62), st.integers(0, 2**62)), max_size=64)
OFFSETS = st.integers(0, 2**62)
COMMITS = st.builds(
    Commit,
    st.integers(0, 2**40),
    st.integers(2**40, 2**62),
    st.integers(0, MAX_OWN_EPOCH),
    st.none()
    | st.builds(lambda at, times: Suspect(at, at, times), OFFSETS, st.integers(1, 9))
    | st.builds(lambda at, more: Suspect(at, at + more, 1), OFFSETS, st.integers(1, 49)),
    st.lists(st.integers(0, 2**62), max_size=64).map(tuple),
    RANGES.map(tuple),
)


@given(COMMITS)
def test_what_a_manager_commits_is_read_again_as_it_was(commit: Commit) -> None:
    assert commit_of(commit.offset, note_of(commit)) == commit


@pytest.mark.parametrize("text", ["", "{}", "null", "moved by an operator", '{"position": 9}'])
def test_where_somebody_else_has_committed_only_the_offset_is_known(text: str) -> None:
    assert commit_of(7, text) == Commit(7, 7, 0)


def test_a_commit_of_version_0_1_is_read() -> None:
    text = '{"position": 12, "epoch": 3}'
    assert commit_of(7, text) == Commit(7, 12, 3)
    assert re.search("suspect|set_aside|own", note_of(Commit(7, 12, 3))) is None
