"""Skewed clocks through the whole pipeline on fakes: word, gauge and log, and what ends them."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from meltwatch_core.join.buffers import Chunk
from meltwatch_core.join.entry import read
from meltwatch_core.join.quality import FeatureExtractor
from meltwatch_core.join.synchrony import SkewWatch
from meltwatch_core.join.window import Outcome
from meltwatch_schemas.current import CurrentChunk
from meltwatch_schemas.errors import violation
from meltwatch_schemas.score import Modality, WindowScore
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_S
from meltwatch_stream_processor.pipeline import engine
from structlog.testing import capture_logs

from tests.support.arcs import arc_records
from tests.support.input_records import ORIGIN_NS, InputRecord, frame_record, sample_record
from tests.support.leaping_loop import leaping
from tests.unit.core.scoring.fakes import ENCODER, FakeScorer, until
from tests.unit.stream_processor.pipeline.fakes import Life, MemoryBroker

FURNACE = "melt/arc"
SECONDS = 640.0
GREYS_OF = FeatureExtractor(ENCODER.basis).greys
LATER_NS = ORIGIN_NS + round(SECONDS * NS_PER_S)


@pytest.fixture(scope="module")
def apart() -> list[InputRecord]:
    """Records of a camera whose clock is half a second ahead."""
    return arc_records(FURNACE, SECONDS, video_ahead_s=0.5, encoder=ENCODER)


@pytest.fixture(scope="module")
def together() -> list[InputRecord]:
    """Records of the same camera after its clock was set right."""
    return arc_records(FURNACE, SECONDS, video_ahead_s=0.0, encoder=ENCODER, start_ns=LATER_NS)


def words(scores: list[WindowScore]) -> list[bool]:
    return ["sync_skew" in score.reasons for score in scores if score.furnace_id == FURNACE]


def gauge(life: Life) -> float | None:
    labels = {"furnace": FURNACE}
    return life.shared.metrics.registry.get_sample_value("meltwatch_sync_skew_seconds", labels)


@leaping
async def test_a_skew_is_named_in_the_scores_and_shown_until_the_furnace_is_retired(
    apart: list[InputRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_ENDS_INTERVAL_S", 0.1)
    broker = MemoryBroker()
    broker.produce(*apart)
    with capture_logs() as log:
        async with Life(broker, FakeScorer(), speed=20.0) as life:
            await life.read_all()
            named = words(broker.scores())
            # Silent for 8 to 11 minutes, then named to the end.
            first = named.index(True)
            assert 480 <= (first + 1) * 1.44 <= 660
            assert all(named[first:])
            await until(lambda: gauge(life) == pytest.approx(0.5, abs=0.05))
            await until(lambda: any(entry["event"] == "furnace_retired" for entry in log))
            await until(lambda: gauge(life) is None)
    (told,) = [entry for entry in log if entry["event"] == "sync_skew_changed"]
    assert (told["log_level"], told["furnace"], told["skew_level"]) == (
        "warning",
        FURNACE,
        "alarm",
    )
    assert told["skew_s"] == pytest.approx(0.5, abs=0.05)


async def test_a_corrected_clock_ends_the_word(
    apart: list[InputRecord], together: list[InputRecord]
) -> None:
    broker = MemoryBroker()
    broker.produce(*apart, *together)
    with capture_logs() as log:
        async with Life(broker, FakeScorer()) as life:
            await life.read_all()
    named = words(broker.scores())
    assert any(named)
    assert not any(named[-10:])
    assert sum(before != after for before, after in pairwise(named)) == 2
    levels = [entry["skew_level"] for entry in log if entry["event"] == "sync_skew_changed"]
    assert (levels[0], levels[-1]) == ("alarm", "fine")


async def test_a_new_life_knows_nothing_and_says_nothing(apart: list[InputRecord]) -> None:
    broker = MemoryBroker()
    broker.produce(*apart)
    async with Life(broker, FakeScorer()) as life:
        await life.read_all()
        await life.commit()
    before = len(broker.scores())
    soon = arc_records(FURNACE, 60, video_ahead_s=0.5, encoder=ENCODER, start_ns=LATER_NS)
    broker.produce(*soon)
    async with Life(broker, FakeScorer()) as life:
        await life.read_all()
        assert gauge(life) is None
    assert words(broker.scores()[:before])[-1]
    assert not any(words(broker.scores()[before:]))
    assert len(broker.scores()) > before


def chunk_of(record: InputRecord) -> Chunk:
    modality = Modality.VIDEO if record.topic is Topic.EMBEDDINGS else Modality.CURRENT
    content = read(record.at(0), modality).content
    assert not isinstance(content, Exception)
    return content


def watched(records: list[InputRecord], outcome: Outcome, offset_s: float = 0.0) -> SkewWatch:
    watch = SkewWatch({FURNACE: offset_s})
    for record in records:
        watch.take(chunk_of(record), outcome, GREYS_OF)
    return watch


def test_the_commissioned_offset_of_a_furnace_is_taken_off(apart: list[InputRecord]) -> None:
    watch = watched(apart, Outcome(), offset_s=0.5)
    assert watch.skews_s()[FURNACE] == pytest.approx(0.0, abs=0.05)
    assert watch.reasons(FURNACE) == ()


@pytest.mark.parametrize(
    "outcome", [Outcome(history=True), Outcome(refusal=violation("another source"))]
)
def test_history_and_refused_records_say_nothing(
    apart: list[InputRecord], outcome: Outcome
) -> None:
    assert watched(apart, outcome).size_bytes == 0


def test_it_holds_a_bounded_amount_a_furnace_and_nothing_of_retired_ones(
    apart: list[InputRecord],
) -> None:
    watch = watched(apart, Outcome())
    assert 0 < watch.size_bytes < 80_000
    watch.take(chunk_of(frame_record("melt/b", ORIGIN_NS, encoder=ENCODER)), Outcome(), GREYS_OF)
    watch.take(chunk_of(sample_record("melt/b", ORIGIN_NS)), Outcome(), GREYS_OF)
    watch.forget([FURNACE, "melt/b", "never/seen"])
    assert (watch.size_bytes, watch.skews_s(), watch.reasons(FURNACE)) == (0, {}, ())


def test_a_phase_that_is_missing_for_good_gives_no_skew(apart: list[InputRecord]) -> None:
    watch = SkewWatch({})
    for record in apart:
        chunk = chunk_of(record)
        if isinstance(chunk, CurrentChunk):
            data = chunk.data.copy()
            data[:, 1] = np.nan
            chunk = replace(chunk, data=data)
        watch.take(chunk, Outcome(), GREYS_OF)
    assert watch.skews_s() == {}
