from datetime import UTC, datetime
from pathlib import Path

import pytest
from meltwatch_chassis.errors import ConfigurationError
from meltwatch_chassis.plant import Plant, read_plant

GOOD = """\
furnaces:
  - id: site/area/F-1
    name: Furnace 1
    notes: "the old one"
  - id: site/area/F-2
    name: Furnace 2
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "plant.yaml"


def test_no_file_is_a_plant_without_registered_furnaces() -> None:
    assert read_plant(None) == Plant()


def test_an_empty_file_is_a_plant_without_registered_furnaces(file: Path) -> None:
    file.write_text("")

    assert read_plant(file) == Plant()


def test_furnaces_are_read_in_order(file: Path) -> None:
    file.write_text(GOOD)

    assert [furnace.id for furnace in read_plant(file).furnaces] == [
        "site/area/F-1",
        "site/area/F-2",
    ]


def test_brightness_follows_the_current_at_once_unless_commissioned_otherwise(file: Path) -> None:
    file.write_text(GOOD + "    sync_offset_s: 0.35\n")

    assert [furnace.sync_offset_s for furnace in read_plant(file).furnaces] == [0.0, 0.35]


@pytest.mark.parametrize(
    ("wrong", "line", "said"),
    [
        (GOOD + "    sync_offset_s: 6\n", 7, "sync_offset_s"),
        (GOOD + "    sync_offset_s: .nan\n", 7, "sync_offset_s"),
        (GOOD.replace("site/area/F-2", "site//F-2"), 5, "id"),
        (GOOD.replace("    name: Furnace 2\n", "    nmae: Furnace 2\n"), 6, "nmae"),
        (GOOD.replace("    name: Furnace 1\n", ""), 2, "name"),
        (GOOD + "    name: 7\n", 7, "expected each key once, got 'name'"),
        (GOOD.replace("Furnace 2", "7"), 6, "furnaces.1.name: .* string, got 7"),
        (GOOD.replace("Furnace 2", "no"), 6, "in quotes, got 'no'"),
        (GOOD.replace("site/area/F-2", "site/area/F-1"), 1, "expected each furnace once"),
        ("furnaces: 5\n", 1, "furnaces"),
    ],
)
def test_an_error_names_file_line_and_place(file: Path, wrong: str, line: int, said: str) -> None:
    file.write_text(wrong)

    with pytest.raises(ConfigurationError, match=said) as error:
        read_plant(file)

    assert str(error.value).startswith(f"{file}:{line}: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [b"furnaces: [", b"\xff\xfe", b"- a\n- b\n"])
def test_what_is_no_plant_file_is_refused_in_one_line(file: Path, content: bytes) -> None:
    file.write_bytes(content)

    with pytest.raises(ConfigurationError) as error:
        read_plant(file)

    assert str(file) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_refused(file: Path) -> None:
    with pytest.raises(ConfigurationError, match="MELTWATCH_PLANT_FILE"):
        read_plant(file)


def test_where_the_plant_is_and_what_its_people_read(file: Path) -> None:
    file.write_text("time_zone: Asia/Shanghai\nlanguage: zh-CN\n")

    locale = read_plant(file).locale

    assert (locale.time_zone, locale.language) == ("Asia/Shanghai", "zh-CN")
    at = datetime(2026, 11, 22, 10, 27, 27, tzinfo=UTC)
    assert locale.clock(at) == "18:27:27 UTC+08:00"
    assert Plant().locale.clock(at) == "10:27:27 UTC"


@pytest.mark.parametrize(
    "wrong", ["time_zone: Mars/Base", "time_zone: ../etc/passwd", 'time_zone: ""', "language: 中文"]
)
def test_a_zone_that_nobody_knows_is_refused(file: Path, wrong: str) -> None:
    file.write_text(wrong)

    with pytest.raises(ConfigurationError, match=f":1: {wrong.partition(':')[0]}: "):
        read_plant(file)
