import re
from pathlib import Path

import pytest
from meltwatch_chassis.plant import read_plant
from meltwatch_schemas.alarm import AlarmState, Mode, Quality
from meltwatch_schemas.score import ScoreStatus

from tests.support import plant_reference
from tests.support.settings_table import PAGE, ROOT, page_with_table

PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    ROOT / "triton_models" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]


def test_the_table_of_settings_is_what_the_services_read():
    page = PAGE.read_text()
    assert page == page_with_table(page), "run make schemas"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_somewhere(page: Path):
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text())
    missing = [link for link in links if not (page.parent / link).exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_make_target_named_in_the_docs_exists(page: Path):
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z0-9-]+)", page.read_text()))
    assert named <= targets


def test_every_image_is_used_by_a_page():
    text = "".join(page.read_text() for page in PAGES)
    images = {path.name for path in (ROOT / "docs" / "images").iterdir()}
    assert {name for name in images if name not in text} == set()


def test_the_example_plant_file_is_valid():
    plant = read_plant(ROOT / "examples" / "plant.yaml")
    assert [furnace.id for furnace in plant.furnaces] == [
        "dashiqiao/smelting-1/FMF-03",
        "dashiqiao/smelting-1/FMF-04",
        "dashiqiao/smelting-1/FMF-05",
    ]
    new = plant.furnaces[-1].alarm_points
    assert {point.condition: point.mode.value for point in new} == {
        "OVERHEAT": "shadow",
        "CURRENT_IMBALANCE": "alarm",
    }


FOLDERS = {
    "core/": "services/libs/core/src/meltwatch_core/",
    "libs/chassis/…/": "services/libs/chassis/src/meltwatch_chassis/",
    "stream_processor/…/": "services/stream_processor/src/meltwatch_stream_processor/",
    "notify_gateway/…/": "services/notify_gateway/src/meltwatch_notify_gateway/",
    "console/…/": "services/console/src/meltwatch_console/",
    "alarm_manager/…/": "services/alarm_manager/src/meltwatch_alarm_manager/",
}


def places_of(row: str) -> list[Path]:
    """Give the files and folders of a row of the map; a bare name stands beside the one before."""
    places: list[Path] = []
    for name in re.findall(r"`([^`]*(?:/|\.py))`", row):
        folder = next((start for start in FOLDERS if name.startswith(start)), "")
        if folder:
            places.append(ROOT / (FOLDERS[folder] + name.removeprefix(folder)))
        elif places:
            places.append(places[-1].with_name(name))
    return places


def test_the_map_of_the_architecture_leads_somewhere():
    page = (ROOT / "docs" / "architecture.md").read_text()
    places = [place for row in page.split("\n") if row.startswith("| ") for place in places_of(row)]

    assert len(places) > 40
    assert [place for place in places if not place.exists()] == []


def test_every_acceptance_test_exists():
    page = (ROOT / "docs" / "acceptance.md").read_text()
    named = re.findall(r"`(tests/[^`:]+)::(test_\w+)`", page)
    missing = [name for path, name in named if f"def {name}(" not in (ROOT / path).read_text()]
    assert (len(named) > 30, missing) == (True, [])


def test_the_reference_of_the_plant_file_is_what_its_models_say():
    assert plant_reference.PAGE.read_text() == plant_reference.reference_text(), "run make schemas"


WORDS = [*AlarmState, *Mode, *Quality, *ScoreStatus, "back-fill", "kept", "lost", "sweep"]


@pytest.mark.parametrize("word", WORDS)
def test_every_word_of_a_state_is_in_the_glossary(word: str):
    rows = re.findall(r"^\| ([^|]+) \|", (ROOT / "docs/glossary.md").read_text(), re.MULTILINE)
    assert str(word) in {name.strip() for row in rows for name in row.split(",")}
