"""A past with portraits through the whole replay: novelties are computed again, bit by bit."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from meltwatch_backtester.domain.findings import ReplayVerdict
from meltwatch_backtester.domain.outcome import ReplayOutcome
from meltwatch_backtester.domain.question import Cuts
from meltwatch_backtester.domain.span import Span
from meltwatch_backtester.domain.tally import PortrayedWindows
from meltwatch_backtester.domain.window_comparison import Kind
from meltwatch_core.portraits import JUDGED_EVERY, is_judged
from meltwatch_schemas.default_points import default_points
from meltwatch_schemas.encoder import Encoder, dct_basis
from meltwatch_schemas.novelty import Novelty, novelty_message
from meltwatch_schemas.portrait import encode_portrait, portrait_id
from meltwatch_schemas.reasons import Reason
from meltwatch_schemas.record import RawRecord, read_score
from meltwatch_schemas.score import ModelIdentity, ScoreStatus, WindowScore, encode_score
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_S

from tests.support.builders import portrait
from tests.support.input_records import ORIGIN_NS, live
from tests.unit.backtester.pipeline.past import Noted, Past, replay
from tests.unit.core.alarms.samples import novelty_point

ENCODER = Encoder("dct", dct_basis(24))
WITH, WITHOUT = FURNACES = ("hall/FMF-01", "hall/FMF-02")
SECONDS = 60
FIRST_S = 20.0
"""Into the past, where a span within begins: no window there is the first judged one."""


@cache
def value(modes: int = 1, furnace_id: str = WITH) -> bytes:
    made = portrait(furnace_id=furnace_id, encoder_id=ENCODER.encoder_id, windows=modes)
    return encode_portrait(made)


def lived(*portraits: bytes, since: int = 0) -> Past:
    """A minute of two furnaces, in which the processor crashes three times."""
    records = live(FURNACES, SECONDS, encoder=ENCODER)
    return asyncio.run(
        Past.of(records, lives=4, encoder=ENCODER, portraits=portraits, portraits_since=since)
    )


@pytest.fixture(scope="module")
def past() -> Past:
    return lived(value())


@pytest.fixture(scope="module")
def without() -> Past:
    """Nobody has published a portrait."""
    return lived()


@pytest.fixture(scope="module")
def with_other() -> Past:
    return lived(value(2))


@pytest.fixture(scope="module")
def begun_within() -> Past:
    """Somebody publishes the portrait while the processor is away for the second time."""
    return lived(value(), since=2)


def told(scores: Iterable[WindowScore | None], furnace_id: str = WITH) -> list[Novelty | None]:
    return [each.novelty for each in scores if each is not None and each.furnace_id == furnace_id]


def bits(scores: Iterable[WindowScore | None], furnace_id: str = WITH) -> list[object]:
    return [each and novelty_message(each) for each in told(scores, furnace_id)]


def changed(past: Past, alter: Callable[[int, WindowScore], WindowScore]) -> Past:
    """The past with other scores of the furnace with a portrait, numbered from 0."""
    number = -1

    def one(raw: RawRecord) -> RawRecord:
        nonlocal number
        score = read_score(raw)
        if score.furnace_id != WITH:
            return raw
        number += 1
        return replace(raw, value=encode_score(alter(number, score)))

    other = Past(dict(past.logs))
    other.change(Topic.SCORES, lambda log: list(map(one, log)))
    return other


def judged_number(past: Past) -> int:
    """The number of a judged window in the middle, among those of its furnace."""
    ends = [score.window_end_ns for score in past.scores if score.furnace_id == WITH]
    return [n for n, end_ns in enumerate(ends) if is_judged(WITH, end_ns)][3]


async def replayed(past: Past, **asked: Any) -> tuple[ReplayOutcome, Noted]:
    return await replay(past, **{"encoder": ENCODER, "furnaces": (WITH,)} | asked)


@pytest.mark.parametrize(
    ("cuts", "from_s"), [(Cuts.RECORDED, 0.0), (Cuts.RECORDED, FIRST_S), (Cuts.EVENT_TIME, 0.0)]
)
async def test_novelties_are_computed_again_bit_by_bit(past, cuts, from_s) -> None:
    span = Span(ORIGIN_NS + round(from_s * NS_PER_S), ORIGIN_NS + 3600 * NS_PER_S)
    outcome, noted = await replayed(past, cuts=cuts, span=span, furnaces=())

    lives = [score for score in past.scores if score.window_end_ns in span]
    assert outcome.findings.verdict is ReplayVerdict.SAME
    assert outcome.findings.largest_novelty_difference == 0.0
    assert outcome.tally.portrayed == {WITH: PortrayedWindows(computed=len(told(lives)))}
    assert sorted(map(repr, bits(noted.scores))) == sorted(map(repr, bits(lives)))
    assert len({repr(each) for each in bits(noted.scores)}) > len(told(lives)) / JUDGED_EVERY - 1
    assert set(told(noted.scores, WITHOUT)) == {None}


async def test_a_novelty_that_does_not_follow_is_named_once_where_it_is(past) -> None:
    first = judged_number(past)

    def wrong(number: int, score: WindowScore) -> WindowScore:
        if not first <= number < first + JUDGED_EVERY:
            return score
        return replace(score, novelty=replace(score.novelty, video=1.25))

    outcome, _ = await replayed(changed(past, wrong))

    assert outcome.findings.kinds == {Kind.NOVELTY: 1}
    assert outcome.findings.verdict is ReplayVerdict.DIFFERENT
    (found,) = outcome.findings.first[Kind.NOVELTY]
    assert "live: surprise" in found.detail
    assert is_judged(WITH, found.window_end_ns)


async def test_a_word_for_age_that_does_not_follow_is_named(past) -> None:
    def aged(number: int, score: WindowScore) -> WindowScore:
        words = (Reason.PORTRAIT_STALE,) if number == 20 else ()
        return replace(score, reasons=(*score.reasons, *words))

    outcome, noted = await replayed(changed(past, aged))

    assert outcome.findings.kinds == {Kind.NOVELTY: 1}
    assert not any(Reason.PORTRAIT_STALE in score.reasons for score in noted.scores)


def without_model(score: WindowScore) -> WindowScore:
    lacking = dict.fromkeys(("logit", "probability", "member_logits", "disagreement"))
    return replace(
        score,
        **lacking,
        status=ScoreStatus.UNSCORED,
        anomaly_map=None,
        reasons=(*score.reasons, "model_unavailable"),
        times=replace(score.times, scored_ns=None),
    )


async def test_what_live_could_not_score_is_the_only_difference(past) -> None:
    def unscored(number: int, score: WindowScore) -> WindowScore:
        return without_model(score) if number == judged_number(past) else score

    outcome, _ = await replayed(changed(past, unscored))

    assert outcome.findings.kinds == {Kind.MODEL_UNAVAILABLE: 1}


async def test_another_model_is_no_difference_of_the_portrait(past) -> None:
    outcome, noted = await replayed(past, model=ModelIdentity("challenger", "2", "e" * 64))

    assert set(outcome.findings.kinds) == {Kind.OTHER_MODEL}
    assert None not in told(noted.scores)


async def test_a_portrait_that_history_does_not_hold_any_more_is_carried_over(
    past, with_other
) -> None:
    """Kafka compacts the topic: a later portrait stands there, and what nobody can read."""
    other, strange = with_other.logs[Topic.PORTRAITS][0], b"\xc1"
    gone = Past(dict(past.logs))
    gone.change(
        Topic.PORTRAITS,
        lambda log: [
            replace(other, offset=7),
            replace(log[0], offset=8, key=WITHOUT.encode()),
            replace(log[0], offset=9, value=strange),
            replace(log[0], offset=10, value=None),
        ],
    )

    outcome, noted = await replayed(gone)

    windows = len(told(past.scores))
    assert outcome.findings.verdict is ReplayVerdict.SAME
    assert outcome.tally.portrayed == {WITH: PortrayedWindows(carried_over=windows)}
    assert outcome.findings.largest_novelty_difference is None
    assert bits(noted.scores) == bits(past.scores)


async def test_an_older_portrait_that_still_stands_is_taken(past) -> None:
    newer = Past(dict(past.logs))
    newer.change(
        Topic.PORTRAITS,
        lambda log: [*log, replace(log[0], offset=1, value=value(2)), replace(log[0], offset=2)],
    )

    outcome, _ = await replayed(newer)

    assert outcome.tally.portrayed[WITH].carried_over == 0
    assert outcome.findings.verdict is ReplayVerdict.SAME


@pytest.mark.parametrize("had", ["none", "another"])
async def test_another_portrait_gives_what_live_would_have_said_with_it(
    had, past, without, with_other
) -> None:
    lives = {"none": without, "another": past}[had]

    outcome, noted = await replayed(lives, portraits={WITH: value(2)})

    assert outcome.findings.kinds == {Kind.OTHER_PORTRAIT: len(told(lives.scores))}
    assert outcome.findings.verdict is ReplayVerdict.EXPLAINED
    assert bits(noted.scores) == bits(with_other.scores)
    assert {each.portrait for each in told(noted.scores)} == {portrait_id(value(2))}


async def test_another_portrait_shows_what_alarms_would_have_come_of_it(without) -> None:
    points = (*default_points(WITH), novelty_point(WITH, novelty_on=0.0, novelty_off=0.0))

    outcome, _ = await replayed(without, portraits={WITH: value(2)}, points={WITH: points})

    (raised,) = [each for each in outcome.alarms if each.alarm_id == f"{WITH}/NOVELTY"]
    assert raised.transition.cause == "RAISE"
    assert raised.evidence.novelty is not None
    assert raised.evidence.novelty.portrait == portrait_id(value(2))
    (difference,) = outcome.findings.alarm_differences
    assert difference.why == "windows of the furnace differ: other_portrait"
    assert outcome.findings.verdict is ReplayVerdict.EXPLAINED


async def test_the_portrait_that_live_had_is_no_other_one(past) -> None:
    outcome, _ = await replayed(past, portraits={WITH: value()})

    assert outcome.findings.verdict is ReplayVerdict.SAME


@pytest.mark.parametrize("tried", [None, {WITH: value()}])
async def test_from_its_publication_on_a_portrait_gives_lives_bits(begun_within, tried) -> None:
    lives = told(begun_within.scores)

    outcome, noted = await replayed(begun_within, portraits=tried)

    without = lives.index(next(filter(None, lives)))
    assert 0 < without < len(lives)
    assert outcome.findings.kinds == ({Kind.OTHER_PORTRAIT: without} if tried else {})
    assert bits(noted.scores)[without:] == bits(begun_within.scores)[without:]


async def test_a_window_that_live_never_published_goes_on_from_the_replays_own(past) -> None:
    lost = Past(dict(past.logs))
    number = next(
        n
        for n, score in enumerate(past.scores)
        if n > 40 and score.furnace_id == WITH and is_judged(WITH, score.window_end_ns)
    )
    lost.change(Topic.SCORES, lambda log: [*log[:number], *log[number + 1 :]])

    outcome, noted = await replayed(lost, cuts=Cuts.EVENT_TIME)

    assert outcome.findings.kinds[Kind.UNEXPECTED] == 1
    assert sorted(map(repr, bits(noted.scores))) == sorted(map(repr, bits(past.scores)))
