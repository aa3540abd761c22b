"""From a refused record to its letter, back to its topic, and judged anew: all of it real."""

import json
from pathlib import Path

import pytest
from meltwatch_schemas.dead_letter import REDRIVE_OF
from meltwatch_schemas.topics import Topic

from tests.integration.stream_processor.worker import Tail, Worker, send
from tests.support.input_records import ORIGIN_NS, STRIDE_NS, frame_record, live, sample_record
from tests.support.waiting import until

pytestmark = pytest.mark.integration

FURNACE = "plant/FMF-03"


def handed_on(worker: Worker) -> float:
    return total(worker, "meltwatch_records_total{")


def counted(worker: Worker, modality: str, kind: str) -> float:
    labels = f'furnace="{FURNACE}",kind="{kind}",modality="{modality}"'
    return total(worker, f"meltwatch_furnace_irregularities_total{{{labels}}} ")


def late(worker: Worker) -> tuple[float, float]:
    return counted(worker, "video", "late"), counted(worker, "current", "late")


def total(worker: Worker, start: str) -> float:
    lines = worker.ask("metrics").splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(start))


def test_a_letter_of_a_worker_goes_back_and_is_judged_as_any_new_record(
    command, kafka, triton, topics, tmp_path: Path, monkeypatch
):
    monkeypatch.setenv("MELTWATCH_KAFKA", kafka.address)
    monkeypatch.setenv("MELTWATCH_TOPIC_PREFIX", topics.prefix)
    stranger = frame_record(FURNACE, ORIGIN_NS + 12 * STRIDE_NS, source_id="second-camera")
    bad = [stranger, sample_record(FURNACE, ORIGIN_NS - 10**9), frame_record(FURNACE, ORIGIN_NS)]
    bad.append(sample_record(FURNACE, ORIGIN_NS + 11 * 10**9, sent_ns=ORIGIN_NS))
    settings = {"kafka": kafka.address, "triton": triton.address, "topic_prefix": topics.prefix}

    with (
        Worker(tmp_path, **settings) as worker,
        Tail(kafka.address, topics.name(Topic.DEAD_LETTERS), 1) as letters,
    ):
        worker.until_ready()
        history = list(live([FURNACE], 12.0))
        send(kafka.address, topics.prefix, history)
        until(lambda: handed_on(worker) == len(history), "the counts")
        # How late those of a slow sender were is another test's business.
        late_before = late(worker)
        send(kafka.address, topics.prefix, bad)
        letters.until(lambda found: len(found) == 2)
        listed = json.loads(command("dead-letters", "list", "--json")[1])
        errors = {letter["error"]: letter["id"] for letter in listed}
        assert errors.keys() == {"unexpected_source", "future_event_time"}

        # The worker is the judge: its own reader refuses the one, its memory the other.
        ids = [str(number) for number in errors.values()]
        code, out, _ = command("dead-letters", "redrive", *ids, "--yes", "--json")
        assert code == 1
        verdicts = {verdict["id"]: verdict["outcome"] for verdict in json.loads(out)}
        assert verdicts[errors["unexpected_source"]] == "sent"
        assert verdicts[errors["future_event_time"]] == "refused"

        again = letters.until(lambda found: len(found) == 3)[-1]
        headers = dict(again.headers)
        assert again.value == stranger.value
        assert headers["dlq.error"] == b"unexpected_source"
        assert headers[REDRIVE_OF].decode().endswith(f"/0/{errors['unexpected_source']}")

        until(lambda: counted(worker, "video", "unexpected_source") == 2, "the counts")
        one_more = late_before[0] + 1, late_before[1] + 1
        until(lambda: late(worker) == one_more, lambda: (late(worker), one_more))
        until(lambda: counted(worker, "current", "future_event_time") == 1, "the counts")
