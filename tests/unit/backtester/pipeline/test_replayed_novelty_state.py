"""From which state a replayed window goes on, and what is carried over as live said it."""

from collections.abc import Iterator

import numpy as np
import pytest
from meltwatch_backtester.domain.tally import PortrayedWindows, Tally
from meltwatch_backtester.pipeline.replayed import Replayed
from meltwatch_backtester.pipeline.replayed_novelty import PortraitName, ReplayedNovelty
from meltwatch_backtester.pipeline.rescoring import Rescoring
from meltwatch_chassis.clock import SystemClock
from meltwatch_chassis.metrics import Metrics
from meltwatch_core.join.restore import Past
from meltwatch_core.join.window import AlignedWindow
from meltwatch_core.portraits import JUDGED_EVERY, KnownPortrait, novelty_of
from meltwatch_core.scoring.judge import Judge, Patience
from meltwatch_core.scoring.scores import ScoreContext
from meltwatch_schemas.novelty import novelty_message
from meltwatch_schemas.portrait import encode_portrait, portrait_id
from meltwatch_schemas.reasons import Reason
from meltwatch_schemas.score import ModelIdentity, WindowScore
from meltwatch_schemas.window import PUBLISHED_SPEC

from tests.support.builders import FURNACE, portrait, window_score
from tests.unit.core.portraits.test_novelty import drawn, ends_ns, window, windows
from tests.unit.core.scoring.fakes import TOPICS, FakeScorer

MADE = portrait()
VALUE = encode_portrait(MADE)
NAME = PortraitName(FURNACE, portrait_id(VALUE))
COUNT = 3 * JUDGED_EVERY
MODEL = window_score().model


@pytest.fixture(scope="module")
def run() -> list[AlignedWindow]:
    """Windows that follow one another, the first one judged."""
    return list(windows(drawn(3, COUNT), ends_ns(COUNT, every=1)))


@pytest.fixture(scope="module")
def lives(run: list[AlignedWindow]) -> list[WindowScore]:
    return list(scores(run))


def scores(run: list[AlignedWindow], logit: float | None = -3.0) -> Iterator[WindowScore]:
    known, before = KnownPortrait.of(MADE, NAME.portrait_id), None
    for each in run:
        before = novelty_of(each, logit, known, before)
        yield window_score(each.window_end_ns, FURNACE, logit, novelty=before)


def replayed(tally: Tally, **parts: object) -> ReplayedNovelty:
    usual = {"portraits": {NAME: VALUE}, "tried": {}, "pasts": {}, "model": MODEL}
    return ReplayedNovelty(**usual | parts, tally=tally)  # type: ignore[arg-type]  # parts of a test


def test_without_a_score_before_the_first_window_is_as_live_said_it(run, lives) -> None:
    """Live went on from what it knew; the windows behind are computed from its first score on."""
    tally, begin = Tally(), JUDGED_EVERY + 3
    replay = replayed(tally)

    said = [replay.take(*each, -3.0) for each in zip(run[begin:], lives[begin:], strict=True)]

    wanted = PortrayedWindows(computed=COUNT - begin - 1, unknown_before=1)
    assert tally.portrayed == {FURNACE: wanted}
    assert [novelty_message(each.novelty) for each in said if each.novelty] == [
        novelty_message(each.novelty) for each in lives[begin:] if each.novelty
    ]


def test_where_live_began_too_nothing_is_carried_over(run, lives) -> None:
    tally = Tally()
    replay = replayed(tally)
    for each in zip(run, lives, strict=True):
        replay.take(*each, -3.0)

    assert tally.portrayed == {FURNACE: PortrayedWindows(computed=COUNT)}


def test_what_ages_a_portrait_is_lives_verdict_where_there_is_one(run) -> None:
    """A logit within the last digits of 0 is on either side of it."""
    lives = list(scores(run, logit=1e-9))
    replay = replayed(Tally())

    said = [replay.take(*each, -1e-9).novelty for each in zip(run, lives, strict=True)]

    assert {each.unusual for each in said if each} == {0}
    aged = list(scores(run, logit=-1e-9))[-1].novelty
    assert aged is not None
    assert aged.unusual > 0


def test_a_missing_window_is_passed_over_as_live_judged_it(run, lives) -> None:
    replay = replayed(Tally())
    for each in zip(run[:JUDGED_EVERY], lives[:JUDGED_EVERY], strict=True):
        replay.take(*each, -3.0)
    replay.pass_over(lives[JUDGED_EVERY])

    said = replay.take(run[JUDGED_EVERY + 1], lives[JUDGED_EVERY + 1], -3.0)

    assert said.novelty is not None
    assert lives[JUDGED_EVERY].novelty is not None
    assert novelty_message(said.novelty) == novelty_message(lives[JUDGED_EVERY].novelty)


def test_carried_over_the_word_for_age_comes_too(run) -> None:
    aged = window_score(
        run[0].window_end_ns, FURNACE, -3.0,
        novelty=next(scores(run)).novelty, reasons=("sync_skew", Reason.PORTRAIT_STALE),
    )  # fmt: skip

    assert replayed(Tally(), portraits={}).take(run[0], aged, -3.0) == (
        aged.novelty,
        (Reason.PORTRAIT_STALE,),
    )


def test_a_portrait_of_another_encoder_is_stale(run) -> None:
    (end_ns,) = ends_ns(1)
    clip, grid = np.zeros((5, 64, 24), np.float16), np.zeros((240, 3), np.float32)
    other = window(end_ns, clip, grid, encoder_id="dct-24-aaaaaaaaaaaa")

    said = replayed(Tally(), tried={FURNACE: VALUE}).take(other, None, -3.0)

    assert said.words == (Reason.PORTRAIT_STALE,)
    assert said.novelty is not None
    assert said.novelty.surprise is None


def test_another_model_ages_a_portrait_by_its_own_verdicts(run) -> None:
    """Live's model took all of it for a hot spot; ours takes none of it for one."""
    replay = replayed(Tally(), model=ModelIdentity("challenger", "2", "e" * 64))

    said = [replay.take(*each, -3.0) for each in zip(run, scores(run, logit=5.0), strict=True)]

    wanted = [novelty_message(each.novelty) for each in scores(run) if each.novelty]
    assert [novelty_message(each.novelty) for each in said if each.novelty] == wanted


def test_each_window_takes_the_portrait_that_its_live_score_names(run) -> None:
    """A newer one was published within the span."""
    newer = portrait(windows=1)
    value = encode_portrait(newer)
    name = PortraitName(FURNACE, portrait_id(value))
    known, begin = KnownPortrait.of(newer, name.portrait_id), JUDGED_EVERY + 2
    later, before = [], None
    for each in run[begin:]:
        before = novelty_of(each, -3.0, known, before)
        later.append(window_score(each.window_end_ns, FURNACE, -3.0, novelty=before))
    lives = [*list(scores(run))[:begin], *later]
    tally = Tally()
    replay = replayed(tally, portraits={NAME: VALUE, name: value})

    said = [replay.take(*each, -3.0).novelty for each in zip(run, lives, strict=True)]

    assert [novelty_message(each) for each in said if each] == [
        novelty_message(each.novelty) for each in lives if each.novelty
    ]
    assert tally.portrayed == {FURNACE: PortrayedWindows(computed=COUNT)}


def test_another_model_goes_on_from_the_score_before_the_span(run, lives) -> None:
    past = Past(
        closed_ns=run[0].window_end_ns, last_event_ns=0, last_ingest_ns=0, source_states={},
        sources={}, cut={}, novelty=lives[0].novelty,
    )  # fmt: skip
    other = ModelIdentity("challenger", "2", "e" * 64)

    said = replayed(Tally(), pasts={FURNACE: past}, model=other).take(run[1], lives[1], -3.0)

    assert said.novelty is not None
    assert lives[0].novelty is not None
    assert novelty_message(said.novelty) == novelty_message(lives[0].novelty)


async def test_what_is_rescored_passes_over_windows_that_are_missing(run, lives) -> None:
    judge = Judge(FakeScorer(), Patience(outage_s=0.2), SystemClock(), Metrics())
    context = ScoreContext(TOPICS, MODEL, PUBLISHED_SPEC.spec_id, 0.2, frozenset())
    pairs = list(zip(run, lives, strict=True))[: JUDGED_EVERY + 2]
    replay = [
        Replayed(window=None if number == JUDGED_EVERY else each, live=live)
        for number, (each, live) in enumerate(pairs)
    ]

    rescoring = Rescoring(judge, context, "run", replayed(Tally()))
    made = [score async for _, score in rescoring.scores(iter(replay))]

    assert made[JUDGED_EVERY] is None
    last = made[-1]
    assert last is not None
    assert last.novelty is not None
    assert lives[JUDGED_EVERY].novelty is not None
    assert novelty_message(last.novelty) == novelty_message(lives[JUDGED_EVERY].novelty)
