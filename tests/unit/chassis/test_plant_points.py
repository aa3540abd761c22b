"""Alarm points of a plant file: what nothing does is refused, where it stands and by its name."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from meltwatch_chassis.errors import ConfigurationError
from meltwatch_chassis.plant import PlantFurnace, read_plant
from meltwatch_chassis.point_file import FaultyFile
from meltwatch_schemas.point_rules import MAX_VOTES

FURNACE = "site/area/F-1"
POINT: dict[str, Any] = {
    "alarm_id": f"{FURNACE}/OVERHEAT",
    "equipment_path": FURNACE,
    "title": "Hot",
    "condition": "OVERHEAT",
    "priority": "high",
    "consequence_if_no_action": "It melts.",
    "operator_action": "Cool it.",
    "time_to_respond_s": 300,
    "setpoint": {"logit_on": 3.0, "logit_off": 1.0},
}
FURNACE_FIELDS: dict[str, Any] = {"id": FURNACE, "name": "one", "alarm_points": [POINT]}
CARRIED = {
    "audible": False,
    "display_url": "https://example.com",
    "causes": ["lining worn"],
    "setpoint_basis": "a backtest",
    "guidance_url": "https://example.com",
    "owner": "shift lead",
    "shelvable": False,
    "re_alarm_s": 60,
    "suppress_when": ["off", "maintenance"],
    "masked_by": f"{FURNACE}/PARENT",
    "highly_managed": True,
    "revision": "2026-02-28",
    "approved_by": "me",
    "approved_at": "2026-02-28T10:00:00Z",
}


def refusal(file: Path, *points: dict[str, Any], **furnace: Any) -> tuple[str, str]:
    """Return the line that the refusal names, as it is written there, and the refusal."""
    document = {"furnaces": [FURNACE_FIELDS | {"alarm_points": list(points)} | furnace]}
    file.write_text(yaml.safe_dump(document, sort_keys=False))
    with pytest.raises(ConfigurationError) as error:
        read_plant(file)
    said = str(error.value)
    number = int(said.removeprefix(f"{file}:").partition(":")[0])
    return file.read_text().splitlines()[number - 1], said


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "plant.yaml"


def test_where_sources_are_is_no_business_of_those_who_open_none(file: Path) -> None:
    sources = {"video": {"source_id": 7}, "current": "anything"}
    file.write_text(yaml.safe_dump({"furnaces": [FURNACE_FIELDS | sources]}))

    (furnace,) = read_plant(file).furnaces

    assert furnace.video == {"source_id": 7}


def test_every_setting_that_can_work_is_taken(file: Path) -> None:
    points = [POINT | CARRIED]
    file.write_text(yaml.safe_dump({"furnaces": [FURNACE_FIELDS | {"alarm_points": points}]}))

    (furnace,) = read_plant(file).furnaces

    (read,) = furnace.alarm_points
    assert read.revision == "2026-02-28"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"condition": "COLD"}, "alarm_id: expected site/area/F-1/COLD"),
        ({"setpoint": POINT["setpoint"] | {"k": 1, "n": MAX_VOTES + 1}}, "setpoint.n: expected"),
        ({"setpoint": POINT["setpoint"] | {"logit_onn": 1}}, "setpoint.logit_onn"),
        ({"class": "system"}, "class: expected process, or nothing would judge OVERHEAT"),
        ({"highly_managed": True, "approved_by": "me"}, "approved_by: expected who approved it"),
        ({"suppress_when": ["asleep"]}, "suppress_when: expected some of off, heating"),
        ({"masked_by": POINT["alarm_id"]}, "masked_by: expected the id of another alarm"),
        ({"re_alarm_count_max": 2}, "re_alarm_count_max: expected re_alarm_s beside it"),
        ({"shelveable": False}, "shelveable: Extra inputs are not permitted"),
        ({"equipment_path": "s/b", "alarm_id": "s/b/OVERHEAT"}, f"alarm points of {FURNACE}"),
    ],
)
def test_a_point_that_cannot_work_is_refused(file: Path, wrong: dict[str, Any], said: str) -> None:
    assert said in refusal(file, POINT | wrong)[1]


def test_two_points_of_one_name_are_refused(file: Path) -> None:
    assert "expected each alarm point once" in refusal(file, POINT, POINT)[1]


def test_a_furnace_has_no_setting_that_this_file_does_not_know() -> None:
    assert set(PlantFurnace.model_fields) == {
        "id",
        "name",
        "video",
        "current",
        "sync_offset_s",
        "alarm_points",
        "notes",
    }


def test_classes_stand_once_for_all_furnaces(file: Path) -> None:
    own = {"alarm_class": "shell", "title": "Mine"}
    furnaces = [
        {"id": f"site/area/F-{number}", "name": "one", "alarm_points": [entry]}
        for number, entry in enumerate([own, {"alarm_class": "shell"}, {"alarm_class": "overheat"}])
    ]
    shell = {name: POINT[name] for name in POINT if name not in {"alarm_id", "equipment_path"}}
    file.write_text(yaml.safe_dump({"alarm_classes": {"shell": shell}, "furnaces": furnaces}))

    points = [point for furnace in read_plant(file).furnaces for point in furnace.alarm_points]

    assert [point.title for point in points] == ["Mine", "Hot", "Furnace overheating"]
    assert [point.alarm_id for point in points] == [f"site/area/F-{n}/OVERHEAT" for n in range(3)]


@pytest.mark.parametrize(
    "missing", ["consequence_if_no_action", "operator_action", "time_to_respond_s"]
)
def test_a_point_that_tells_an_operator_nothing_is_refused_by_its_name(
    file: Path, missing: str
) -> None:
    told = {name: value for name, value in POINT.items() if name != missing}

    assert f"alarm_points.0.{missing}: Field required" in refusal(file, told)[1]
    for blank in ("", " ", None):
        assert f"alarm_points.0.{missing}: " in refusal(file, POINT | {missing: blank})[1]


def test_a_class_that_nobody_wrote_is_told_where_it_is_named_and_what_there_is(file: Path) -> None:
    line, said = refusal(file, {"alarm_class": "shel"})

    assert line.strip() == "- alarm_class: shel"
    assert (
        "alarm_points.0.alarm_class: expected one of current_imbalance, novelty, overheat" in said
    )
    assert "got 'shel'" in said


def test_all_that_is_wrong_is_told_by_line_and_what_follows_from_it_is_not(file: Path) -> None:
    wrong = [{"alarm_class": "no"}, POINT | {"titel": 1, "priority": "urgent"}]
    file.write_text(yaml.safe_dump({"furnaces": [FURNACE_FIELDS | {"alarm_points": wrong}]}))

    with pytest.raises(FaultyFile) as error:
        read_plant(file)

    assert [line.split(": ")[1].rpartition(".")[2] for line in error.value.lines] == [
        "alarm_class",
        "titel",
        "priority",
    ]
