"""``meltwatch shadow report`` and ``shadow propose``: what they read, print, write and refuse."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice

import pytest
from meltwatch_backtester import bootstrap
from meltwatch_backtester.ports import TopicPart
from meltwatch_chassis.errors import FatalError
from meltwatch_chassis.point_file import read_points
from meltwatch_cli.command_tree import root
from meltwatch_schemas.alarm_point import AlarmPoint
from meltwatch_schemas.default_points import default_points
from meltwatch_schemas.instants import rfc3339, utc_from_ns
from meltwatch_schemas.record import RawRecord
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import PUBLISHED_SPEC

from tests.support.history import HistoryInMemory
from tests.unit.backtester.test_adopt_command import EVERYTHING, FIRST_NS, FURNACE, WHEN, peaks
from tests.unit.core.alarms.samples import json_record

NEXT = "f" * 64
PAIRED = 1000
"""Windows that both scored; then one alone did for as long."""
SPAN = (*WHEN, rfc3339(utc_from_ns(FIRST_NS + 2 * PAIRED * PUBLISHED_SPEC.hop_ns - 1)))
SINCE = EVERYTHING[:2]
Run = Callable[..., int]


@pytest.fixture(scope="module")
def sides() -> tuple[list[RawRecord], list[RawRecord]]:
    return list(islice(peaks(), PAIRED)), list(peaks(NEXT))


@pytest.fixture
def own() -> AlarmPoint:
    """The first level in force, for the ensemble that is served."""
    return default_points(FURNACE)[0].model_copy(update={"setpoint_digest": "0" * 64})


@pytest.fixture
def shadow(sides, own, monkeypatch) -> Run:
    """The commands on a history with scores of two ensembles."""
    live, watched = sides
    parts = {
        TopicPart(Topic.SCORES, 0): live,
        TopicPart(Topic.SHADOW_SCORES, 0): watched,
        TopicPart(Topic.ALARM_POINTS, 0): [json_record(Topic.ALARM_POINTS, own, own.alarm_id)],
    }
    history = HistoryInMemory(parts, partitions=1)

    @contextmanager
    def opened(*_: object) -> Iterator[HistoryInMemory]:
        yield history

    monkeypatch.setattr(bootstrap, "kafka_history", opened)
    monkeypatch.setenv("MELTWATCH_KAFKA", "127.0.0.1:1")

    def run(*told: str) -> int:
        return root()(["shadow", *told], result_action="return_value")

    return run


def test_the_report_pairs_what_both_scored(shadow: Run, capsys):
    assert shadow("report", *SPAN, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["live"]["model_digest"], told["shadow"]["model_digest"]) == ("0" * 64, NEXT)
    assert told["pairs"]["same content"] == PAIRED
    assert told["pairs"]["shadow alone"] == PAIRED
    assert told["correlation"] == pytest.approx(1.0)
    assert told["raises"]["after"] == 0
    assert shadow("report", *SPAN) == 0
    assert "correlation 1.0000" in capsys.readouterr().out
    assert shadow("report", *SPAN, "--threshold", "1", "--json") == 0
    assert json.loads(capsys.readouterr().out)["raises"]["more"] > 0, "its own set-point"


def test_what_is_proposed_can_be_applied_and_keeps_what_is_in_force(
    shadow: Run, own, tmp_path, capsys
):
    file = tmp_path / "next.yaml"
    assert shadow("propose", "--budget", "50", *SINCE, "--out", str(file)) == 0
    assert f"meltwatch alarms points apply {file} --why " in capsys.readouterr().out
    (point,) = read_points(file)
    assert point.prepared is not None
    assert point.prepared.setpoint_digest == NEXT
    assert point.model_copy(update={"prepared": None}) == own
    assert point.under(NEXT).setpoint == point.prepared.setpoint != own.setpoint


def test_too_little_proposes_nothing(shadow: Run, sides, tmp_path, capsys):
    file = tmp_path / "next.yaml"
    late = rfc3339(utc_from_ns(sides[1][-500].timestamp_ms * 1_000_000))
    told = ("propose", "--budget", "50", "--from", late, "--out", str(file), "--json")
    assert shadow(*told) == 1
    said = json.loads(capsys.readouterr().out)
    assert "expected 50 separate peaks" in said["refusal"]
    assert said["proposal"] == []
    assert not file.exists()


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (("report", *SPAN, "--furnace", "a//b"), "--furnace: furnace id"),
        (("report", *SPAN, "--furnace", "nobody"), "expected scores of one model .*, got none"),
        (("report", *SPAN, "--threshold", "high"), "--threshold: expected ON"),
        (("propose", "--budget", "1", "--from", "1s"), "expected scores of one model"),
    ],
)
def test_bad_usage_is_one_line(shadow: Run, told, expected):
    with pytest.raises(FatalError, match=expected) as caught:
        shadow(*told)
    assert caught.value.exit_code == 2
