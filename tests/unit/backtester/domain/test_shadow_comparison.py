"""An ensemble in shadow beside the live one: pairs, agreement, raises, and what is refused."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_backtester.domain.shadow_comparison import EnsembleWatch, ShadowComparison, compared
from meltwatch_backtester.domain.span import Span
from meltwatch_chassis.errors import BadUsage
from meltwatch_schemas.alarm_point import Setpoint
from meltwatch_schemas.default_points import default_points
from meltwatch_schemas.score import Features, ModelIdentity, ScoreStatus
from meltwatch_schemas.window import PUBLISHED_SPEC

from tests.support.builders import window_score
from tests.support.examples import examples

FURNACE = "plant/hall/FMF-01"
HOP_NS = PUBLISHED_SPEC.hop_ns
SPAN = Span(0, 10_000 * HOP_NS)
POINTS = {FURNACE: default_points(FURNACE)[0]}
Logits = list[float | None]
SOME = st.lists(st.one_of(st.none(), st.floats(-9, 9, width=16)), min_size=1, max_size=40)


def watched(logits: Logits, digest: str, first: int = 1, **changes: object) -> EnsembleWatch:
    watch = EnsembleWatch()
    for number, logit in enumerate(logits, first):
        made = window_score(number * HOP_NS, FURNACE, logit, **changes)
        watch.add_score(replace(made, model=ModelIdentity("fmformer", "1", digest)))
    return watch


def held(live: Logits, shadow: Logits, candidate: Setpoint | None = None) -> ShadowComparison:
    watches = watched(live, "a" * 64), watched(shadow, "b" * 64)
    return compared(SPAN, watches, POINTS, candidate)


@examples(200)
@given(SOME, SOME)
def test_each_window_counts_once_and_both_orders_say_the_same(live, shadow):
    here, there = held(live, shadow), held(shadow, live)
    alone = here.pairs["live alone"], here.pairs["shadow alone"]
    assert alone == (there.pairs["shadow alone"], there.pairs["live alone"])
    shared = here.pairs.total() - sum(alone)
    assert (shared + alone[0], shared + alone[1]) == (len(live), len(shadow))
    assert here.agreement.total() == here.pairs["same content"] == here.live_logits.size
    assert here.agreed == there.agreed
    assert here.answer().more == there.answer().fewer
    assert here.correlation == pytest.approx(there.correlation)
    assert here.document()["live"]["model_digest"] == "a" * 64
    assert list(here.lines())


def test_an_ensemble_agrees_with_itself():
    logits: Logits = [-3.0, -2.5, 5.0, None, 5.5, 5.0, 5.0, 5.0, 5.0, 5.0, -4.0]
    found = held(logits, logits)
    assert (found.correlation, found.agreed) == (pytest.approx(1.0), 1.0)
    assert found.mean_difference == 0.0
    answer = found.answer()
    assert (answer.before, answer.after, answer.more, answer.fewer) == (1, 1, 0, 0)


def test_a_raise_that_one_has_is_told_with_its_time():
    calm: Logits = [-3.0] * 30
    hot: Logits = [*calm[:10], *[6.0] * 10, *calm[20:]]
    found = held(calm, hot)
    assert (found.answer().more, found.answer().fewer) == (1, 0)
    assert any("shadow alone: plant/hall/FMF-01/OVERHEAT at " in line for line in found.lines())
    assert found.agreement["above shadow alone"] == 10
    higher = Setpoint(logit_on=7.0, logit_off=5.0, on_delay_s=5.5, off_delay_s=4.0)
    by_its_own = held(calm, hot, higher)
    assert by_its_own.answer().more == 0
    assert by_its_own.agreement["below both"] == 30


@pytest.mark.parametrize("seen", [{"video_coverage": 0.9}, {"features": Features(imbalance=0.02)}])
def test_only_windows_of_the_same_content_are_compared_by_their_logits(seen):
    watches = watched([-3.0, -2.0], "a" * 64), watched([-3.0, -2.0], "b" * 64, **seen)
    found = compared(SPAN, watches, POINTS, None)
    assert (found.pairs["same content"], found.pairs["other content"]) == (0, 2)
    assert (found.correlation, found.agreed, found.mean_difference) == (None, None, None)


def test_what_was_dropped_is_counted_with_its_reason():
    watch = watched([-3.0, None], "b" * 64, reasons=("overload",))
    found = compared(SPAN, (watched([-3.0, -3.0], "a" * 64), watch), POINTS, None)
    told = found.document()["shadow"]
    assert told["windows"] == {"scored": 1, "degraded": 0, "unscored": 1}
    assert told["unscored_for"] == {"overload": 1}
    assert found.pairs["verdict of live alone"] == 1
    assert watch.statuses[ScoreStatus.UNSCORED] == 1


def test_the_first_publication_of_a_window_stands():
    watch = watched([-3.0], "a" * 64)
    watch.add_score(
        replace(window_score(HOP_NS, FURNACE, 9.0), model=ModelIdentity("f", "1", "a" * 64))
    )
    assert watch.of(FURNACE).logits.tolist() == [-3.0]
    assert watch.of("nobody").ends_ns.size == 0


def test_one_model_is_asked_for_on_each_side():
    one = watched([-3.0], "a" * 64)
    with pytest.raises(BadUsage, match=r"expected shadow scores of one model .* got none"):
        compared(SPAN, (one, EnsembleWatch()), POINTS, None)
    two = watched([-3.0], "b" * 64)
    two.add_score(
        replace(window_score(9 * HOP_NS, FURNACE), model=ModelIdentity("f", "1", "c" * 64))
    )
    with pytest.raises(BadUsage, match=r"expected shadow scores of one model .* got bbbb"):
        compared(SPAN, (one, two), POINTS, None)
