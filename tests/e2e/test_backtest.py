"""What a live run left behind, replayed: the same windows, the same alarms, and no trace of it."""

import hashlib
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import pytest
import redis
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from meltwatch_chassis.label_file import labels_as_json
from meltwatch_schemas.alarm import AlarmVerdict
from meltwatch_schemas.alarm_point import Setpoint
from meltwatch_schemas.default_setpoint import DEFAULT_SETPOINT
from meltwatch_schemas.instants import ns_from_utc, utc_from_ns
from meltwatch_schemas.labels import Label
from meltwatch_schemas.topics import catalogue
from meltwatch_schemas.window import NS_PER_S

from tests.support.product import RunningProduct
from tests.support.standard_producers import until_decided
from tests.support.waiting import LIMIT_S

pytestmark = [pytest.mark.e2e]

PROGRAMS = ("video_producer", "current_producer", "stream_processor", "alarm_manager")
FILES = (
    "run.json", "before.jsonl", "windows.jsonl", "alarms.jsonl", "live-alarms.jsonl",
    "pictures.json", "report.html",
)  # fmt: skip
MARGIN_NS = 6 * NS_PER_S
BACKTEST_S = 400
LISTED = (0, 1, 3)
"""Exit codes of a list: all furnaces watched, some blind, or itself stale."""


@contextmanager
def standing_still(status: dict[str, Any]) -> Iterator[None]:
    """Let nothing but the servers run: whatever changes now, somebody else has changed."""
    pids = [status["services"][name]["pid"] for name in PROGRAMS]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def traces(status: dict[str, Any]) -> dict[str, Any]:
    """Everything by which a writer would betray himself."""
    admin = KafkaAdminClient(bootstrap_servers=status["kafka"])
    consumer = KafkaConsumer(bootstrap_servers=status["kafka"])
    view = redis.Redis.from_url(status["redis"])
    try:
        parts = [
            TopicPartition(topic, partition)
            for topic in consumer.topics()
            for partition in consumer.partitions_for_topic(topic)
            if topic != "__consumer_offsets"
        ]
        groups = sorted(str(group) for group in admin.list_groups())
        keys = sorted(view.scan_iter())
        digest = hashlib.sha256(b"".join(key + (view.dump(key) or b"") for key in keys))
        return {
            "ends": consumer.end_offsets(parts),
            "groups": [group.split("state")[0] for group in groups],
            "redis": (len(keys), digest.hexdigest()),
        }
    finally:
        view.close()
        consumer.close()
        admin.close()


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def predicted(windows: list[dict[str, Any]], point: Setpoint) -> list[tuple[str, str]]:
    """Raises and clears of one furnace as its scores foretell them, found by counting seconds.

    Windows follow each other without a gap.
    """
    found, is_active, since = [], False, None
    for window in windows:
        end = datetime.fromisoformat(window["window_end"]).timestamp()
        is_high, is_low = window["logit"] >= point.logit_on, window["logit"] < point.logit_off
        speaks, objects = (is_low, is_high) if is_active else (is_high, is_low)
        since = None if objects else since if since is not None else end if speaks else None
        delay_s = point.off_delay_s if is_active else point.on_delay_s
        if since is not None and end - since >= delay_s - 1e-6:
            found.append(("CLEAR" if is_active else "RAISE", window["window_end"]))
            is_active, since = not is_active, None
    return found


def raised_and_cleared(folder: Path, furnace: str) -> list[tuple[str, str]]:
    return [
        (record["transition"]["cause"], record["times"]["watermark"])
        for record in lines(folder / "alarms.jsonl")
        if record["alarm_id"] == f"{furnace}/OVERHEAT" and record["transition"]["by"] is None
    ]


def judged_everywhere(file: Path, span: tuple[str, ...], furnaces: list[str]) -> Path:
    """Write labels that call the whole span of each furnace a true alarm."""
    start, end = (datetime.fromisoformat(moment).astimezone(UTC) for moment in span[1::2])
    labels = [
        Label(furnace=name, start=start, end=end, verdict=AlarmVerdict.TRUE_ALARM)
        for name in furnaces
    ]
    file.write_text(labels_as_json(labels))
    return file


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningProduct, Any]]:
    """A live run until an alarm was raised and acknowledged, then everything stands still."""
    with RunningProduct(tmp_path_factory.mktemp("run"), "--seed", "2") as product:
        status = product.wait_ready()
        product.wait_until(lambda: acknowledged(product), 240 + LIMIT_S)
        acknowledged_ns = time.time_ns()
        product.wait_until(
            lambda: judged_until(status) > acknowledged_ns + 2 * MARGIN_NS or None, 240
        )
        with standing_still(status):
            # Else the broker ends a transaction that stands still, and that would be a trace.
            until_decided(status["kafka"], [s.name for s in catalogue(status["topic_prefix"], 1)])
            yield product, status


def acknowledged(product: RunningProduct) -> bool | None:
    """Acknowledge an alarm that scores have raised, which a replay raises as well.

    One that has come again since it was listed is listed anew: what was not seen is refused.
    """
    listed: list[dict[str, Any]] = product.json("alarms", "list", codes=LISTED)
    alarm = next((each for each in listed if each["class"] == "process"), None)
    if alarm is None:
        return None
    told = ("alarms", "ack", alarm["alarm_id"], "--event-id", alarm["annunciation_id"])
    return product.command(*told).returncode == 0 or None


def judged_until(status: dict[str, Any]) -> int:
    """Return up to which end the alarm manager has every furnace's windows, ns UTC."""
    with redis.Redis.from_url(status["redis"], decode_responses=True) as view:
        keys = [*view.scan_iter(f"{status['topic_prefix']}:furnace:*")]
        ends = [datetime.fromisoformat(view.hget(key, "window_end")) for key in keys]
    return min(map(ns_from_utc, ends), default=0)


@pytest.fixture(scope="module")
def span(run) -> tuple[str, ...]:
    """From before the run began to a little before everything stood still.

    By the windows, not by the clock: on a busy machine some come late. What was judged then has
    reached the alarms.
    """
    _, status = run
    until = utc_from_ns(judged_until(status) - MARGIN_NS)
    began = until - timedelta(minutes=10)
    return "--from", began.isoformat(), "--to", until.isoformat()


@pytest.fixture(scope="module")
def recorded(run, span) -> Path:
    """The span replayed from Kafka at the recorded cuts."""
    product, _ = run
    done = product.command("backtest", *span, "--output", "kafka", timeout_s=BACKTEST_S)
    assert done.returncode == 0, done.stdout + done.stderr
    return product.folder / "kafka"


@pytest.fixture(scope="module")
def saved(run, span) -> Path:
    """The span as a recording."""
    product, _ = run
    done = product.command("record", *span, "--output", "saved", timeout_s=LIMIT_S)
    assert done.returncode == 0, done.stdout + done.stderr
    return product.folder / "saved"


def test_a_replay_gives_exactly_the_live_windows_and_alarms(recorded):
    found = json.loads((recorded / "run.json").read_text())["comparison"]
    assert found["verdict"] == "same"
    assert found["windows"]["compared"] == found["windows"]["equal"] >= 60
    assert found["windows"]["largest_logit_difference"] == 0.0
    assert found["alarms"]["compared"] == found["alarms"]["equal"] >= 1
    causes = [record["transition"]["cause"] for record in lines(recorded / "alarms.jsonl")]
    assert {"RAISE", "ACK"} <= set(causes)
    live = [record["transition"]["cause"] for record in lines(recorded / "live-alarms.jsonl")]
    assert sorted(causes) == sorted(live)


def test_the_answer_is_that_every_raise_came_at_the_same_instant_and_each_has_its_picture(recorded):
    run = json.loads((recorded / "run.json").read_text())
    answer = run["answer"]
    assert answer["before"] == answer["after"] >= 1
    assert "at the same instants; 0 more, 0 fewer" in answer["sentence"]
    assert answer["sentence"] in (recorded / "report.html").read_text()
    pictures = json.loads((recorded / "pictures.json").read_text())
    assert 1 <= len(pictures) <= answer["after"]
    assert all(each["png"] or each["lack"] == "no video" for each in pictures)
    assert any(each["outline"] for each in pictures)


def test_a_recording_gives_the_same_bytes_as_kafka(run, span, recorded, saved):
    product, _ = run
    told = ("backtest", *span, "--recording", str(saved), "--output", "again")
    assert product.command(*told, timeout_s=BACKTEST_S).returncode == 0
    for name in FILES:
        assert (product.folder / "again" / name).read_bytes() == (recorded / name).read_bytes()


@pytest.mark.long
def test_a_replay_by_event_time_gives_the_live_windows_and_leaves_no_trace(run, span, recorded):
    product, status = run
    before = traces(status)
    told = ("backtest", *span, "--cuts", "event-time", "--output", "merged")
    done = product.command(*told, timeout_s=BACKTEST_S)
    assert done.returncode == 0, done.stdout + done.stderr
    assert traces(status) == before
    found = json.loads((product.folder / "merged" / "run.json").read_text())["comparison"]
    compared = json.loads((recorded / "run.json").read_text())["comparison"]["windows"]["compared"]
    assert found["windows"]["equal"] == found["windows"]["compared"] == compared
    assert found["alarms"]["equal"] == found["alarms"]["compared"]


@pytest.mark.long
def test_other_thresholds_raise_what_the_scores_foretell(run, span, recorded, saved):
    product, _ = run
    scores: dict[str, list[dict[str, Any]]] = {}
    for window in lines(recorded / "windows.jsonl"):
        if window["logit"] is not None:
            scores.setdefault(window["furnace_id"], []).append(window)
    on = round(median(window["logit"] for windows in scores.values() for window in windows), 2)
    other = DEFAULT_SETPOINT.model_copy(update={"logit_on": on, "logit_off": on - 0.25})
    threshold = f"--threshold={other.logit_on}/{other.logit_off}"
    told = ("backtest", *span, "--recording", str(saved), threshold)
    judged = judged_everywhere(product.folder / "labels.json", span, sorted(scores))
    done = product.command(*told, "--labels", str(judged), "--json", timeout_s=BACKTEST_S)
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads(done.stdout)
    folder = product.folder / summary["folder"]
    assert summary["folder"] == f"backtests/{summary['run_id']}"
    tried = {name: raised_and_cleared(folder, name) for name in scores}
    assert tried == {name: predicted(windows, other) for name, windows in scores.items()}
    own = {name: predicted(windows, DEFAULT_SETPOINT) for name, windows in scores.items()}
    assert own == {name: raised_and_cleared(recorded, name) for name in scores}
    assert tried != own
    assert summary["comparison"]["verdict"] == "explained"
    raised = sum(bool(found) for found in tried.values())
    told_of = summary["labels"]["true_alarm"]
    assert (told_of["labels"], told_of["raised"]) == (len(scores), raised)
    assert told_of["kept"] + told_of["lost"] == told_of["raised_live"]
    assert summary["labels"]["raised_without_label"] == 0


@pytest.mark.long
def test_kafka_a_recording_and_a_backtest_ask_for_the_same_set_point(run, span, recorded, saved):
    product, _ = run
    told = ("alarms", "setpoint", "--budget", "5", "--json")
    sources = (span, (*span, "--recording", str(saved)), ("--backtest", str(recorded)))
    answers = [product.command(*told, *source, timeout_s=LIMIT_S) for source in sources]
    assert [answer.returncode for answer in answers] == [1, 1, 1], "too short a watch"
    found = [json.loads(answer.stdout) for answer in answers]
    assert found[0] == found[1] == found[2]
    assert found[0]["windows"] >= 60
    assert "separate peaks" in found[0]["refusal"]


def test_a_triton_that_is_away_is_one_line_and_exit_code_3(run, span):
    product, _ = run
    done = product.command("backtest", *span, "--triton", "127.0.0.1:9", timeout_s=LIMIT_S)
    assert done.returncode == 3
    assert "expected a Triton that serves fmformer" in done.stderr
    assert "Traceback" not in done.stderr
