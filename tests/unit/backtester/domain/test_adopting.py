"""Whether a furnace may alarm: what speaks against it, and what is proposed."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_backtester.domain.adopting import (
    Adoption,
    FurnaceInForce,
    FurnaceWatch,
    WindowCount,
    adopted,
)
from meltwatch_backtester.domain.portrait_text import StandingPortrait
from meltwatch_backtester.domain.setpoint_finding import SetpointFinding, find_setpoint
from meltwatch_backtester.domain.span import Span
from meltwatch_backtester.domain.watch import LogOddsWatch, Said
from meltwatch_chassis.errors import BadUsage
from meltwatch_core.alarms.points import MasterAlarmList
from meltwatch_schemas.alarm import Mode
from meltwatch_schemas.alarm_point import AlarmPoint, Setpoint
from meltwatch_schemas.default_points import built_in, default_points, derived
from meltwatch_schemas.point_rules import check_point
from meltwatch_schemas.portrait import encode_portrait, portrait_id
from meltwatch_schemas.reasons import Reason
from meltwatch_schemas.score import ModelIdentity, ScoreStatus
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC

from tests.support.builders import portrait, window_score
from tests.support.examples import examples

FURNACE = "plant/hall/FMF-07"
HOP_NS = PUBLISHED_SPEC.hop_ns
DAY_WINDOWS = 86_400 * NS_PER_S // HOP_NS
DAY = Span(0, DAY_WINDOWS * HOP_NS)
MODES = st.sampled_from(Mode)


def second_level() -> AlarmPoint:
    return AlarmPoint.model_validate(derived(dict(built_in()["overheat_hh"] or {}), FURNACE))


def points_of(*written: AlarmPoint) -> FurnaceInForce:
    return FurnaceInForce(MasterAlarmList({FURNACE: written}).points(FURNACE))


def in_mode(mode: Mode) -> tuple[AlarmPoint, ...]:
    both = (*default_points(FURNACE), second_level())
    return tuple(point.model_copy(update={"mode": mode}) for point in both)


def watched(logits: list[float | None], **changes: object) -> FurnaceWatch:
    watch = FurnaceWatch()
    for number, logit in enumerate(logits):
        watch.add_score(window_score((number + 1) * HOP_NS, FURNACE, logit, **changes))
    return watch


def restless(windows: int, level: float = -6.0) -> SetpointFinding:
    """Find the set-point of a furnace whose log-odds are never alike."""
    watch = LogOddsWatch()
    values = np.random.default_rng(7).normal(level, 2.0, windows // 8).repeat(8)
    for number, logit in enumerate(values.tolist()):
        watch.add_window(Said(FURNACE, number * HOP_NS, logit, "d" * 64))
    return find_setpoint(watch, DAY, (), 0.75)


@pytest.fixture(scope="module")
def day() -> SetpointFinding:
    found = restless(int(DAY_WINDOWS))
    assert found.setpoint is not None, found.basis.refusal
    return found


def adoption(finding: SetpointFinding, objections: tuple[str, ...], mode: Mode) -> Adoption:
    first, _, second = in_mode(mode)
    count = WindowCount(60_000, Counter({ScoreStatus.SCORED: 60_000}))
    points = (first, second)
    return Adoption(FURNACE, DAY, 0.75, count, finding, objections, points, "none stands", None)


@pytest.mark.parametrize("mode", Mode)
def test_who_may_alarm_gets_the_own_set_point_in_every_mode(day, mode):
    found = adoption(day, (), mode)
    first, second = found.proposal()
    assert found.may_alarm
    assert first.setpoint == day.setpoint
    assert first.setpoint_digest == second.setpoint_digest == "d" * 64
    distance = second.setpoint.logit_on - first.setpoint.logit_on
    assert distance == pytest.approx(3.0), "the second level stays as far above the first"
    assert second.setpoint.logit_on > second.setpoint.logit_off > first.setpoint.logit_on
    wanted = Mode.ALARM if mode is Mode.SHADOW else mode
    assert {first.mode, second.mode} == {wanted}, "advisory was somebody's choice"
    assert all(check_point(each) is each for each in (first, second))


@examples(40)
@given(objections=st.lists(st.text(min_size=1), min_size=1, max_size=3).map(tuple), mode=MODES)
def test_who_may_not_alarm_is_never_made_louder(day, objections, mode):
    found = adoption(day, objections, mode)
    assert not found.may_alarm
    assert found.setpoint is None
    for new in found.proposal():
        (old,) = (each for each in found.points if each.alarm_id == new.alarm_id)
        assert (old.mode, new.mode) == (Mode.ALARM, Mode.SHADOW)
        assert new == old.model_copy(update={"mode": Mode.SHADOW})
    assert bool(found.proposal()) == (mode is Mode.ALARM)
    assert "may not alarm" in next(iter(found.lines()))


@examples(200)
@given(*[st.integers(0, 9)] * 3)
def test_windows_speak_against_it_where_most_are_blind_or_of_one_modality(whole, half, none):
    count = WindowCount(
        30,
        Counter(
            {
                ScoreStatus.SCORED: whole,
                ScoreStatus.DEGRADED: half,
                ScoreStatus.UNSCORED: none,
            }
        ),
    )
    said = list(count.objections())
    assert any("blind" in each for each in said) == (whole + half < none)
    assert any("mostly degraded" in each for each in said) == (half > whole)


def test_a_window_counts_once_and_the_first_publication_stands():
    watch = watched([None, -3.0, -4.0])
    watch.add_score(window_score(HOP_NS, FURNACE, -3.0))
    watch.add_score(window_score(2 * HOP_NS, FURNACE, None))
    count = watch.count(Span(HOP_NS, 11 * HOP_NS))
    assert (count.asked, count.found, count.judged) == (10, 3, 2)
    assert count.of[ScoreStatus.UNSCORED] == 1


@pytest.mark.parametrize(
    ("logits", "changes", "objection"),
    [
        ([-6.0, -5.0] * 40, {}, "expected 50 separate peaks to fit, got"),
        ([-6.0], {}, "expected normal windows"),
        ([-6.0] * 40, {}, "expected normal windows that differ"),
        ([None] * 40, {}, "it was blind: expected a verdict on half of its 40 windows"),
        ([-6.0, -5.0] * 40, {"status": ScoreStatus.DEGRADED}, "mostly degraded: 80 of 80"),
    ],
)
def test_too_little_is_told_as_what_it_is(logits, changes, objection):
    found = adopted((FURNACE, watched(logits, **changes)), DAY, (), 0.75, points_of())
    assert not found.may_alarm
    assert any(objection in each for each in found.objections), found.objections
    told = found.document()
    assert told["may_alarm"] is False
    assert told["objections"] == list(found.objections)


def test_scores_of_two_models_give_no_set_point():
    watch = watched([-6.0, -5.0] * 40)
    other = window_score(99 * HOP_NS, FURNACE, -3.0)
    watch.add_score(replace(other, model=ModelIdentity("fmformer", "2", "1" * 64)))
    found = adopted((FURNACE, watch), DAY, (), 0.75, points_of())
    assert any("expected scores of one model" in each for each in found.objections)


def test_a_furnace_that_hides_its_faults_is_told(day):
    assert not any(
        "above the default one" in each for each in adoption(day, (), Mode.ALARM).cautions()
    )
    high = restless(int(DAY_WINDOWS), level=3.0)
    said = list(adoption(high, (), Mode.ALARM).cautions())
    assert any("above the default one" in each for each in said)


def test_without_windows_or_a_first_level_there_is_nothing_to_decide():
    with pytest.raises(BadUsage, match="expected windows of plant/hall/FMF-07"):
        adopted((FURNACE, FurnaceWatch()), DAY, (), 0.75, points_of())
    with pytest.raises(BadUsage, match="FMF-07/OVERHEAT, it has none"):
        adopted((FURNACE, watched([-1.0])), DAY, (), 0.75, points_of(second_level()))


def test_whether_a_portrait_stands_and_what_to_do_is_told():
    value = encode_portrait(portrait(furnace_id=FURNACE))
    shown, own_id = StandingPortrait(portrait(furnace_id=FURNACE), value), portrait_id(value)
    told = {}
    for name, stands, reasons in (
        ("none", None, ()),
        ("fresh", shown, ()),
        ("stale", shown, (Reason.PORTRAIT_STALE,)),
    ):
        watch = watched([-6.0, -5.0, -4.0])
        watch.add_score(window_score(99 * HOP_NS, FURNACE, -3.0, reasons=reasons))
        watch.add_score(window_score(98 * HOP_NS, FURNACE, -3.0))
        in_force = replace(points_of(), portrait=stands)
        found = adopted((FURNACE, watch), DAY, (), 0.75, in_force)
        (told[name],) = (line for line in found.lines() if line.startswith("portrait"))
        assert found.document()["portrait"] == (own_id if stands else None)
    make = f"meltwatch portrait fit --furnace {FURNACE} --from -24h --publish"
    assert told["none"].endswith(f"none stands; after a day of normal operation: {make}")
    assert own_id[:16] in told["fresh"]
    assert make not in told["fresh"]
    assert told["stale"] == f"{told['fresh']}; stale, make a new one: {make}"


def test_neither_the_rule_on_currents_nor_system_alarms_are_adopted(day):
    found = adopted(
        (FURNACE, watched([-6.0, -5.0])), DAY, (), 0.75, points_of(*in_mode(Mode.ALARM))
    )
    assert [point.condition for point in found.points] == ["OVERHEAT", "OVERHEAT_HH"]
    assert {point.condition for point in found.proposal()} == {"OVERHEAT", "OVERHEAT_HH"}


def test_a_set_point_that_stands_already_is_not_proposed_again(day):
    first, second = adoption(day, (), Mode.SHADOW).proposal()
    again = replace(adoption(day, (), Mode.ALARM), points=(first, second))
    assert [point.alarm_id for point in again.proposal()] == []
    assert isinstance(again.setpoint, Setpoint)
