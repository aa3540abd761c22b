"""``meltwatch topics acls`` and its catalogue: one truth with those who work by it."""

import json
from collections.abc import Callable

import pytest
from meltwatch_backtester.adapters import kafka_history
from meltwatch_cli.__main__ import main
from meltwatch_core.alarms.manager.alarms import INPUTS, OUTPUTS
from meltwatch_schemas.access import ACCESS, Operation, Principal, Resource, Right, rights_of

from tests.support.source import ROOT

Said = Callable[..., str]


@pytest.fixture
def acls(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Said:
    def run(*arguments: str, code: int = 0) -> str:
        monkeypatch.setattr("sys.argv", ["meltwatch", "topics", "acls", *arguments])
        assert main() == code
        said = capsys.readouterr()
        return said.err if code else said.out

    return run


def test_the_page_states_exactly_what_the_command_prints(acls: Said):
    page = (ROOT / "docs" / "rights.md").read_text(encoding="utf-8")

    assert f"```\n{acls()}```\n" in page


def test_json_and_commands_say_the_same(acls: Said):
    told = json.loads(acls("--json"))

    assert [each["user"] for each in told] == [principal.value for principal in Principal]
    for each in told:
        assert {
            Right(
                Operation[right["operation"]],
                Resource[right["resource_type"]],
                right["name"],
                right["pattern_type"] == "PREFIXED",
            )
            for right in each["kafka"]
        } == set(rights_of(Principal(each["user"]), "meltwatch"))
    lines = acls().splitlines()
    for each in told:
        own = [line for line in lines if f"User:{each['user']} " in line]
        named = sum(
            line.count(f" {option} ")
            for line in own
            for option in ("--topic", "--group", "--transactional-id")
        ) + sum("--cluster" in line for line in own)
        assert named == len(each["kafka"])


def test_one_user_may_stand_for_several(acls: Said):
    (one,) = json.loads(acls("video_producer", "current_producer", "--user", "CN=dcs", "--json"))

    assert one["user"] == "CN=dcs"
    assert [(r["operation"], r["name"]) for r in one["kafka"]] == [
        ("WRITE", "meltwatch.embeddings.v1"),
        ("WRITE", "meltwatch.currents.v1"),
    ]
    for name in ("a b", "", "*"):  # to Kafka a star is everybody
        assert "--user: expected a name without blanks" in acls("--user", name, code=2)


def test_the_prefix_is_that_of_the_plant(acls: Said, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MELTWATCH_TOPIC_PREFIX", "works.north")
    said = acls()

    assert "meltwatch." not in said.replace("meltwatch.py", "")
    assert "~works.north:*" in said


def test_who_works_by_a_list_of_topics_works_by_this_one():
    manager, backtester = ACCESS[Principal.ALARM_MANAGER], ACCESS[Principal.BACKTESTER]

    assert set(INPUTS) == {*manager.inputs, *manager.own}
    assert set(OUTPUTS) == set(manager.outputs)
    read = (*kafka_history._PARTITIONED, *kafka_history._SINGLE)
    assert set(read) == set(backtester.inputs)
