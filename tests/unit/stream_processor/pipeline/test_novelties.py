"""Portraits as they come, and what scores say of them through restarts and changes."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial

import numpy as np
import pytest
from meltwatch_chassis.metrics import Metrics
from meltwatch_core.portraits import (
    CURRENT_RISE_PER_S,
    JUDGED_EVERY,
    PATCH_RISE_PER_S,
    KnownPortrait,
    fit_side,
    is_judged,
)
from meltwatch_schemas.encoder import Encoder, dct_basis
from meltwatch_schemas.errors import Refusal
from meltwatch_schemas.novelty import novelty_message
from meltwatch_schemas.portrait import SCHEMA, encode_portrait, portrait_id
from meltwatch_schemas.record import RawRecord, headers_for
from meltwatch_schemas.score import Modality, WindowScore
from meltwatch_schemas.unread import UnreadBatch
from meltwatch_stream_processor.pipeline.novelties import PortraitBook
from structlog.testing import capture_logs

from tests.support.builders import portrait
from tests.support.input_records import ORIGIN_NS, live
from tests.unit.core.scoring.fakes import FakeScorer, until
from tests.unit.stream_processor.pipeline.fakes import Life, MemoryBroker, contents

ENCODER = Encoder("dct", dct_basis(24))
FURNACES = ("melt/a", "melt/b")
SECONDS = 60.0
TOPIC = "meltwatch.portraits.v1"


def record(furnace_id: str = "melt/a", value: bytes | None = b"", offset: int = 0) -> RawRecord:
    value = of(furnace_id) if value == b"" else value
    return RawRecord(TOPIC, 0, offset, 0, furnace_id.encode(), value, tuple(headers_for(SCHEMA)))


def of(furnace_id: str, windows: int = 1) -> bytes:
    return encode_portrait(portrait(Modality.CURRENT, furnace_id=furnace_id, windows=windows))


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def book(metrics: Metrics) -> PortraitBook:
    return PortraitBook(2, metrics)


def held(metrics: Metrics) -> float | None:
    return metrics.registry.get_sample_value("meltwatch_portraits")


def refused(metrics: Metrics, reason: str) -> float | None:
    return metrics.registry.get_sample_value(
        "meltwatch_portraits_refused_total", {"reason": reason}
    )


def test_the_newest_portrait_of_a_furnace_counts(book: PortraitBook, metrics: Metrics) -> None:
    for windows in (1, 2):
        book.take(record(value=of("melt/a", windows)))

    found = book.of("melt/a")
    assert found is not None
    assert found.portrait_id == portrait_id(of("melt/a", 2))
    assert (book.of("melt/b"), held(metrics)) == (None, 1)


def test_a_tombstone_retires_it(book: PortraitBook, metrics: Metrics) -> None:
    book.take(record())
    book.take(record(value=None))

    assert (book.of("melt/a"), held(metrics)) == (None, 0)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda raw: replace(raw, value=b"\x00"), "malformed"),
        (lambda raw: replace(raw, value=bytes(200_000)), "too_large"),
        (lambda raw: replace(raw, headers=()), "unknown_schema"),
        (lambda raw: replace(raw, value=of("melt/b")), "contract_violation"),
        (lambda raw: replace(raw, key=b"\xff\x1b[2J"), "contract_violation"),
        (lambda raw: replace(raw, key=None), "contract_violation"),
    ],
)
def test_what_is_no_portrait_is_refused_told_and_counted(
    book: PortraitBook, metrics: Metrics, spoil: Callable[[RawRecord], RawRecord], reason: str
) -> None:
    with capture_logs() as said:
        book.take(spoil(record()))

    (line,) = said
    assert (line["event"], line["error"], line["log_level"]) == (
        "portrait_refused",
        reason,
        "error",
    )
    assert "\x1b" not in str(line)
    assert (refused(metrics, reason), held(metrics)) == (1, 0)


def test_a_batch_that_nobody_can_read_is_refused(book: PortraitBook, metrics: Metrics) -> None:
    raw = record()
    book.take(replace(raw, value=UnreadBatch.of(b"x", range(3), Refusal.TOO_LARGE, "?")))

    assert refused(metrics, "too_large") == 1


def test_after_a_record_that_is_none_a_furnace_has_no_portrait(book: PortraitBook) -> None:
    book.take(record())
    book.take(record(value=b"?"))

    assert book.of("melt/a") is None


def test_no_more_are_held_than_furnaces_may_be(book: PortraitBook, metrics: Metrics) -> None:
    for furnace_id in ("melt/a", "melt/b", "melt/c", "melt/a"):
        book.take(record(furnace_id))

    assert book.of("melt/c") is None
    assert (held(metrics), refused(metrics, "contract_violation")) == (2, 1)


def test_read_anew_the_old_ones_count_until_the_end_is_reached(
    book: PortraitBook, metrics: Metrics
) -> None:
    book.take(record("melt/a"))
    book.begin_anew()
    book.take(record("melt/b"))
    assert (book.of("melt/a") is not None, book.of("melt/b"), held(metrics)) == (True, None, 1)
    book.settle()

    assert (book.of("melt/a"), book.of("melt/b") is not None, held(metrics)) == (None, True, 1)


@cache
def known(number: int = 0) -> KnownPortrait:
    """A portrait of noise as the frames and samples of these tests are."""
    rng = np.random.default_rng(number)
    times_s = np.arange(360) * 10.08
    sides = {
        Modality.VIDEO: fit_side(
            rng.normal(100, 30, (360, 64, 27)), times_s, 21.0, PATCH_RISE_PER_S
        ),
        Modality.CURRENT: fit_side(
            rng.normal(0, 3, (360, 1, 40)), times_s, 21.0, CURRENT_RISE_PER_S
        ),
    }
    made = portrait(
        sides={m: side.packed() for m, side in sides.items()}, encoder_id=ENCODER.encoder_id
    )
    return KnownPortrait.of(made, f"{number:064x}")


@pytest.fixture(scope="module")
def records() -> list:
    return live(FURNACES, SECONDS, encoder=ENCODER)


@pytest.fixture
def broker(records: list) -> MemoryBroker:
    broker = MemoryBroker()
    broker.produce(*records)
    broker.portraits["melt/a"] = known()
    return broker


def judged(scores: list[WindowScore], furnace_id: str = "melt/a") -> list[WindowScore]:
    return [score for score in scores if score.furnace_id == furnace_id]


async def test_scores_of_a_furnace_with_a_portrait_say_how_unlike_it_is(
    broker: MemoryBroker,
) -> None:
    async with Life(broker, FakeScorer(), encoder=ENCODER) as life:
        await life.read_all()

    assert {score.novelty for score in judged(broker.scores(), "melt/b")} == {None}
    scores = judged(broker.scores())
    told = [score.novelty for score in scores if score.novelty is not None]
    assert len(told) == len(scores)
    assert {each.portrait for each in told} == {f"{0:064x}"}
    changes = [
        score.window_end_ns
        for score, before, now in zip(scores[1:], told, told[1:], strict=False)
        if novelty_message(before) != novelty_message(now)
    ]
    assert len(changes) >= len(scores) // JUDGED_EVERY - 1
    assert all(is_judged("melt/a", end_ns) for end_ns in changes)
    assert any(each.video is not None for each in told)


@pytest.mark.parametrize("stops", [(30,), (20, 45), (10, 11, 12, 60)])
async def test_killed_and_started_again_it_says_what_it_would_have(
    broker: MemoryBroker, records: list, stops: tuple[int, ...]
) -> None:
    whole = MemoryBroker()
    whole.produce(*records)
    whole.portraits = broker.portraits
    async with Life(whole, FakeScorer(), encoder=ENCODER) as life:
        await life.read_all()
    for stop in stops:
        async with Life(broker, FakeScorer(), encoder=ENCODER) as life:
            await until(partial(broker.has_scores, stop))
            await life.commit()
            await life.kill()
    async with Life(broker, FakeScorer(), encoder=ENCODER) as life:
        await life.read_all()

    assert contents(broker.scores()) == contents(whole.scores())


async def test_a_portrait_that_comes_or_goes_counts_from_the_next_window(
    broker: MemoryBroker,
) -> None:
    async with Life(broker, FakeScorer(), encoder=ENCODER) as life:
        await until(partial(broker.has_scores, 20))
        broker.portraits = {"melt/b": known(1)}
        before = len(broker.scores())
        await life.read_all()

    later = broker.scores()[before + 2 :]
    assert {score.novelty for score in judged(later)} == {None}
    assert {score.novelty and score.novelty.portrait for score in judged(later, "melt/b")} == {
        f"{1:064x}"
    }


async def test_a_portrait_of_another_encoder_is_stale(broker: MemoryBroker) -> None:
    made = portrait(Modality.VIDEO, encoder_id="dct-192-aaaaaaaaaaaa")
    broker.portraits["melt/a"] = KnownPortrait.of(made, "f" * 64)
    async with Life(broker, FakeScorer(), encoder=ENCODER) as life:
        await life.read_all()

    scores = judged(broker.scores())
    with_video = [score for score in scores if score.encoder_id is not None]
    assert len(with_video) > 10
    assert all("portrait_stale" in score.reasons for score in with_video)
    assert all(score.window_end_ns > ORIGIN_NS for score in scores)
