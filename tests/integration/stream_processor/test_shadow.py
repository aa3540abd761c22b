"""An ensemble that is only watched: it scores beside live, and leaves live alone."""

import json
from collections.abc import Callable

import pytest
from meltwatch_core.join.rules import JoinRules
from meltwatch_local_cluster.servers import KafkaServer, TritonServer
from meltwatch_schemas.instants import rfc3339, utc_from_ns
from meltwatch_schemas.score import ScoreStatus, WindowScore
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_MS, NS_PER_S, PUBLISHED_SPEC

from tests.integration.stream_processor.worker import Tail, Works, gaps, scores_of
from tests.support.input_records import ORIGIN_NS, InputRecord, frame_record, live
from tests.support.servers import Topics
from tests.support.waiting import LIMIT_S, until

pytestmark = pytest.mark.integration

OLD, NEW, NEWER = ("works/melt/old", "works/melt/new", "works/melt/newer")
SECONDS = 40
LATER_NS = ORIGIN_NS + 600 * NS_PER_S
FOR_EVER = 1e9
"""Seconds: the records of these tests are of long ago, and a week is no age for them."""
SHADOW = {"shadow_ensemble": "fmformer"}


def last_end_ns(records: list[InputRecord]) -> int:
    """Later than the end of every window that so many records close, but for the last one."""
    rules = JoinRules()
    bounds = {
        Topic.EMBEDDINGS: rules.video_bound_ns,
        Topic.CURRENTS: rules.current_bound_ns,
    }
    newest = {record.topic: record.timestamp_ms * NS_PER_MS for record in records}
    return min(time - bounds[topic] for topic, time in newest.items()) - PUBLISHED_SPEC.hop_ns


def spoilt(furnace: str) -> InputRecord:
    return InputRecord(Topic.CURRENTS, furnace.encode(), b"{", ((("schema", b"?/1.0")),), 1)


def of(scores: list[WindowScore], furnace: str) -> dict[int, WindowScore]:
    return {score.window_end_ns: score for score in scores if score.furnace_id == furnace}


def test_it_says_the_same_of_the_same_windows_and_nothing_else(
    works: Works,
    topics: Topics,
    kafka: KafkaServer,
    triton: TritonServer,
    command: Callable[..., tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The live ensemble is watched in shadow: whatever differs is the fault of the shadow."""
    shadow_topic, count = topics.name(Topic.SHADOW_SCORES), topics.partitions
    works.send(live([OLD], SECONDS))
    with (
        Tail(kafka.address, shadow_topic, count) as watched,
        Tail(kafka.address, topics.name(Topic.LATE), count) as late,
        Tail(kafka.address, topics.name(Topic.DEAD_LETTERS), 1) as letters,
        works.worker(triton.address, shed_after_s=FOR_EVER, **SHADOW) as shadow,
    ):
        shadow.until_ready()
        with works.worker(triton.address) as worker:
            worker.until_ready()
            records = live([NEW], SECONDS, start_ns=LATER_NS)
            works.send(records)
            # A late record is told of in the window that closes next: both have closed all first.
            last_ns = last_end_ns(records)
            for tail in (works.scores, watched):
                tail.until(lambda found: max(of(scores_of(found), NEW), default=0) > last_ns)
            works.send([spoilt(NEW), frame_record(NEW, LATER_NS + NS_PER_S, seq=999)])
            letters.until(lambda found: len(found) == 1)
            late.until(lambda found: len(found) == 1)
            # It has read what live has set aside once it has scored what came behind it.
            works.send(live([NEWER], SECONDS, start_ns=LATER_NS))
            watched.until(lambda found: len(of(scores_of(found), NEWER)) > 20)
            shadow.kill()
            live_scores = works.settled(worker)
        in_shadow = scores_of(watched.read_all())
        assert (len(letters.read_all()), len(late.read_all())) == (1, 1)

    assert {score.furnace_id for score in in_shadow} == {NEW, NEWER}, "it begins with what is new"
    assert len(of(live_scores, OLD)) > 20
    assert gaps(in_shadow, 1_440_000_000) == []
    ours, theirs = of(live_scores, NEW), of(in_shadow, NEW)
    paired = [(ours[end], theirs[end]) for end in ours.keys() & theirs.keys()]
    assert len(paired) > 20
    for one, other in paired:
        assert (one.status, one.features, one.reasons) == (
            other.status,
            other.features,
            other.reasons,
        )
        assert one.model == other.model
        if one.logit is not None:
            assert other.logit == pytest.approx(one.logit, abs=1e-3)

    monkeypatch.setenv("MELTWATCH_KAFKA", kafka.address)
    monkeypatch.setenv("MELTWATCH_TOPIC_PREFIX", topics.prefix)
    span = (rfc3339(utc_from_ns(LATER_NS)), rfc3339(utc_from_ns(LATER_NS + 60 * NS_PER_S)))
    asked = ("shadow", "report", "--from", span[0], "--to", span[1], "--furnace", NEW, "--json")
    code, out, err = command(*asked)
    assert code == 0, err
    told = json.loads(out)
    judged = sum(one.logit is not None for one, _ in paired)
    assert told["pairs"]["same content"] == judged > 0
    assert told["agreed"] == 1.0
    assert told["live"]["model_digest"] == told["shadow"]["model_digest"]


def test_a_window_that_is_old_is_dropped_and_counted(
    works: Works, topics: Topics, kafka: KafkaServer, triton: TritonServer
) -> None:
    with (
        Tail(kafka.address, topics.name(Topic.SHADOW_SCORES), topics.partitions) as watched,
        works.worker(triton.address, **SHADOW) as shadow,
    ):
        shadow.until_ready()
        works.send(live([NEW], SECONDS))
        found = scores_of(watched.until(lambda records: len(records) > 20))
        until(
            lambda: 'windows_total{status="unscored"}' in shadow.ask("metrics"),
            shadow.log.read_text,
        )
    assert {score.status for score in found} == {ScoreStatus.UNSCORED}
    assert {word for score in found for word in score.reasons} >= {"overload"}


def test_an_ensemble_that_nobody_serves_is_waited_for(works: Works, triton: TritonServer) -> None:
    with works.worker(triton.address, shadow_ensemble="no/such") as shadow:
        until(lambda: "Triton" in shadow.ask("readyz"), shadow.log.read_text)
        assert shadow.process.poll() is None
        shadow.process.terminate()
        assert shadow.process.wait(LIMIT_S) == 0
