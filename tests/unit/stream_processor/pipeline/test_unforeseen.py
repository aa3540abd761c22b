"""What nobody foresaw ends no process: records that break the join, answers without sense."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from meltwatch_core.join import entry as entries
from meltwatch_core.join.buffers import Chunk
from meltwatch_core.join.entry import Entry
from meltwatch_core.join.joiner import PartitionJoiner
from meltwatch_core.join.merge import Reading
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.record import header
from meltwatch_schemas.score import Modality
from meltwatch_schemas.window import NS_PER_S
from meltwatch_stream_processor.pipeline import engine
from meltwatch_stream_processor.ports import TopicPartition
from structlog.testing import capture_logs

from tests.support.input_records import ORIGIN_NS, InputRecord, frame_record, live, sample_record
from tests.support.leaping_loop import leaping
from tests.unit.core.scoring.fakes import ENCODER, TOPICS, FakeScorer, until
from tests.unit.stream_processor.pipeline.fakes import FastClock, Life, MemoryBroker, contents

FURNACES = ("melt/a", "melt/b")
BAD_SEQ = 666
EMBEDDINGS = TopicPartition(TOPICS.inputs[Modality.VIDEO], 0)
CURRENTS = TopicPartition(TOPICS.inputs[Modality.CURRENT], 0)


@pytest.fixture
def broker() -> MemoryBroker:
    return MemoryBroker()


def with_one_more(bad: InputRecord, seconds: float = 20.0) -> list[InputRecord]:
    """What two furnaces send, and a record in the middle of it."""
    given = live(FURNACES, seconds, encoder=ENCODER)
    middle = next(n for n, record in enumerate(given) if record.timestamp_ms >= bad.timestamp_ms)
    return [*given[:middle], bad, *given[middle:]]


def poison() -> InputRecord:
    """A valid sample of the past, which changes no window, but for what a test does with it."""
    return sample_record(FURNACES[0], ORIGIN_NS + 8 * NS_PER_S, seq=BAD_SEQ)


async def scores_of(broker: MemoryBroker) -> dict[str, tuple[object, ...]]:
    async with Life(broker, FakeScorer()) as life:
        await life.read_all()
    return contents(broker.scores())


@pytest.fixture(params=[OverflowError, RecursionError, MemoryError, KeyError, AssertionError])
def fault(request: pytest.FixtureRequest) -> type[Exception]:
    found: type[Exception] = request.param
    return found


def seq_of(entry: Entry) -> int | None:
    """The number of a record; None if it was refused."""
    return None if isinstance(entry.content, ContractViolation) else entry.content.identity.seq


async def test_a_record_that_breaks_the_join_twice_is_set_aside_and_its_furnace_goes_on(
    broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch, fault: type[Exception]
) -> None:
    undisturbed = MemoryBroker()
    undisturbed.produce(*live(FURNACES, 20.0, encoder=ENCODER))
    expected = await scores_of(undisturbed)
    advance, tries = PartitionJoiner.advance, []

    def break_down(joiner: PartitionJoiner, entry: Entry | None, reading: Reading) -> Any:
        if entry is None or seq_of(entry) != BAD_SEQ:
            return advance(joiner, entry, reading)
        tries.append(entry.offset)
        raise fault("beyond everything")

    monkeypatch.setattr(PartitionJoiner, "advance", break_down)
    broker.produce(*with_one_more(poison()))
    with capture_logs() as said:
        found = await scores_of(broker)

    assert {name: what[:-1] for name, what in found.items()} == {
        name: what[:-1] for name, what in expected.items()
    }
    assert len(broker.scores()) == len(found)
    assert len(tries) == 2
    (letter,) = broker.letters()
    assert header(letter.headers, "dlq.error") == "contract_violation"
    assert header(letter.headers, "dlq.offset") == str(tries[0])
    assert fault.__name__ in (header(letter.headers, "dlq.detail") or "")
    failed = [line for line in said if line["event"] == "record_failed"]
    assert [(line["attempt"], line["set_aside"]) for line in failed] == [(1, False), (2, True)]
    assert {(line["topic"], line["partition"], line["offset"]) for line in failed} == {
        (CURRENTS.topic, 0, tries[0])
    }


async def test_a_record_that_breaks_the_join_once_is_joined(
    broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker.produce(*with_one_more(poison()))
    undisturbed = MemoryBroker()
    undisturbed.produce(*with_one_more(poison()))
    expected = await scores_of(undisturbed)
    advance, tries = PartitionJoiner.advance, []

    def stumble(joiner: PartitionJoiner, entry: Entry | None, reading: Reading) -> Any:
        if entry is not None and seq_of(entry) == BAD_SEQ and not tries:
            tries.append(entry.offset)
            raise MemoryError
        return advance(joiner, entry, reading)

    monkeypatch.setattr(PartitionJoiner, "advance", stumble)

    assert await scores_of(broker) == expected
    assert (tries != [], broker.letters()) == (True, [])


async def test_a_record_that_breaks_the_decoder_is_a_dead_letter(
    broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch, fault: type[Exception]
) -> None:
    read = entries._READERS[Modality.CURRENT]

    def break_down(raw: Any) -> Chunk:
        chunk = read(raw)
        if chunk.identity.seq == BAD_SEQ:
            raise fault("beyond everything")
        return chunk

    readers = {**entries._READERS, Modality.CURRENT: break_down}
    monkeypatch.setattr(entries, "_READERS", readers)
    broker.produce(*with_one_more(poison()))

    assert await scores_of(broker)
    (letter,) = broker.letters()
    assert header(letter.headers, "dlq.error") == "malformed"
    assert fault.__name__ in (header(letter.headers, "dlq.detail") or "")


@pytest.mark.parametrize("answer", [{}, {EMBEDDINGS: -1, CURRENTS: -1}, {EMBEDDINGS: None}])
@pytest.mark.parametrize("question", ["beginning_offsets", "end_offsets"])
@leaping
async def test_an_answer_of_the_broker_without_sense_is_asked_for_again(
    broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch, question: str, answer: dict[Any, Any]
) -> None:
    right, wrong = getattr(broker, question), []

    async def lie(partitions: Iterable[TopicPartition]) -> Mapping[TopicPartition, int]:
        if len(wrong) < 3:
            wrong.append(answer)
            return answer
        found: Mapping[TopicPartition, int] = await right(partitions)
        return found

    monkeypatch.setattr(broker, question, lie)
    broker.produce(*live(FURNACES, 10.0, encoder=ENCODER))

    assert await scores_of(broker)
    assert len(wrong) == 3


async def test_a_committed_offset_behind_the_end_is_void(broker: MemoryBroker) -> None:
    """The topics were made again under the same names: everything in them is read."""
    broker.produce(*live(FURNACES, 10.0, encoder=ENCODER))
    expected = await scores_of(broker)
    again = MemoryBroker()
    again.produce(*live(FURNACES, 10.0, encoder=ENCODER))
    again.offsets = {EMBEDDINGS: 50_000, CURRENTS: 60_000}
    with capture_logs() as said:
        async with Life(again, FakeScorer()) as life:
            life._tasks += [asyncio.create_task(_read_from_zero(life, part)) for part in _PARTS]
            await life.read_all()

    assert contents(again.scores()) == expected
    void = [line["committed"] for line in said if line["event"] == "committed_offset_void"]
    assert sorted(void) == [50_000, 60_000]


_PARTS = (EMBEDDINGS, CURRENTS)


async def _read_from_zero(life: Life, part: TopicPartition) -> None:
    """What Kafka's client does about an offset that is out of range."""
    for raw in life.broker.logs[part.topic]:
        life.engine.receive(raw)
        await asyncio.sleep(0)


async def test_published_scores_that_rest_on_other_topics_say_nothing(broker: MemoryBroker) -> None:
    """A cut behind the end of the input: the furnace is judged at once, not after its old cut."""
    old = MemoryBroker()
    old.produce(*live(FURNACES, 30.0, encoder=ENCODER))
    await scores_of(old)
    broker.logs[TOPICS.scores] = old.logs[TOPICS.scores][-2:]
    start_ns = ORIGIN_NS + 60 * NS_PER_S
    broker.produce(*live(FURNACES, 9.0, start_ns=start_ns, encoder=ENCODER))
    with capture_logs() as said:
        async with Life(broker, FakeScorer()) as life:
            await life.read_all()

    assert len(broker.scores()) > 2 + 2 * 4
    assert any(line["event"] == "scores_of_other_input" for line in said)


async def test_furnaces_beyond_the_limit_are_refused_said_once_and_those_there_are_go_on(
    broker: MemoryBroker,
) -> None:
    strangers = [
        frame_record(f"flood/{n}", ORIGIN_NS + 10 * NS_PER_S + n, encoder=ENCODER)
        for n in range(50)
    ]
    given = live((*FURNACES, "known/furnace"), 20.0, encoder=ENCODER)
    undisturbed = MemoryBroker()
    undisturbed.produce(*given)
    expected = await scores_of(undisturbed)
    middle = len(given) // 2
    broker.produce(*given[:middle], *strangers, *given[middle:])
    with capture_logs() as said:
        async with Life(broker, FakeScorer(), max_furnaces=10) as life:
            await life.read_all()
            refused = life.shared.metrics.furnaces_refused.labels("too_many")._value.get()

    ours = {
        score.window_id for score in broker.scores() if not score.furnace_id.startswith("flood/")
    }
    assert ours == expected.keys()
    assert refused == len(broker.letters()) == 43
    assert {header(letter.headers, "dlq.error") for letter in broker.letters()} == {
        "contract_violation"
    }
    assert [line["event"] for line in said].count("furnaces_refused") == 1


async def test_a_registered_furnace_always_finds_room(broker: MemoryBroker) -> None:
    broker.produce(*live(("melt/a",), 4.0, encoder=ENCODER))
    broker.produce(
        *live(("known/furnace",), 10.0, start_ns=ORIGIN_NS + 4 * NS_PER_S, encoder=ENCODER)
    )
    async with Life(broker, FakeScorer(), max_furnaces=1) as life:
        await life.read_all()

    assert broker.letters() == []
    assert any(score.furnace_id == "known/furnace" for score in broker.scores())


async def test_unregistered_furnaces_are_refused_where_that_is_wanted(broker: MemoryBroker) -> None:
    broker.produce(*live(("melt/a", "known/furnace"), 10.0, encoder=ENCODER))
    async with Life(broker, FakeScorer(), refuses_unregistered=True) as life:
        await life.read_all()
        refused = life.shared.metrics.furnaces_refused.labels("unregistered")._value.get()

    assert {score.furnace_id for score in broker.scores()} == {"known/furnace"}
    assert {letter.key for letter in broker.letters()} == {b"melt/a"}
    assert refused == len(broker.letters()) > 0


@leaping
async def test_room_is_given_back_by_furnaces_that_are_retired(
    broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_ENDS_INTERVAL_S", 0.02)
    broker.produce(*live(("melt/a",), 4.0, encoder=ENCODER))
    async with Life(broker, FakeScorer(), max_furnaces=1, speed=200.0) as life:
        await life.read_all()
        with capture_logs() as said:
            await until(lambda: any(line["event"] == "furnace_retired" for line in said))
        broker.produce(*live(("melt/b",), 8.0, start_ns=ORIGIN_NS, encoder=ENCODER))
        await until(lambda: any(s.furnace_id == "melt/b" for s in broker.scores()))

    assert broker.letters() == []


@pytest.mark.parametrize("is_away", [True, False], ids=["kafka-away", "process-frozen"])
@leaping
async def test_time_in_which_nothing_could_be_read_is_no_silence_of_furnaces(
    broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch, is_away: bool
) -> None:
    """Producers keep what they cannot send: it comes when Kafka has answered again."""
    monkeypatch.setattr(engine, "_ENDS_INTERVAL_S", 0.01)
    before, after = (
        live(("melt/a",), 10.0, start_ns=start_ns, encoder=ENCODER)
        for start_ns in (ORIGIN_NS, ORIGIN_NS + 10 * NS_PER_S)
    )

    async def answers(count: int) -> None:
        calls = broker.end_calls
        await until(lambda: broker.end_calls >= calls + count)

    broker.produce(*before)
    async with Life(broker, FakeScorer()) as life:
        await life.read_all()
        await answers(3)
        broker.is_away = is_away
        await answers(3 if is_away else 0)
        clock = life.shared.clock
        assert isinstance(clock, FastClock)
        clock.leap_ns += 300 * NS_PER_S
        await answers(3 if is_away else 0)
        broker.is_away = False
        await answers(3)
        broker.produce(*after)
        await life.read_all()
    calm = MemoryBroker()
    calm.produce(*before, *after)
    async with Life(calm, FakeScorer()) as life:
        await life.read_all()
    assert seen(broker) == seen(calm)
    assert broker.logs[TOPICS.late] == []


def seen(broker: MemoryBroker) -> list[tuple[object, ...]]:
    """What windows say, but for the offsets up to which each life had read at the moment."""
    return [(s.window_id, s.status, s.features, s.reasons) for s in broker.scores()]
