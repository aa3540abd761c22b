"""What is written of alarm points is read as the same; what is wrong with a file is told whole."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from meltwatch_chassis.point_file import FaultyFile, points_as_json, points_as_yaml, read_points
from meltwatch_schemas.alarm import Mode, Priority
from meltwatch_schemas.alarm_point import AlarmPoint, Setpoint
from meltwatch_schemas.bounds import MAX_LOGIT
from meltwatch_schemas.default_points import default_points

from tests.support.examples import examples

POINT, RULE = default_points("site/area/F-1")
ODD = st.sampled_from(
    ["0300", "1:30", "1e5", "no", "~", "null", "- a", "# b", "a: b", "2026-02-28"]
)
PRINTABLE = st.characters(exclude_categories=["C", "Zl", "Zp"])
TEXT = st.text(PRINTABLE, min_size=1, max_size=60) | ODD
WORDS = TEXT.filter(lambda text: bool(text.strip()))
LOGIT = st.floats(-MAX_LOGIT, MAX_LOGIT)


@st.composite
def points(draw: st.DrawFn) -> AlarmPoint:
    off, on = sorted((draw(LOGIT), draw(LOGIT)))
    level = st.from_regex(r"[A-Za-z0-9_-]{1,12}", fullmatch=True)
    furnace, condition = draw(level), draw(level)
    changes = {
        "alarm_id": f"{furnace}/{condition}",
        "equipment_path": furnace,
        "condition": condition,
        "class_": "process",
        "alarm_class": draw(st.sampled_from([None, "overheat", "of a file that nobody has"])),
        "title": draw(WORDS),
        "causes": draw(st.lists(TEXT, max_size=3)),
        "operator_action": draw(WORDS),
        "consequence_if_no_action": draw(WORDS),
        "owner": draw(st.none() | TEXT),
        "revision": draw(TEXT),
        "priority": draw(st.sampled_from(Priority)),
        "mode": draw(st.sampled_from(Mode)),
        "time_to_respond_s": draw(st.floats(0.001, 86_400)),
        "setpoint": Setpoint(
            logit_on=on, logit_off=off, on_delay_s=draw(st.floats(0, 86_400)), k=1, n=9
        ),
    }  # fmt: skip
    return AlarmPoint.model_validate(POINT.model_copy(update=changes).model_dump())


@given(st.lists(points(), max_size=4, unique_by=lambda point: point.alarm_id))
@examples(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_exported_is_accepted_and_says_the_same(
    tmp_path: Path, made: list[AlarmPoint]
) -> None:
    file = tmp_path / "points"
    for text in (
        points_as_yaml(made),
        json.dumps(points_as_json(made)),
        json.dumps(points_as_json(made), ensure_ascii=False, indent=2),
    ):
        file.write_text(text, encoding="utf-8")

        assert list(read_points(file)) == made


def test_classes_serve_here_as_in_a_plant_file(tmp_path: Path) -> None:
    file = tmp_path / "points.yaml"
    file.write_text("alarm_points: [{alarm_class: overheat, equipment_path: site/area/F-1}]")

    assert read_points(file) == (POINT,)


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        ("alarm_points: 5", ["1: alarm_points: Input should be a valid array"]),
        ("alarm_pionts: []", ["1: alarm_pionts: Extra inputs are not permitted"]),
        ("[]", ["1: file: Input should be an object"]),
        ("alarm_points: [", ["1: expected YAML"]),
        (
            "alarm_points:" + 2 * "\n- {alarm_class: overheat, equipment_path: a/b}",
            ["1: file: expected each alarm point once, got a/b/OVERHEAT"],
        ),
        (
            "alarm_points:\n- alarm_class: x\n- {alarm_class: overheat, equipment_path: a//b}\n- 5",
            [
                "2: alarm_points.0.alarm_class: expected one of current_imbalance, novelty",
                "3: alarm_points.1.alarm_id: expected",
                "3: alarm_points.1.equipment_path: expected levels",
                "4: alarm_points.2: Input should be",
            ],
        ),
    ],
)
def test_all_faults_are_told_one_line_each(tmp_path: Path, content: str, lines: list[str]) -> None:
    file = tmp_path / "points.yaml"
    file.write_text(content)

    with pytest.raises(FaultyFile) as error:
        read_points(file)

    assert len(error.value.lines) == len(lines)
    for told, line in zip(sorted(error.value.lines), sorted(lines), strict=True):
        assert told.startswith(f"{file}:{line}")


def test_a_rule_is_exported_like_any_other(tmp_path: Path) -> None:
    file = tmp_path / "points.yaml"
    file.write_text(points_as_yaml([RULE]), encoding="utf-8")

    assert read_points(file) == (RULE,)
