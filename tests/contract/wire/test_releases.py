"""What a plant of an earlier release has set and created: this one takes it as it is."""

import json
from pathlib import Path
from typing import Any

import pytest
from meltwatch_chassis.errors import ConfigurationError
from meltwatch_chassis.known_variables import KNOWN_VARIABLES
from meltwatch_chassis.plant import read_plant
from meltwatch_chassis.settings import ServiceSettings, load
from meltwatch_schemas.topics import catalogue

from tests.support.golden import GOLDEN
from tests.support.source import ROOT

RELEASES = sorted(GOLDEN.glob("release-*.json"))
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()


@pytest.fixture(params=RELEASES, ids=lambda path: path.stem)
def left(request: pytest.FixtureRequest) -> dict[str, Any]:
    return dict(json.loads(request.param.read_text()))


def test_a_setting_of_an_earlier_release_is_known_or_the_changelog_says_what_became_of_it(
    left: dict[str, Any],
) -> None:
    gone = set(left["settings"]) - KNOWN_VARIABLES
    assert {name for name in gone if name not in CHANGELOG} == set()


def test_a_topic_of_an_earlier_release_is_one_that_this_one_creates_alike(
    left: dict[str, Any],
) -> None:
    now = {
        spec.name: {"partitions": spec.partitions, "config": dict(spec.config)}
        for spec in catalogue("meltwatch", 12)
    }
    assert {name: now.get(name) for name in left["topics"]} == left["topics"]


@pytest.mark.parametrize("file", sorted(GOLDEN.glob("plant-*.yaml")), ids=lambda path: path.stem)
def test_a_plant_file_of_an_earlier_release_is_read(file: Path) -> None:
    furnaces = read_plant(file).furnaces
    assert len(furnaces) == file.read_text().count("- id:")
    assert any(furnace.alarm_points for furnace in furnaces)


def test_what_only_a_later_release_knows_is_refused_by_its_name() -> None:
    with pytest.raises(ConfigurationError, match="MELTWATCH_OF_TOMORROW") as refusal:
        load(ServiceSettings, {"MELTWATCH_OF_TOMORROW": "yes"})
    assert refusal.value.exit_code == 2
