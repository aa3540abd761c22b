"""An alarm point is its class and what differs; what is wrong is told by its place, all of it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_schemas.alarm_point import AlarmPoint, Setpoint
from meltwatch_schemas.default_points import built_in, default_points
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.point_classes import Resolver
from meltwatch_schemas.point_rules import check_point
from pydantic import ValidationError

FURNACE = "site/area/F-1"
SHELL: dict[str, Any] = {
    "title": "Shell",
    "condition": "OVERHEAT",
    "priority": "high",
    "consequence_if_no_action": "It melts.",
    "operator_action": "Cool it.",
    "time_to_respond_s": 300,
    "setpoint": {"logit_on": 3.0, "logit_off": 1.0, "on_delay_s": 5.5},
    "setpoint_basis": "a backtest",
    "setpoint_digest": "abc",
}
REQUIRED = ("consequence_if_no_action", "operator_action", "time_to_respond_s")


def made(entry: dict[str, Any], classes: Any = None) -> tuple[Any, Resolver]:
    """Return an entry made whole under a furnace, and who made it."""
    resolver = Resolver()
    resolver.take_classes({"shell": SHELL} if classes is None else classes)
    furnace = {"alarm_points": [entry]}
    resolver.make_whole(furnace, ("furnaces", 0), FURNACE)
    return furnace["alarm_points"][0], resolver


def test_an_instance_is_its_class_under_its_furnace() -> None:
    whole, resolver = made({"alarm_class": "shell"})

    point = AlarmPoint.model_validate(whole)
    assert resolver.faults == []
    assert (point.alarm_id, point.equipment_path) == (f"{FURNACE}/OVERHEAT", FURNACE)
    assert (point.alarm_class, point.title, point.setpoint.on_delay_s) == ("shell", "Shell", 5.5)


@given(st.sets(st.sampled_from(sorted(set(SHELL) - {"setpoint"}))))
def test_what_an_instance_says_stands_and_the_rest_is_the_classes(own: set[str]) -> None:
    other = SHELL | {"title": "Mine", "priority": "low", "time_to_respond_s": 60}
    whole, _ = made({name: other[name] for name in own} | {"alarm_class": "shell"})

    assert {name: whole[name] for name in SHELL} == {
        name: (other if name in own else SHELL)[name] for name in SHELL
    }


def test_a_set_point_differs_number_by_number_and_then_rests_on_nothing_of_the_classes() -> None:
    whole, _ = made({"alarm_class": "shell", "setpoint": {"logit_on": 4.0}})
    assert whole["setpoint"] == SHELL["setpoint"] | {"logit_on": 4.0}
    assert whole["setpoint_basis"] is whole["setpoint_digest"] is None

    patient, _ = made({"alarm_class": "shell", "setpoint": {"on_delay_s": 9.0}})
    assert patient["setpoint_basis"] == "a backtest"


@pytest.mark.parametrize("missing", REQUIRED)
@pytest.mark.parametrize("said", [None, "", " ", 0])
def test_a_class_that_tells_an_operator_nothing_is_refused_by_its_name(
    missing: str, said: Any
) -> None:
    shared = {name: value for name, value in SHELL.items() if name != missing}
    if said is not None:
        shared[missing] = said
    whole, resolver = made({"alarm_class": "shell"}, {"shell": shared})

    assert whole is None
    (fault,) = resolver.faults
    assert fault.place == ("alarm_classes", "shell", missing)


@pytest.mark.parametrize(
    ("classes", "place"),
    [
        ([], ("alarm_classes",)),
        ({"shell": 5}, ("alarm_classes", "shell")),
        ({"shell": SHELL | {"titel": "x"}}, ("alarm_classes", "shell", "titel")),
        ({"shell": SHELL | {"alarm_id": "a/X"}}, ("alarm_classes", "shell", "alarm_id")),
        ({"shell": SHELL | {"class": "system"}}, ("alarm_classes", "shell", "class")),
        ({"shell": SHELL, "overheat": SHELL}, ("alarm_classes", "overheat")),
        ({}, ("furnaces", 0, "alarm_points", 0, "alarm_class")),
    ],
)
def test_what_is_wrong_with_a_class_is_told_by_its_place(
    classes: Any, place: tuple[int | str, ...]
) -> None:
    _, resolver = made({"alarm_class": "shell"}, classes)

    assert [fault.place for fault in resolver.faults][:1] == [place]


@given(st.recursive(st.none() | st.text() | st.integers(), lambda inner: st.lists(inner)
       | st.dictionaries(st.sampled_from([*SHELL, "alarm_class", "shell"]), inner)))  # fmt: skip
def test_no_file_ends_the_reader(value: Any) -> None:
    resolver = Resolver()
    resolver.take_classes(value)
    resolver.make_whole({"alarm_points": [value]}, (), value)


@pytest.mark.parametrize(
    ("built", "own"),
    [
        ("overheat", {"logit_on": 9.0}),
        ("current_imbalance", {"imbalance_on": 0.3}),
        ("novelty", {"novelty_on": 3.0, "novelty_off": 2.5}),
    ],
)
def test_whatever_a_threshold_is_on_it_rests_on_nothing_of_the_classes(
    built: str, own: dict[str, float]
) -> None:
    whole, _ = made({"alarm_class": built, "setpoint": own})
    assert whole["setpoint_basis"] is whole["setpoint_digest"] is None
    check_point(AlarmPoint.model_validate(whole))


def test_novelty_lacks_the_threshold_alone_and_says_what_to_write() -> None:
    whole, resolver = made({"alarm_class": "novelty"})
    with pytest.raises(ContractViolation) as refused:
        check_point(AlarmPoint.model_validate(whole))
    assert resolver.faults == []
    assert refused.value.detail == (
        "setpoint: expected novelty_on and novelty_off for NOVELTY, got none; no threshold is "
        "right for every furnace: 'meltwatch alarms setpoint --of novelty' finds this one's"
    )

    levels = {"novelty_on": 3.0, "novelty_off": 2.5}
    whole, _ = made({"alarm_class": "novelty", "setpoint": levels, "setpoint_basis": "a day"})
    point = check_point(AlarmPoint.model_validate(whole))
    assert (point.setpoint.on, point.setpoint.off) == (3.0, 2.5)
    assert (point.setpoint.on_delay_s, point.setpoint.off_delay_s) == (20.0, 120.0)
    assert (point.mode, point.priority, point.audible) == ("advisory", "low", False)
    assert (point.masked_by, point.setpoint_basis) == (f"{FURNACE}/OVERHEAT", "a day")


@pytest.mark.parametrize(
    ("condition", "levels", "said"),
    [
        ("OVERHEAT", {"novelty_on": 3.0, "novelty_off": 2.5}, "for NOVELTY alone, got 3.0"),
        ("VIDEO_LOST", {"novelty_on": 3.0, "novelty_off": 2.5}, "for NOVELTY alone, got 3.0"),
        ("NOVELTY", {"imbalance_on": 0.3, "imbalance_off": 0.2}, "for CURRENT_IMBALANCE, and"),
        (
            "CURRENT_IMBALANCE",
            {"imbalance_on": 0.3, "imbalance_off": 0.2, "novelty_on": 3.0, "novelty_off": 2.5},
            "for NOVELTY alone, got 3.0",
        ),
    ],
)
def test_thresholds_stand_at_what_judges_by_them_and_nowhere_else(
    condition: str, levels: dict[str, float], said: str
) -> None:
    fields = SHELL | {
        "alarm_id": f"{FURNACE}/{condition}",
        "equipment_path": FURNACE,
        "condition": condition,
        "setpoint": SHELL["setpoint"] | levels,
    }
    with pytest.raises(ContractViolation) as refused:
        check_point(AlarmPoint.model_validate(fields))
    assert said in refused.value.detail


@pytest.mark.parametrize(
    "levels",
    [
        {"novelty_on": 3.0},
        {"novelty_off": 3.0},
        {"novelty_on": 2.0, "novelty_off": 3.0},
        {"novelty_on": 12.5, "novelty_off": 3.0},
        {"novelty_on": 3.0, "novelty_off": -0.1},
        {"imbalance_on": 0.1},
        {"imbalance_on": 0.1, "imbalance_off": 0.2},
    ],
)
def test_thresholds_that_make_no_sense_are_refused(levels: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Setpoint(logit_on=1.0, logit_off=0.0, **levels)  # type: ignore[arg-type]


def test_every_built_in_class_but_novelty_is_a_whole_alarm_point() -> None:
    for name in built_in().keys() - {"novelty"}:
        whole, resolver = made({"alarm_class": name})
        point = check_point(AlarmPoint.model_validate(whole))

        assert resolver.faults == []
        assert point.alarm_class == name
        assert all(getattr(point, required) for required in (*REQUIRED, "setpoint_basis"))


def test_a_furnace_without_alarm_points_has_the_first_level_and_the_rule() -> None:
    assert [point.condition for point in default_points(FURNACE)] == [
        "OVERHEAT",
        "CURRENT_IMBALANCE",
    ]


def test_the_second_level_lies_above_the_first_and_must_be_reset() -> None:
    first, second = (AlarmPoint.model_validate(made({"alarm_class": name})[0])
                     for name in ("overheat", "overheat_hh"))  # fmt: skip

    assert second.setpoint.logit_on - first.setpoint.logit_on == pytest.approx(3.0)
    assert second.setpoint.logit_on > second.setpoint.logit_off > first.setpoint.logit_on
    assert (second.priority, second.reset_required) == ("critical", True)
    assert second.time_to_respond_s < first.time_to_respond_s
    assert "simulated" in (second.setpoint_basis or "")


def test_a_further_default_that_does_not_fit_behind_a_long_furnace_is_left_out() -> None:
    furnace = "/".join(["f" * 63] * 2 + ["g" * 63])  # 191 bytes: OVERHEAT alone fits

    assert [point.condition for point in default_points(furnace)] == ["OVERHEAT"]


def test_a_parent_that_is_a_condition_alone_is_one_of_the_same_furnace() -> None:
    for entry, classes in (
        ({"alarm_class": "shell", "masked_by": "OVERHEAT_HH"}, {"shell": SHELL}),
        ({"alarm_class": "shell"}, {"shell": SHELL | {"masked_by": "OVERHEAT_HH"}}),
    ):
        whole, resolver = made(entry, classes)

        assert resolver.faults == []
        assert check_point(AlarmPoint.model_validate(whole)).masked_by == f"{FURNACE}/OVERHEAT_HH"
