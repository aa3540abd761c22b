"""What becomes of input that is refused, late or repeated."""

import pytest
from meltwatch_core.join.window import AlignedWindow
from meltwatch_schemas.errors import ContractViolation, Refusal
from meltwatch_schemas.record import OutgoingRecord, header
from meltwatch_schemas.score import Modality, ScoreStatus
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_S
from meltwatch_stream_processor.ports import TopicPartition

from tests.support.bad_records import BAD_KINDS, BadKind
from tests.support.input_records import (
    ORIGIN_NS,
    STRIDE_NS,
    InputRecord,
    frame_record,
    live,
    sample_record,
)
from tests.unit.core.scoring.fakes import ENCODER, TOPICS, FakeScorer, until
from tests.unit.stream_processor.pipeline.fakes import Life, MemoryBroker

FURNACE = "melt/a"


@pytest.fixture
def broker() -> MemoryBroker:
    return MemoryBroker()


def opening(furnace_id: str = FURNACE) -> list[InputRecord]:
    """A first frame and a first sample, which claim the furnace's sources."""
    return [
        frame_record(furnace_id, ORIGIN_NS, encoder=ENCODER),
        sample_record(furnace_id, ORIGIN_NS),
    ]


async def read_all(broker: MemoryBroker, scorer: FakeScorer | None = None) -> Life:
    async with Life(broker, scorer or FakeScorer()) as life:
        await life.read_all()
        await life.commit()
    return life


@pytest.mark.parametrize("kind", BAD_KINDS, ids=lambda kind: kind.name)
async def test_a_bad_record_becomes_a_dead_letter_and_windows_go_on(
    broker: MemoryBroker, kind: BadKind
) -> None:
    bad = kind.make(FURNACE, ORIGIN_NS + STRIDE_NS)
    broker.produce(*opening(), bad, *live([FURNACE], 15.0, encoder=ENCODER)[6:])
    await read_all(broker)
    (letter,) = broker.letters()
    assert (letter.key, letter.value) == (bad.key, bad.value)
    assert letter.headers[: len(bad.headers)] == bad.headers
    told = {name: header(letter.headers, f"dlq.{name}") for name in _TOLD}
    assert told == {
        "topic": bad.topic.under(TOPICS.prefix),
        "partition": "0",
        "offset": "1",
        "timestamp": str(bad.timestamp_ms),
        "service": "stream_processor",
        "error": kind.reason.value,
    }
    assert any(score.logit is not None for score in broker.scores())


_TOLD = ("topic", "partition", "offset", "timestamp", "service", "error")


async def test_a_dead_letter_is_delivered_before_its_record_is_acknowledged(
    broker: MemoryBroker,
) -> None:
    currents = TopicPartition(TOPICS.inputs[Modality.CURRENT], 0)
    broker.produce(sample_record(FURNACE, ORIGIN_NS).with_headers())
    refused: list[OutgoingRecord] = []

    def refuse(record: OutgoingRecord) -> bool:
        refused.append(record)
        return True

    broker.refuse = refuse
    async with Life(broker, FakeScorer()) as life:
        await until(lambda: refused)
        await life.commit()
        assert broker.offsets.get(currents, 0) == 0
        broker.refuse = lambda _: False
        await life.read_all()
        await life.commit()
        assert broker.offsets[currents] == len(broker.letters()) == 1


async def test_a_late_record_is_copied_once_with_its_key_bytes_and_headers(
    broker: MemoryBroker,
) -> None:
    on_time = live([FURNACE], 20.0, encoder=ENCODER)
    late = frame_record(FURNACE, ORIGIN_NS + NS_PER_S, encoder=ENCODER)
    broker.produce(*on_time, late)
    await read_all(broker)
    (copy,) = broker.logs[TOPICS.late]
    assert (copy.key, copy.value, copy.headers) == (late.key, late.value, late.headers)


async def test_reading_again_copies_and_refuses_nothing_again(broker: MemoryBroker) -> None:
    on_time = live([FURNACE], 20.0, encoder=ENCODER)
    late = frame_record(FURNACE, ORIGIN_NS + NS_PER_S, encoder=ENCODER)
    bad = sample_record(FURNACE, ORIGIN_NS + 18 * NS_PER_S).with_headers()
    broker.produce(*on_time, late, bad, *_after(20.0))
    await read_all(broker)
    published = len(broker.scores())
    broker.offsets.clear()
    await read_all(broker)
    assert len(broker.logs[TOPICS.late]) == len(broker.letters()) == 1
    assert len(broker.scores()) == published


def _after(seconds: float) -> list[InputRecord]:
    start_ns = ORIGIN_NS + round(seconds * NS_PER_S)
    return live([FURNACE], 10.0, start_ns=start_ns, encoder=ENCODER)


async def test_a_window_that_the_scorer_refuses_goes_out_unscored_and_is_set_aside(
    broker: MemoryBroker,
) -> None:
    scorer = FakeScorer()

    def refuse_first(window: AlignedWindow) -> None:
        if window is scorer.calls[0]:
            raise ContractViolation(Refusal.SCORING_REJECTED, "expected sense")

    scorer.attempt = refuse_first
    broker.produce(*live([FURNACE], 20.0, encoder=ENCODER))
    await read_all(broker, scorer)
    (letter,) = broker.letters()
    (score,) = [s for s in broker.scores() if "scoring_rejected" in s.reasons]
    assert score.status is ScoreStatus.UNSCORED
    assert score.window_id == scorer.calls[0].window_id
    stands = next(r for r in broker.logs[TOPICS.scores] if r.value == letter.value)
    assert header(letter.headers, "dlq.error") == "scoring_rejected"
    assert header(letter.headers, "dlq.topic") == Topic.SCORES.under(TOPICS.prefix)
    assert header(letter.headers, "dlq.offset") == str(stands.offset)
