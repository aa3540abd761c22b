import re
from pathlib import Path

import pytest
from meltwatch_chassis.plant import read_plant

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
    assert page == page_with_table(page), "run python -m tests.support.settings_table"


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
    ]
