"""A consumer that passes records over, as Faust does in a rebalance that takes its time."""

from collections.abc import Mapping
from functools import partial

import pytest
from meltwatch_schemas.score import Modality
from meltwatch_schemas.window import NS_PER_MS
from meltwatch_stream_processor.adapters.faust import arrivals
from meltwatch_stream_processor.pipeline import engine
from structlog.testing import capture_logs

from tests.support.input_records import InputRecord, live
from tests.unit.core.scoring.fakes import ENCODER, TOPICS, FakeScorer, until
from tests.unit.stream_processor.pipeline.fakes import Life, MemoryBroker, contents

ALL = 10_000
FRAMES, SAMPLES = (TOPICS.inputs[modality] for modality in Modality)
NOTHING = {FRAMES: ALL, SAMPLES: ALL}
"""What comes of topics that the consumer dropped to their ends, while nobody sends."""


@pytest.fixture(scope="module")
def records() -> list[InputRecord]:
    return live(("melt/a", "melt/b"), 20.0, encoder=ENCODER)


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_ENDS_INTERVAL_S", 0.05)
    monkeypatch.setattr(arrivals, "_OVERDUE_NS", 50 * NS_PER_MS)


async def published(
    records: list[InputRecord],
    passed_over: Mapping[str, int] | None = None,
    begins_after: Mapping[str, int] | None = None,
    answers_after: int = 0,
) -> dict[str, tuple[object, ...]]:
    """What one life publishes."""
    broker = MemoryBroker()
    broker.produce(*records)
    broker.passed_over |= passed_over or {}
    broker.begins_after |= begins_after or {}
    broker.answers_after = answers_after
    async with Life(broker, FakeScorer()) as life:
        await life.read_all()
    return contents(broker.scores())


@pytest.mark.parametrize(
    "passed_over",
    [{FRAMES: 7}, {SAMPLES: 30}, {FRAMES: 3, SAMPLES: 1}, {FRAMES: ALL}, {SAMPLES: ALL}, NOTHING],
)
async def test_what_is_passed_over_is_read_from_the_broker(
    records: list[InputRecord], passed_over: dict[str, int]
) -> None:
    with capture_logs() as logs:
        found = await published(records, passed_over)
    said = {line["topic"] for line in logs if line["event"] == "missed_records_read"}
    assert said >= set(passed_over)
    assert found == await published(records)


@pytest.mark.parametrize("begins_after", range(0, 60, 4))
async def test_a_topic_that_comes_while_a_gap_of_the_other_is_read_waits_for_its_own(
    records: list[InputRecord], begins_after: int
) -> None:
    """Its first record went ahead of what was missing before it, and that ended the worker."""
    of_samples = [each for each in records if each.topic.under(TOPICS.prefix) == SAMPLES]
    later = [each for each in records if each not in of_samples[:20]]
    passed_over = {FRAMES: 3, SAMPLES: 5}
    found = await published(later, passed_over, {FRAMES: begins_after}, answers_after=20)
    assert found == await published(later)


async def test_what_is_missed_is_counted(records: list[InputRecord]) -> None:
    broker = MemoryBroker()
    broker.produce(*records)
    broker.passed_over[FRAMES] = 7
    async with Life(broker, FakeScorer()) as life:
        await life.read_all()
        counted = partial(
            life.shared.metrics.registry.get_sample_value, "meltwatch_records_missed_total"
        )
        assert counted({"topic": FRAMES}) == 7
        assert not counted({"topic": SAMPLES})


async def test_a_restart_that_passes_records_over_changes_nothing(
    records: list[InputRecord],
) -> None:
    broker = MemoryBroker()
    broker.produce(*records)
    async with Life(broker, FakeScorer()) as life:
        await until(partial(broker.has_scores, 9))
        await life.commit()
        await life.kill()
    broker.passed_over |= {FRAMES: 5, SAMPLES: 12}
    async with Life(broker, FakeScorer()) as life:
        await life.read_all()
    assert contents(broker.scores()) == await published(records)
