"""Which windows make a portrait: those in which nothing was wrong, each other one with a reason."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_backtester.domain.portrait_windows import (
    Disturbance,
    LeftOut,
    WindowChoice,
    disturbances,
)
from meltwatch_backtester.domain.span import Span
from meltwatch_core.portraits.novelty import JUDGED_EVERY, is_judged
from meltwatch_schemas.alarm import AlarmJudgement, AlarmRecord, AlarmVerdict, MissedSpan
from meltwatch_schemas.instants import ns_from_utc, utc_from_ns
from meltwatch_schemas.reasons import Reason
from meltwatch_schemas.score import Modality, ScoreStatus, WindowScore
from meltwatch_schemas.window import INT64_MAX, NS_PER_S, PUBLISHED_SPEC

from tests.support.builders import FURNACE, NOON_NS, alarm_record, novelty, window_score
from tests.support.examples import examples

SPEC = PUBLISHED_SPEC
FIRST_NS = next(
    end_ns
    for number in range(JUDGED_EVERY)
    for end_ns in [SPEC.first_end_after(FURNACE, NOON_NS) + number * SPEC.hop_ns]
    if is_judged(FURNACE, end_ns)
)
STEP_NS = JUDGED_EVERY * SPEC.hop_ns
LOOKBACK_NS = SPEC.lookback_ns
WHOLE = {"encoder_id": "dct-24-2ffba5fb360f"}


def score(number: int, logit: float | None = -5.0, **changes: object) -> WindowScore:
    """The score of the n-th judged window of the span."""
    return window_score(FIRST_NS + number * STEP_NS, FURNACE, logit, **WHOLE | changes)


def span_of(windows: int) -> Span:
    return Span(FIRST_NS, FIRST_NS + windows * STEP_NS)


def choice_of(
    *scores: WindowScore,
    windows: int = 1,
    excepted: tuple[Span, ...] = (),
    stood: tuple[Disturbance, ...] = (),
) -> WindowChoice:
    choice = WindowChoice(FURNACE, span_of(windows), excepted, stood)
    for each in scores:
        choice.add_score(each)
    return choice


def why(each: WindowScore, *stood: Disturbance, excepted: tuple[Span, ...] = ()) -> LeftOut | None:
    found = choice_of(each, excepted=excepted, stood=stood).chosen()
    assert len(found.ends_ns) + found.left_out.total() == 1
    return next(iter(found.left_out), None)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, None),
        ({"logit": -0.001}, None),
        ({"logit": 0.0}, LeftOut.HOT),
        ({"logit": None}, LeftOut.NOT_SCORED),
        ({"logit": None, "reasons": (Reason.MODEL_UNAVAILABLE,)}, LeftOut.NOT_SCORED),
        ({"logit": None, "modalities": ()}, LeftOut.NOT_WHOLE),
        ({"status": ScoreStatus.DEGRADED, "modalities": (Modality.VIDEO,)}, LeftOut.NOT_WHOLE),
        ({"reasons": (Reason.FROZEN_VIDEO,)}, LeftOut.NOT_WHOLE),
        ({"reasons": (Reason.LOST_PHASE,)}, LeftOut.NOT_WHOLE),
        ({"reasons": (Reason.CLOCK_STEP_CURRENT,)}, LeftOut.NOT_WHOLE),
        ({"reasons": ("a_word_of_a_later_version",)}, LeftOut.NOT_WHOLE),
        ({"reasons": (Reason.SCORING_LAG,)}, None),
        ({"reasons": (Reason.PORTRAIT_STALE,)}, None),
        ({"reasons": (Reason.SYNC_SKEW, Reason.LATE_VIDEO)}, None),
    ],
)
def test_a_window_counts_if_both_sides_were_whole_and_the_ensemble_saw_nothing(changes, expected):
    logit = changes.get("logit", -5.0)
    rest = {name: value for name, value in changes.items() if name != "logit"}
    assert why(score(0, logit, **rest)) is expected


@pytest.mark.parametrize(
    ("from_s", "to_s", "is_out"),
    [(-500, -120.5, False), (-500, -119, True), (-1, 1, True), (0.5, 9, False), (-500, 500, True)],
)
def test_a_stretch_is_felt_as_far_as_a_window_looks_back(from_s, to_s, is_out):
    stretch = Span(FIRST_NS + round(from_s * NS_PER_S), FIRST_NS + round(to_s * NS_PER_S))
    assert why(score(0), excepted=(stretch,)) is (LeftOut.EXCEPTED if is_out else None)
    assert why(score(0), Disturbance(stretch)) is (LeftOut.ALARM if is_out else None)


def test_novelty_keeps_no_window_from_the_next_portrait_once_nothing_judges_it():
    stood = Disturbance(Span(FIRST_NS - NS_PER_S, INT64_MAX), is_novelty=True)
    stale = score(0, novelty=novelty(), reasons=(Reason.PORTRAIT_STALE,))
    assert why(score(0, novelty=novelty()), stood) is LeftOut.ALARM
    assert why(stale, stood) is None
    assert why(score(0), stood) is None, "the portrait was retired"
    assert why(stale, stood._replace(is_novelty=False)) is LeftOut.ALARM


def test_windows_of_another_encoder_than_the_newest_are_left_out():
    old = {"encoder_id": "dct-192-a375f01fafb8"}
    found = choice_of(score(0, **old), score(1), score(2, **old), score(3), windows=4).chosen()
    assert found.encoder_id == WHOLE["encoder_id"]
    assert found.left_out == {LeftOut.OTHER_ENCODER: 2}
    other_spec = choice_of(score(0, spec_id="0" * 12), score(1), windows=2).chosen()
    assert other_spec.left_out == {LeftOut.OTHER_ENCODER: 1}


def test_of_a_window_that_was_published_twice_the_first_stands():
    found = choice_of(score(0), score(0, 9.0), windows=1).chosen()
    assert found.ends_ns == (FIRST_NS,)


def test_windows_that_no_portrait_judges_and_those_of_others_say_nothing():
    between = window_score(FIRST_NS + SPEC.hop_ns, FURNACE, 9.0, **WHOLE)
    other = window_score(FIRST_NS, "another/one", 9.0, **WHOLE)
    assert choice_of(between, other).chosen().left_out == {LeftOut.MISSING: 1}


@examples(30)
@given(st.integers(0, 40), st.integers(0, 3 * STEP_NS), st.sets(st.integers(0, 39)))
def test_every_judged_window_of_a_span_is_used_or_left_out_with_a_reason(
    windows: int, shift_ns: int, there: set[int]
) -> None:
    span = Span(FIRST_NS + shift_ns, FIRST_NS + shift_ns + windows * STEP_NS)
    choice = WindowChoice(FURNACE, span, (), ())
    for number in sorted(there):
        choice.add_score(score(number))
    found = choice.chosen()
    assert len(found.ends_ns) + found.left_out.total() == windows
    lost = found.without_lost(0)
    assert lost.total() == windows


def record(number: int, state: str, **changes: object) -> AlarmRecord:
    """A record of the n-th occurrence, which began at noon."""
    began = utc_from_ns(NOON_NS)
    fields = {
        "occurrence_id": f"o{number}",
        "active": state == "UNACK",
        "condition_time": began,
        "raise_time": began + timedelta(seconds=6),
        "clear_time": None if state == "UNACK" else began + timedelta(seconds=60),
    }
    return alarm_record(**fields | changes)


def stood(*records: AlarmRecord) -> Iterator[tuple[float, float]]:
    for span, _ in disturbances(records, NOON_NS + 3600 * NS_PER_S):
        to_s = (span.to_ns - NOON_NS) / NS_PER_S
        yield (span.from_ns - NOON_NS) / NS_PER_S, min(to_s, 10_000)


def test_an_alarm_stands_from_its_first_window_to_its_end_or_still():
    assert list(stood(record(1, "UNACK"))) == [(0, 10_000)]
    assert list(stood(record(1, "UNACK"), record(1, "NORM"))) == [(0, 60)]
    assert list(stood(record(1, "NORM"), record(2, "UNACK"))) == [(0, 60), (0, 10_000)]
    assert list(stood(record(1, "NORM", **{"class": "system"}))) == []
    assert list(stood(record(1, "NORM", raise_time=None))) == []


def test_what_a_person_has_judged_counts():
    by = {"by": "li", "at": utc_from_ns(NOON_NS + 900 * NS_PER_S)}
    false = AlarmJudgement(verdict=AlarmVerdict.FALSE_ALARM, **by)
    true = AlarmJudgement(verdict=AlarmVerdict.TRUE_ALARM, **by)
    at = {
        "from_": utc_from_ns(NOON_NS + 200 * NS_PER_S),
        "to": utc_from_ns(NOON_NS + 300 * NS_PER_S),
    }
    missed = true.model_copy(update={"missed": MissedSpan(**at)})
    cleared = record(1, "NORM")
    assert list(stood(cleared.model_copy(update={"judgement": false}))) == []
    assert list(stood(cleared.model_copy(update={"judgement": true}))) == [(0, 60)]
    assert list(stood(cleared.model_copy(update={"judgement": missed}))) == [(0, 60), (200, 300)]


def test_a_novelty_alarm_is_told_from_the_others():
    name = f"{FURNACE}/NOVELTY"
    (found,) = disturbances([record(1, "UNACK", alarm_id=name)], NOON_NS)
    assert found == Disturbance(Span(NOON_NS, INT64_MAX), is_novelty=True)
    assert ns_from_utc(utc_from_ns(NOON_NS)) == NOON_NS
