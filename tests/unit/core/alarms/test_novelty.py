"""NOVELTY: judged from what a score says of the furnace's portrait, whatever a model had to say."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_core.alarms.points import point_of
from meltwatch_schemas.alarm import AlarmRecord, Mode, Priority
from meltwatch_schemas.alarm_point import AlarmPoint
from meltwatch_schemas.default_points import default_points
from meltwatch_schemas.instants import utc_from_ns
from meltwatch_schemas.novelty import Novelty
from meltwatch_schemas.outside import FurnaceStateWord
from meltwatch_schemas.point_rules import NOVELTY
from meltwatch_schemas.score import Modality, WindowScore
from meltwatch_schemas.window import NS_PER_S
from meltwatch_schemas.wording import patch_text

from tests.support.examples import examples
from tests.unit.core.alarms.samples import (
    DIGEST,
    FURNACE,
    HOP_NS,
    command_fields,
    command_record,
    novelty_point,
    score,
    score_record,
    window_end,
)
from tests.unit.core.alarms.topic_log import NOW_NS, SCORES, TopicLog, without_run
from tests.unit.core.alarms.virtual_plant import VirtualPlant

NOVELTY_ID = f"{FURNACE}/{NOVELTY}"
OVERHEAT_ID = f"{FURNACE}/OVERHEAT"
ON, OFF = (-(-delay_s * NS_PER_S // HOP_NS) for delay_s in (20, 120))
"""Hops from the first window that speaks for a change to the one that brings it."""
FIRST, SECOND = "a" * 64, "b" * 64


POINTS = (*default_points(FURNACE), novelty_point())


def unlike(
    *numbers: int,
    video: float | None = 4.25,
    current: float | None = 0.5,
    portrait: str = FIRST,
    peak: tuple[int, int] | None = (1, 2),
    logit: float | None = -3.0,
    **changes: Any,
) -> list[WindowScore]:
    seen = Novelty(portrait=portrait, video=video, current=current, peak=peak)
    return [replace(score(number, logit, **changes), novelty=seen) for number in numbers]


def usual(*numbers: int, **changes: Any) -> list[WindowScore]:
    return unlike(*numbers, **({"video": 0.5} | changes))


def judged(scores: Iterable[WindowScore], points: tuple[AlarmPoint, ...] = POINTS) -> TopicLog:
    log = TopicLog(points={FURNACE: points})
    log.judge(list(scores))
    return log


def records_of(
    scores: Iterable[WindowScore], points: tuple[AlarmPoint, ...] = POINTS
) -> list[AlarmRecord]:
    return [each for each in judged(scores, points).alarms() if each.alarm_id == NOVELTY_ID]


def causes(records: list[AlarmRecord]) -> list[str]:
    return [record.transition.cause for record in records]


def test_it_raises_after_twenty_seconds_and_clears_after_two_minutes() -> None:
    last = ON + 1 + OFF
    raised, cleared = records_of([*unlike(*range(ON + 1)), *usual(*range(ON + 1, last + 1))])

    assert causes([raised, cleared]) == ["RAISE", "CLEAR"]
    assert raised.condition_time == utc_from_ns(window_end(0))
    assert raised.raise_time == utc_from_ns(window_end(0) + 20 * NS_PER_S)
    assert cleared.clear_time == utc_from_ns(window_end(ON + 1) + 120 * NS_PER_S)
    assert records_of([*unlike(*range(ON)), *usual(ON), *unlike(*range(ON + 1, 2 * ON + 1))]) == []
    assert len(records_of([*unlike(*range(ON + 1)), *usual(*range(ON + 1, last))])) == 1


def test_it_is_advice_that_makes_no_sound_and_says_what_is_unlike_and_where() -> None:
    (raised,) = records_of(unlike(*range(ON + 1)))

    assert (raised.priority, raised.class_, raised.mode, raised.audible) == (
        Priority.LOW,
        "process",
        Mode.ADVISORY,
        False,
    )
    since = f"{utc_from_ns(window_end(0)):%H:%M:%S} UTC"
    assert raised.message == (
        "Unlike its own normal operation: picture upper left, "
        f"surprise 4.25 since {since}, alarm from 3"
    )
    assert raised.guidance.action.startswith("It cannot say what is wrong. Look.")
    evidence = raised.evidence
    assert evidence.novelty is not None
    assert evidence.novelty.model_dump() == {
        "portrait": FIRST,
        "video": 4.25,
        "current": 0.5,
        "row": 1,
        "column": 2,
    }
    assert (evidence.novelty_on, evidence.novelty_off) == (3.0, 2.5)
    assert evidence.score is evidence.probability is evidence.members is evidence.imbalance is None
    assert raised.model.name == "none"


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        ({"video": 4.0, "current": 0.1, "peak": (3, 4)}, "picture middle, surprise 4 since"),
        ({"video": 4.0, "current": 0.1, "peak": (7, 3)}, "picture lower middle, surprise 4 since"),
        ({"video": 4.0, "current": 3.0, "peak": (0, 5)}, "picture upper right and currents, surp"),
        ({"video": 2.4, "current": 12.0, "peak": (0, 5)}, ": currents, surprise 12 since"),
        ({"video": None, "current": 3.5, "peak": None}, ": currents, surprise 3.5 since"),
        ({"video": 3.5, "current": None, "peak": None}, ": picture, surprise 3.5 since"),
    ],
)
def test_the_message_names_what_is_unlike(seen: dict[str, Any], said: str) -> None:
    (raised,) = records_of(unlike(*range(ON + 1), **seen))
    assert said in raised.message


@pytest.mark.parametrize("later", [2.7, 2.5])
def test_what_speaks_not_for_clearing_is_unlike_still(later: float) -> None:
    """The window that raises may lie between the thresholds: its delay began above them."""
    (raised,) = records_of([*unlike(0), *unlike(*range(1, ON + 1), video=later)])
    assert f"picture upper left, surprise {later:g} since" in raised.message


def test_one_that_was_never_raised_is_shelved_with_its_own_thresholds() -> None:
    log = TopicLog(points={FURNACE: POINTS})
    pipeline = log.take_over()
    fields = command_fields("shelve", alarm_id=NOVELTY_ID, arguments={"duration_s": 60})
    log.write(pipeline.handle_record(command_record(fields, key=NOVELTY_ID), NOW_NS), pipeline)
    (shelved,) = log.alarms()
    evidence = shelved.evidence
    assert (evidence.novelty, evidence.novelty_on, evidence.novelty_off) == (None, 3.0, 2.5)


def test_it_is_over_in_words_without_a_place() -> None:
    scores = [*unlike(*range(ON + 1)), *usual(*range(ON + 1, ON + OFF + 2))]
    assert records_of(scores)[-1].message == (
        "Unlike its own normal operation: returned to normal, surprise 0.5, alarm from 3"
    )


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ((0, 0), "upper left"),
        ((2, 2), "upper left"),
        ((3, 2), "middle left"),
        ((4, 5), "middle right"),
        ((5, 3), "lower middle"),
        ((7, 7), "lower right"),
        ((3, 4), "middle"),
    ],
)
def test_places_are_thirds_of_the_picture(place: tuple[int, int], words: str) -> None:
    assert patch_text(*place) == words


@pytest.mark.parametrize("modalities", [(), (Modality.CURRENT,), tuple(Modality)])
def test_windows_that_no_model_scored_count_as_well(modalities: tuple[Modality, ...]) -> None:
    """A portrait asks no network: while Triton is away it is what is left."""
    (raised,) = records_of(unlike(*range(ON + 1), logit=None, modalities=modalities))
    assert causes([raised]) == ["RAISE"]


@given(st.floats(-50, 1) | st.none())
def test_no_verdict_of_a_model_has_a_part_in_it(logit: float | None) -> None:
    assert len(records_of(unlike(*range(ON + 1), logit=logit))) == 1
    assert records_of(usual(*range(ON + 1), logit=logit)) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"novelty": None},
        {"novelty": Novelty(portrait=FIRST)},
        {"reasons": ("portrait_stale",)},
        {"reasons": ("no_video", "portrait_stale")},
    ],
)
def test_what_cannot_be_compared_neither_raises_nor_clears_nor_lets_a_delay_run(
    changes: dict[str, Any],
) -> None:
    def unknown(scores: list[WindowScore]) -> list[WindowScore]:
        return [replace(each, **changes) for each in scores]

    assert records_of(unknown(unlike(*range(3 * ON)))) == []
    standing = [*unlike(*range(ON + 1)), *unknown(usual(*range(ON + 1, ON + 2 * OFF)))]
    assert causes(records_of(standing))[:1] == ["RAISE"]
    assert records_of(standing)[-1].active
    # Ten hops of the delay passed before the gap: what is left of it passes behind it.
    gap = unknown(unlike(*range(11, 60)))
    behind = unlike(*range(60, 60 + ON))
    (raised,) = records_of([*unlike(*range(11)), *gap, *behind])
    assert raised.raise_time == utc_from_ns(window_end(60) + 20 * NS_PER_S - 10 * HOP_NS)


def test_between_the_thresholds_what_was_decided_stands() -> None:
    between = unlike(*range(ON + 1, 3 * OFF), video=2.7)

    assert causes(records_of([*unlike(*range(ON + 1)), *between])) == ["RAISE"]
    assert records_of(between) == []


def test_another_portrait_begins_a_delay_anew_and_clears_a_standing_alarm_by_itself() -> None:
    change = ON // 2
    begun = [*unlike(*range(change)), *unlike(*range(change, change + ON), portrait=SECOND)]
    assert records_of(begun) == []
    (raised,) = records_of([*begun, *unlike(change + ON, portrait=SECOND)])
    assert raised.condition_time == utc_from_ns(window_end(change))
    assert raised.evidence.novelty is not None
    assert raised.evidence.novelty.portrait == SECOND

    stands = unlike(*range(ON + 1))
    same = [*stands, *unlike(*range(ON + 1, ON + OFF), portrait=SECOND)]
    assert causes(records_of(same)) == ["RAISE"]
    # Half of the off-delay under the first portrait does not count towards the second's.
    half = ON + 1 + OFF // 2
    clearing = [*stands, *usual(*range(ON + 1, half))]
    renewed = [*clearing, *usual(*range(half, half + OFF), portrait=SECOND)]
    assert causes(records_of(renewed)) == ["RAISE"]
    assert causes(records_of([*renewed, *usual(half + OFF, portrait=SECOND)])) == ["RAISE", "CLEAR"]


def test_votes_of_another_portrait_do_not_count() -> None:
    points = (novelty_point(k=3, n=5),)
    two = unlike(0, 1)
    assert causes(records_of([*two, *unlike(2)], points)) == ["RAISE"]
    assert records_of([*two, *unlike(2, 3, portrait=SECOND)], points) == []
    assert causes(records_of([*two, *unlike(2, 3, 4, portrait=SECOND)], points)) == ["RAISE"]


def test_a_portrait_has_no_part_in_what_others_judge() -> None:
    """A new portrait in the middle of an on-delay of OVERHEAT changes nothing of it."""
    hot = [score(number, 6.0) for number in range(2 * ON)]
    changing = [
        replace(each, novelty=Novelty(portrait=(FIRST, SECOND)[number % 2], video=0.1))
        for number, each in enumerate(hot)
    ]
    plain, told = (
        [without_run(each) for each in judged(scores).alarms() if each.alarm_id == OVERHEAT_ID]
        for scores in (hot, changing)
    )
    assert plain == told != []


def test_an_overheat_that_stands_masks_it_until_it_is_over() -> None:
    hot = 200
    both = unlike(*range(hot), logit=9.0)
    log = judged([*both, *unlike(*range(hot, hot + 100), logit=-9.0)])
    overheat = [each for each in log.alarms() if each.alarm_id == OVERHEAT_ID]
    own = [each for each in log.alarms() if each.alarm_id == NOVELTY_ID]

    assert causes(overheat) == ["RAISE", "CLEAR"]
    assert (own[0].transition.cause, own[0].state, own[0].suppressed) == (
        "RAISE",
        "DSUPR",
        ["masked"],
    )


@pytest.mark.parametrize("condition", ["NOVELTY", "CURRENT_IMBALANCE"])
def test_the_ensemble_of_a_set_point_that_no_ensemble_judges_means_nothing(condition: str) -> None:
    digests = {"OVERHEAT": DIGEST, condition: "f" * 64}
    points = tuple(
        each.model_copy(update={"setpoint_digest": digests.get(each.condition)}) for each in POINTS
    )
    assert judged(usual(*range(3 * ON)), points).alarms() == []


def plant_with_portraits() -> VirtualPlant:
    names = ("a/F1", "a/F2")
    points = {name: (*default_points(name), novelty_point(name)) for name in names}
    return VirtualPlant(names, TopicLog(points=points))


def strange(furnace_id: str, **changes: Any) -> Callable[[str, float], dict[str, Any]]:
    """Make one furnace unlike its portrait, and the other as usual."""

    def fault(name: str, _second: float) -> dict[str, Any]:
        seen = Novelty(portrait=FIRST, video=4.0 if name == furnace_id else 0.5, peak=(0, 0))
        return {"novelty": seen} | (changes if name == furnace_id else {})

    return fault


def states(records: list[AlarmRecord]) -> list[tuple[str, str]]:
    return [(each.alarm_id.rpartition("/")[2], each.state.value) for each in records]


def test_of_a_fault_that_becomes_an_overheat_one_announcement_stands() -> None:
    plant = plant_with_portraits()
    assert states(plant.run(60, strange("a/F1"))) == [(NOVELTY, "UNACK")]
    told = states(plant.run(30, strange("a/F1", logit=9.0)))
    assert told == [("OVERHEAT", "UNACK"), (NOVELTY, "DSUPR")]
    plant.take_over()
    assert plant.run(30, strange("a/F1", logit=9.0)) == []
    told = states(plant.run(60, strange("a/F1", logit=-9.0)))
    assert told == [("OVERHEAT", "RTNUN"), (NOVELTY, "UNACK")]
    assert states(plant.run(200, strange("a/F2")))[0] == (NOVELTY, "UNACK")
    assert plant.record("a/F1/NOVELTY").state == "RTNUN"
    assert {each.alarm_id.rpartition("/")[2] for each in plant.log.alarms()} == {
        NOVELTY,
        "OVERHEAT",
    }


def test_in_maintenance_nobody_is_told_that_nothing_is_as_usual() -> None:
    plant = plant_with_portraits()
    plant.say("a/F1", FurnaceStateWord.MAINTENANCE)
    (raised,) = plant.run(60, strange("a/F1"))
    assert (raised.state, raised.suppressed) == ("DSUPR", ["furnace_state"])
    plant.say("a/F1", FurnaceStateWord.MELTING)
    assert states(plant.run(10, strange("a/F1"))) == [(NOVELTY, "UNACK")]


def test_while_the_portrait_is_stale_that_is_told_and_the_alarm_waits_for_a_new_one() -> None:
    plant = plant_with_portraits()
    plant.run(60, strange("a/F1"))
    stale = strange("a/F1", reasons=("portrait_stale",))
    assert states(plant.run(600, stale)) == [("PORTRAIT_STALE", "UNACK")]
    assert plant.record("a/F1/NOVELTY").active
    told = plant.run(200, strange("a/F2"))
    assert {(each.alarm_id, each.state.value) for each in told} == {
        ("a/F1/NOVELTY", "RTNUN"),
        ("a/F1/PORTRAIT_STALE", "RTNUN"),
        ("a/F2/NOVELTY", "UNACK"),
    }


def test_nobody_has_it_who_has_not_written_a_threshold() -> None:
    log = TopicLog()
    log.judge(unlike(*range(3 * ON), video=12.0))
    assert log.alarms() == []


def test_a_record_keeps_the_thresholds_of_a_point_that_no_list_holds_any_more() -> None:
    (raised,) = records_of(unlike(*range(ON + 1)))
    again = point_of(raised).setpoint

    assert (again.on, again.off, again.novelty_on, again.novelty_off) == (3.0, 2.5, 3.0, 2.5)


@pytest.mark.parametrize(
    "changes",
    [
        {"video": 12.0, "peak": (0, 0)},
        {"video": 12.0, "current": 12.0, "peak": (7, 7)},
        {"portrait": "0" * 64},
        {"peak": None},
    ],
)
def test_the_ends_of_what_a_score_may_say_are_judged(changes: dict[str, Any]) -> None:
    (raised,) = records_of(unlike(*range(ON + 1), **changes))
    assert len(raised.message) < 200


# -- the same, said by searching the whole past ------------------------------------------------

LEVELS = st.sampled_from([4.0, 3.0, 2.75, 2.5, 1.0])
SIGHTS = st.tuples(
    st.sampled_from([1, 1, 1, 1, 2, 3]),
    LEVELS | st.none(),
    LEVELS | st.none(),
    st.sampled_from([FIRST] * 6 + [SECOND]),
    st.sampled_from(["", "", "", "", "stale", "none"]),
)


@st.composite
def courses(draw: st.DrawFn) -> list[WindowScore]:
    """Windows of one furnace, some missing, some not compared, portraits that change."""
    number, course = 0, []
    for hops, video, current, portrait, lack in draw(st.lists(SIGHTS, max_size=50)):
        number += hops
        reasons = ("portrait_stale",) if lack == "stale" else ()
        (made,) = unlike(number, video=video, current=current, portrait=portrait, reasons=reasons)
        course.append(replace(made, novelty=None) if lack == "none" else made)
    return course


def oracle(course: list[WindowScore], point: AlarmPoint) -> list[tuple[str, int, int]]:
    """Say cause, first window and instant of each change by looking at the whole past each time."""
    on, off = point.setpoint.novelty_on or 0.0, point.setpoint.novelty_off or 0.0
    seen = [
        (each.window_end_ns, max(levels), each.novelty.portrait)
        for each in course
        if each.novelty is not None and "portrait_stale" not in each.reasons
        for levels in [[x for x in (each.novelty.video, each.novelty.current) if x is not None]]
        if levels
    ]
    found: list[tuple[str, int, int]] = []
    active, begin = False, 0
    for now, (end_ns, *_) in enumerate(seen):
        first = None
        for at in range(begin, now + 1):
            _, level, whose = seen[at]
            speaks, against = (level < off, level >= on) if active else (level >= on, level < off)
            if against or (at > begin and whose != seen[at - 1][2]):
                first = None
            if speaks and first is None:
                first = at
        if first is None:
            continue
        steps = (seen[at + 1][0] - seen[at][0] for at in range(first, now))
        held_ns = sum(step for step in steps if step <= 2 * HOP_NS)
        delay_s = point.setpoint.off_delay_s if active else point.setpoint.on_delay_s
        excess_ns = held_ns - round(delay_s * NS_PER_S)
        if excess_ns >= 0:
            found.append(("CLEAR" if active else "RAISE", seen[first][0], end_ns - excess_ns))
            active, begin = not active, now + 1
    return found


DELAYS_S = st.sampled_from([0.0, 1.44, 4.0, 8.64])


@examples(60)
@given(courses(), DELAYS_S, DELAYS_S)
def test_it_decides_as_a_search_through_the_past_does(
    course: list[WindowScore], on_delay_s: float, off_delay_s: float
) -> None:
    point = novelty_point(on_delay_s=on_delay_s, off_delay_s=off_delay_s)
    told = []
    for record in records_of(course, (point,)):
        if record.transition.cause == "RAISE":
            told.append(("RAISE", record.condition_time, record.raise_time))
        elif record.transition.cause == "CLEAR":
            told.append(("CLEAR", None, record.clear_time))
    wanted = [
        (cause, utc_from_ns(first) if cause == "RAISE" else None, utc_from_ns(at))
        for cause, first, at in oracle(course, point)
    ]
    assert told == wanted


@examples(40)
@given(courses(), st.data())
def test_a_manager_that_dies_at_any_moment_goes_on_with_the_same_delay(
    course: list[WindowScore], data: st.DataObject
) -> None:
    points = (novelty_point(on_delay_s=5.0, off_delay_s=8.64),)
    calm = judged(course, points).alarms()

    log = TopicLog(points={FURNACE: points})
    pipeline, offset = log.take_over(), 0
    deaths = data.draw(st.lists(st.booleans(), max_size=12))
    while offset < len(course):
        size = data.draw(st.integers(1, 6))
        part = list(enumerate(course))[offset : offset + size]
        written = [
            out
            for place, each in part
            for out in pipeline.handle_record(score_record(each, place), NOW_NS)
        ]
        if deaths and deaths.pop():
            pipeline = log.take_over()
            commit = log.commits[SCORES]
            offset = commit.offset if commit else 0
            continue
        log.write(written, pipeline)
        offset += size
    assert [without_run(each) for each in log.alarms()] == [without_run(each) for each in calm]
