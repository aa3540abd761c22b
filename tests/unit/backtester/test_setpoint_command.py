"""``meltwatch alarms setpoint``: where it reads, and what it refuses."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from meltwatch_backtester import bootstrap
from meltwatch_backtester.adapters.result_folder import ResultFolder
from meltwatch_backtester.adapters.result_reader import backtest_said, span_of_backtest
from meltwatch_backtester.commands.setpoint import abnormal_in, abnormal_of
from meltwatch_backtester.domain.span import Span
from meltwatch_backtester.domain.watch import Abnormal
from meltwatch_backtester.pipeline.live_scores import live_said
from meltwatch_backtester.ports import OffsetRange, Saved, TopicPart
from meltwatch_chassis.errors import BadUsage, FatalError
from meltwatch_cli.command_tree import root
from meltwatch_schemas.instants import rfc3339, utc_from_ns
from meltwatch_schemas.score import WindowScore
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC

from tests.support.builders import NOON_NS, novelty, window_score
from tests.support.history import HistoryInMemory
from tests.unit.core.alarms.samples import score_record

FURNACE = "plant/hall/FMF-01"
FIRST_NS = PUBLISHED_SPEC.first_end_after(FURNACE, NOON_NS)


def scores(windows: int) -> list[WindowScore]:
    """One window in ten is not scored; the others are never alike."""
    logits = np.random.default_rng(1).normal(-6.0, 1.0, windows).tolist()
    return [
        window_score(
            FIRST_NS + number * PUBLISHED_SPEC.hop_ns,
            FURNACE,
            None if number % 10 == 9 else round(logit, 3),
        )
        for number, logit in enumerate(logits)
    ]


def span_of(said: list[WindowScore]) -> Span:
    return Span(said[0].window_end_ns, said[-1].window_end_ns + 1)


@pytest.fixture
def backtest(tmp_path) -> tuple[Path, list[WindowScore]]:
    """The folder of a backtest, and what it scored."""
    made = scores(400)
    span = span_of(made)
    with ResultFolder(tmp_path / "run") as folder:
        for score in made:
            folder.window(score, None, None, is_late=False)
        run = {
            "from": rfc3339(utc_from_ns(span.from_ns)),
            "to": rfc3339(utc_from_ns(span.to_ns + 1_000_000)),
            "model": {"digest": made[0].model.digest},
        }
        folder.finish(run, {})
    return folder.path, made


def test_a_backtest_and_its_span_are_read_back(backtest):
    folder, made = backtest
    said = list(backtest_said(folder))
    assert [(s.furnace_id, s.end_ns // 1000, s.logit, s.model_digest) for s in said] == [
        (s.furnace_id, s.window_end_ns // 1000, s.logit, s.model.digest) for s in made
    ]
    assert all(s.window_end_ns // 1000 * 1000 in span_of_backtest(folder) for s in made[1:])


@pytest.mark.parametrize(
    ("file", "text"),
    [("run.json", "[]"), ("run.json", "{"), ("windows.jsonl", '{"logit":1}\n')],
)
def test_a_folder_that_is_no_backtest_is_one_line(backtest, file, text):
    folder, _ = backtest
    (folder / file).write_text(text)
    with pytest.raises(BadUsage, match="expected the folder of a finished backtest"):
        list(backtest_said(folder))


def test_history_tells_what_live_said_within_the_span():
    made = scores(50)
    records = [score_record(score, offset) for offset, score in enumerate(made)]
    records[5] = replace(records[5], value=b"\xc1")
    history = HistoryInMemory({TopicPart(Topic.SCORES, 0): records}, partitions=2)
    span = Span(made[2].window_end_ns, made[40].window_end_ns)
    read = []
    said = list(live_said(history, span, None, read.append))
    assert [s.end_ns for s in said] == [s.window_end_ns for s in [*made[2:5], *made[6:40]]]
    assert sum(read) == len(made) - 2, "from the span on, and what came late behind it"


def test_a_recording_of_another_span_is_refused():
    history = HistoryInMemory({}, {TopicPart(Topic.SCORES, 0): OffsetRange(0, 0)})
    history.saved = Saved(Span(0, 10), frozenset({0}))
    with pytest.raises(BadUsage, match="the recording holds"):
        list(live_said(history, Span(5, 15), None, lambda _: None))


def test_the_command_prints_for_programs_and_its_exit_code_says_if_it_is_sound(backtest, capsys):
    folder, made = backtest
    told = ("alarms", "setpoint", "--budget", "2", "--backtest", str(folder), "--json")
    assert root()(told, result_action="return_value") == 1
    found = json.loads(capsys.readouterr().out)
    assert found["setpoint"] is None
    assert "expected 50 separate peaks" in found["refusal"]
    assert found["furnaces"] == [FURNACE]
    assert found["model_digest"] == made[0].model.digest
    assert 0 < found["windows"] < len(made)


def test_the_picture_is_one_well_formed_file_that_needs_nothing_else(backtest, tmp_path, capsys):
    folder, _ = backtest
    file = tmp_path / "levels.svg"
    told = ("alarms", "setpoint", "--budget", "2", "--backtest", str(folder))
    root()([*told, "--picture", str(file)], result_action="return_value")
    text = file.read_text()
    drawn = ET.fromstring(text)  # noqa: S314 - our own
    assert drawn.tag == "{http://www.w3.org/2000/svg}svg"
    assert "2 a furnace-day" in text
    assert "not sound yet" in text
    assert text.replace("http://www.w3.org/2000/svg", "").count("http") == 0
    with pytest.raises(BadUsage, match="No such file"):
        root()([*told, "--picture", str(tmp_path / "no" / "file")], result_action="return_value")


def test_of_novelty_reads_what_scores_say_of_portraits(monkeypatch, tmp_path, capsys):
    """One furnace is asked about, two have scores; one score judges nothing."""
    draws = np.random.default_rng(2).exponential(0.4, 400).repeat(7)
    records = [
        score_record(
            window_score(
                FIRST_NS + number * PUBLISHED_SPEC.hop_ns,
                name,
                novelty=novelty(video=min(surprise, 12.0), current=None) if number else None,
            ),
            2 * number + offset,
        )
        for number, surprise in enumerate(draws.tolist())
        for offset, name in enumerate((FURNACE, "another/one"))
        if name == FURNACE or number < 20
    ]

    @contextmanager
    def opened(*_: object) -> Iterator[HistoryInMemory]:
        yield HistoryInMemory({TopicPart(Topic.SCORES, 0): records}, partitions=1)

    monkeypatch.setattr(bootstrap, "history", opened)
    monkeypatch.setenv("MELTWATCH_KAFKA", "127.0.0.1:1")
    when = ("--from", rfc3339(utc_from_ns(FIRST_NS - NS_PER_S)), "--to")
    until = rfc3339(utc_from_ns(FIRST_NS + len(draws) * PUBLISHED_SPEC.hop_ns))
    told = ["alarms", "setpoint", "--budget", "2", "--of", "novelty", *when, until]
    told += ["--furnace", FURNACE]
    picture = tmp_path / "levels.svg"
    told += ["--json", "--picture", str(picture)]
    assert root()(told, result_action="return_value") == 1, "too few peaks"
    found = json.loads(capsys.readouterr().out)
    assert found["furnaces"] == [FURNACE]
    assert found["portraits"] == {FURNACE: "a" * 64}
    assert found["setpoint"] is None
    assert found["thresholds"][0]["novelty_on"] > found["thresholds"][-1]["novelty_on"]
    text = picture.read_text()
    assert "raise at, surprise" in text
    assert f"portrait {'a' * 16}" in text
    assert "default set-point" not in text


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ((), "expected --from"),
        (("--backtest", "nowhere", "--of", "novelty", "--from", "9m"), "of a finished backtest"),
        (("--backtest", "a", "--recording", "b"), "got both"),
        (("--from", "10m", "--to", "20m"), "expected the later time second"),
        (("--backtest", "nowhere"), "expected the folder of a finished backtest"),
        (("--from", "10m", "--except", "noon"), "expected FROM/TO or ID=FROM/TO"),
        (("--from", "10m", "--except", "noon/now"), "--except 'noon/now': --from: expected 90s"),
        (("--from", "10m", "--except", "no!=2m/1m"), "--except 'no!=2m/1m': "),
    ],
)
def test_bad_usage_is_one_line(more, expected):
    told = ["alarms", "setpoint", "--budget", "2", *more]
    with pytest.raises(FatalError, match=expected) as caught:
        root()(told, result_action="return_value")
    assert caught.value.exit_code == 2


def test_an_exception_is_for_all_furnaces_or_for_one():
    times = "2026-01-01T00:00:00Z/2026-01-01T00:00:09Z"
    span = Span(1767225600 * NS_PER_S, 1767225609 * NS_PER_S)
    assert abnormal_of(times) == Abnormal(span)
    assert abnormal_of(f"{FURNACE}={times}") == Abnormal(span, FURNACE)
    with pytest.raises(BadUsage, match="--except"):
        abnormal_of(f"not a furnace!={times}")


def test_a_file_of_labels_says_what_was_no_normal_operation(tmp_path):
    stretch = {"start": "2026-03-01T12:00:00Z", "end": "2026-03-01T12:01:00Z"}
    verdicts = ("true_alarm", "false_alarm", "unclear")
    labels = [
        {"furnace": f"{FURNACE}-{number}", "verdict": verdict, **stretch}
        for number, verdict in enumerate(verdicts)
    ]
    file = tmp_path / "labels.json"
    file.write_text(json.dumps(labels))
    span = abnormal_of("2026-03-01T12:00:00Z/2026-03-01T12:01:00Z").span
    assert abnormal_in(str(file)) == [Abnormal(span, f"{FURNACE}-{number}") for number in (0, 2)]
