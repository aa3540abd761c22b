"""A backtest of a real run with a portrait: the same bits, and what another one would have said."""

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer
from meltwatch_local_cluster.servers import KafkaServer, TritonServer
from meltwatch_schemas.instants import rfc3339, utc_from_ns
from meltwatch_schemas.portrait import SCHEMA, encode_portrait, portrait_id
from meltwatch_schemas.record import headers_for
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_S

from tests.integration.stream_processor.worker import Works, scores_of
from tests.support.builders import portrait
from tests.support.input_records import ORIGIN_NS, live
from tests.support.servers import Topics
from tests.support.waiting import LIMIT_S

pytestmark = pytest.mark.integration

Command = Callable[..., tuple[int, str, str]]
WITH, WITHOUT = ("works/melt/with", "works/melt/without")
SECONDS = 70
SPAN = (
    "--from", rfc3339(utc_from_ns(ORIGIN_NS)),
    "--to", rfc3339(utc_from_ns(ORIGIN_NS + 2 * SECONDS * NS_PER_S)),
)  # fmt: skip
LIVES = encode_portrait(portrait(furnace_id=WITH))
ANOTHER = encode_portrait(portrait(furnace_id=WITH, windows=4_000))


@pytest.fixture
def run(
    works: Works,
    topics: Topics,
    kafka: KafkaServer,
    triton: TritonServer,
    monkeypatch: pytest.MonkeyPatch,
) -> Topics:
    """What two furnaces left behind, one of them with a portrait, through two deaths."""
    monkeypatch.setenv("MELTWATCH_KAFKA", kafka.address)
    monkeypatch.setenv("MELTWATCH_TRITON", triton.address)
    monkeypatch.setenv("MELTWATCH_TOPIC_PREFIX", topics.prefix)
    with closing(KafkaProducer(bootstrap_servers=kafka.address)) as producer:
        name, headers = topics.name(Topic.PORTRAITS), list(headers_for(SCHEMA))
        producer.send(name, key=WITH.encode(), value=LIVES, headers=headers).get(LIMIT_S)
    works.send(live([WITH, WITHOUT], SECONDS))
    for wanted in (20, 60):
        with works.worker(triton.address) as worker:
            works.scores.until(lambda found, wanted=wanted: len(found) >= wanted)
            worker.kill()
    with works.worker(triton.address):
        works.scores.until(lambda found: len(found) >= 2 * 46)
    return topics


def test_a_backtest_gives_lives_novelties_and_those_of_another_portrait(
    run: Topics, works: Works, command: Command, tmp_path: Path
) -> None:
    def backtest(name: str, *more: str) -> dict[str, Any]:
        code, out, err = command(
            "backtest", *SPAN, "--json", "--output", str(tmp_path / name), *more
        )
        assert code in (0, 1), err  # no manager has judged: only the windows are compared
        found: dict[str, Any] = json.loads(out)
        return found

    again = backtest("again")
    scores = scores_of(works.scores.read_all())
    windows = sum(score.novelty is not None for score in scores)
    assert again["comparison"]["windows"]["differences"] == {}
    assert again["comparison"]["windows"]["equal"] == len(scores) >= 2 * 46
    counts = {"computed": windows, "carried_over": 0, "unknown_before": 0}
    assert windows >= 46
    assert again["novelty"] == {"furnaces": {WITH: counts}, "largest_difference": 0.0}

    assert command("record", *SPAN, "--output", str(tmp_path / "saved"))[0] == 0
    backtest("recorded", "--recording", str(tmp_path / "saved"))
    for file in ("run.json", "windows.jsonl", "alarms.jsonl"):
        kept, read = ((tmp_path / name / file).read_bytes() for name in ("again", "recorded"))
        assert kept == read, file

    file = tmp_path / "another.portrait"
    file.write_bytes(ANOTHER)
    tried = backtest("tried", "--portrait", str(file))
    found = tried["comparison"]["windows"]["differences"]
    assert {kind: each["count"] for kind, each in found.items()} == {"other_portrait": windows}
    assert found["other_portrait"]["explained"]
    assert tried["portraits"] == {WITH: portrait_id(ANOTHER)}
    assert tried["run_id"] != again["run_id"]

    lines = (tmp_path / "tried" / "windows.jsonl").read_text().splitlines()
    said = [line for line in map(json.loads, lines) if "portrait" in line]
    assert {line["portrait"] for line in said} == {portrait_id(ANOTHER)}
    assert len(said) == windows > sum(line["surprise"] is None for line in said)
