"""``meltwatch furnaces adopt``: what it reads, prints, writes and refuses."""

import json
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from meltwatch_backtester import bootstrap
from meltwatch_backtester.ports import TopicPart
from meltwatch_chassis.errors import BadUsage, FatalError
from meltwatch_chassis.point_file import read_points
from meltwatch_cli.command_tree import root
from meltwatch_schemas.alarm import Mode
from meltwatch_schemas.default_points import default_points
from meltwatch_schemas.instants import rfc3339, utc_from_ns
from meltwatch_schemas.record import RawRecord
from meltwatch_schemas.score import ModelIdentity
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import PUBLISHED_SPEC

from tests.support.builders import NOON_NS, window_score
from tests.support.history import HistoryInMemory
from tests.unit.core.alarms.samples import json_record, score_record

FURNACE = "plant/hall/FMF-01"
FIRST_NS = PUBLISHED_SPEC.first_end_after(FURNACE, NOON_NS)
WINDOWS = 11_000
"""Enough for 50 separate peaks, which is what a set-point asks for."""
WHEN = ("--from", rfc3339(utc_from_ns(FIRST_NS - 10**9)), "--to")
EVERYTHING = (*WHEN, rfc3339(utc_from_ns(FIRST_NS + WINDOWS * PUBLISHED_SPEC.hop_ns)))
FEW = (*WHEN, rfc3339(utc_from_ns(FIRST_NS + 900 * PUBLISHED_SPEC.hop_ns)))


def peaks(digest: str = "0" * 64) -> Iterator[RawRecord]:
    """Once in four minutes the log-odds stand high for as long as an alarm needs."""
    model = ModelIdentity("fmformer", "1", digest)
    for number in range(WINDOWS):
        peak, within = divmod(number, 170)
        logit = -2.0 + 0.37 * (peak * 7 % 11) if within < 5 else -7.0 + 0.001 * (number % 97)
        end_ns = FIRST_NS + number * PUBLISHED_SPEC.hop_ns
        made = window_score(end_ns, FURNACE, logit, model=model)
        yield score_record(made, number)


@pytest.fixture(scope="module")
def scores() -> list[RawRecord]:
    return list(peaks())


@pytest.fixture
def adopt(scores, monkeypatch) -> Callable[..., int]:
    """The command on a history in which the furnace's first level stands in shadow."""
    shadow = default_points(FURNACE)[0].model_copy(update={"mode": Mode.SHADOW})
    points = [json_record(Topic.ALARM_POINTS, shadow, shadow.alarm_id)]
    parts = {TopicPart(Topic.SCORES, 0): scores, TopicPart(Topic.ALARM_POINTS, 0): points}
    history = HistoryInMemory(parts, partitions=1)

    @contextmanager
    def opened(*_: object) -> Iterator[HistoryInMemory]:
        yield history

    monkeypatch.setattr(bootstrap, "history", opened)
    monkeypatch.setenv("MELTWATCH_KAFKA", "127.0.0.1:1")

    def run(*told: str) -> int:
        return root()(["furnaces", "adopt", *told], result_action="return_value")

    return run


def test_the_proposal_is_a_file_that_the_command_it_names_takes(adopt, tmp_path, capsys):
    file = tmp_path / "new ones.yaml"
    assert adopt(FURNACE, *EVERYTHING, "--budget", "50", "--out", str(file)) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].endswith("may alarm")
    assert said[-1].startswith("next         it may alarm: meltwatch alarms points apply ")
    words = shlex.split(said[-1].split(": ", 1)[1])
    assert words[:4] == ["meltwatch", "alarms", "points", "apply"]
    (point,) = read_points(Path(words[4]))
    assert (point.alarm_id, point.mode) == (f"{FURNACE}/OVERHEAT", Mode.ALARM)
    assert point.setpoint_digest == "0" * 64


def test_programs_read_the_same(adopt, capsys):
    assert adopt(FURNACE, *EVERYTHING, "--budget", "50", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["may_alarm"] is True
    assert told["windows"]["scored"] == WINDOWS
    assert told["hours_judged"] == pytest.approx(4.4)
    assert told["in_force"][0]["mode"] == "shadow"
    (point,) = told["proposal"]
    assert point["setpoint"] == told["finding"]["setpoint"]
    default = told["finding"]["default"]["raised"]
    assert default < told["budget"] < 60 / 4.4 * 24


def test_who_was_watched_for_too_short_stays_in_shadow(adopt, tmp_path, capsys):
    file = tmp_path / "points.yaml"
    assert adopt(FURNACE, *FEW, "--out", str(file)) == 1
    said = capsys.readouterr().out
    assert "may not alarm yet" in said
    assert "expected 50 separate peaks to fit, got" in said
    assert "watch on; it stays as it is" in said
    assert not file.exists(), "nothing is proposed"


def test_who_alarms_already_and_may_not_is_to_be_put_in_shadow(adopt, tmp_path, capsys):
    plant = tmp_path / "plant.yaml"
    plant.write_text("furnaces: [{id: plant/hall/FMF-01, name: One}]\n")
    whole = (FURNACE, *FEW, "--plant", str(plant))
    stretch = f"{FURNACE}={EVERYTHING[1]}/{EVERYTHING[3]}"
    assert adopt(*whole, "--except", stretch, "--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert "expected normal windows, got none" in told["objections"][0]
    assert told["proposal"] == [], "the topic stands over the plant file"


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (("nobody", *FEW), "expected windows of nobody from .*, got none"),
        ((".", *FEW), "furnace id: expected levels"),
        (("../../etc/passwd", *FEW), "furnace id: expected levels"),
        (("a//b", *FEW), "furnace id: expected levels"),
        (("a/\x1b[2J", *FEW), "furnace id: expected levels"),
        (("x" * 300, *FEW), "furnace id: expected levels"),
        ((FURNACE, "--from", "1h", "--to", "2h"), "expected the later time second"),
        ((FURNACE, *FEW, "--except", "noon"), "--except: expected FROM/TO"),
        ((FURNACE, *FEW, "--plant", "nowhere.yaml"), "nowhere.yaml"),
    ],
)
def test_bad_usage_is_one_line(adopt, told, expected):
    with pytest.raises(FatalError, match=expected) as caught:
        adopt(*told)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)


def test_a_proposal_that_cannot_be_written_is_bad_usage(adopt, tmp_path):
    file = str(tmp_path / "no" / "file.yaml")
    with pytest.raises(BadUsage, match="--out "):
        adopt(FURNACE, *EVERYTHING, "--budget", "50", "--out", file)
