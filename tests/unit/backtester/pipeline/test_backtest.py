"""A past in memory through the whole replay: the same is the same, each difference has a name."""

import asyncio
from base64 import b64decode
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from meltwatch_backtester.domain.findings import ReplayVerdict
from meltwatch_backtester.domain.question import Cuts
from meltwatch_backtester.domain.span import Span
from meltwatch_backtester.domain.thresholds import parse_thresholds
from meltwatch_backtester.domain.window_comparison import Kind, compare
from meltwatch_chassis.errors import DependencyUnreachable, TransientError
from meltwatch_schemas.instants import utc_from_ns
from meltwatch_schemas.reasons import Reason
from meltwatch_schemas.record import RawRecord, read_embedding, read_score
from meltwatch_schemas.score import (
    Cut,
    Modality,
    ModelIdentity,
    ScoreStatus,
    WindowScore,
    encode_score,
)
from meltwatch_schemas.score_topics import NewestFrame
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_MS, NS_PER_S

from tests.support.builders import novelty
from tests.support.input_records import ORIGIN_NS, InputRecord, live
from tests.unit.backtester.pipeline.past import Past, Swinging, replay
from tests.unit.core.scoring.fakes import ENCODER, FakeScorer

FURNACES = ("hall/FMF-01", "hall/FMF-02")
SECONDS = 150


def plant_records(late_s: float = 0.0) -> list[InputRecord]:
    """Three minutes of two furnaces; the frames of the second minute arrive late, if wanted."""
    records = live(FURNACES, SECONDS, encoder=ENCODER)
    first_ms = ORIGIN_NS // NS_PER_MS + 60_000

    def arrival_ms(record: InputRecord) -> float:
        is_late = record.topic is Topic.EMBEDDINGS and 0 <= record.timestamp_ms - first_ms < 60_000
        return record.timestamp_ms + late_s * 1000 * is_late

    return sorted(records, key=arrival_ms)


@pytest.fixture(scope="module")
def steady() -> Past:
    return asyncio.run(Past.of(plant_records()))


def changed(past: Past, number: int, alter: Callable[[WindowScore], WindowScore]) -> Past:
    """The past with another score in one place."""

    def altered(log: list[RawRecord]) -> list[RawRecord]:
        score = alter(read_score(log[number]))
        return [*log[:number], replace(log[number], value=encode_score(score)), *log[number + 1 :]]

    other = Past(dict(past.logs))
    other.change(Topic.SCORES, altered)
    return other


def without_model(score: WindowScore) -> WindowScore:
    return replace(
        score,
        status=ScoreStatus.UNSCORED,
        logit=None,
        probability=None,
        member_logits=None,
        disagreement=None,
        anomaly_map=None,
        reasons=(*score.reasons, "model_unavailable"),
        times=replace(score.times, scored_ns=None),
    )


@pytest.mark.parametrize("cuts", Cuts)
async def test_what_was_not_disturbed_is_replayed_exactly(steady, cuts):
    outcome, noted = await replay(steady, cuts=cuts)
    assert outcome.findings.verdict is ReplayVerdict.SAME
    assert outcome.findings.equal == len(noted.kinds) == len(steady.scores) > 2 * SECONDS / 1.44 - 9
    assert [r.transition.cause for r in outcome.alarms].count("RAISE") >= 8
    assert [r.transition.cause for r in outcome.alarms].count("ACK") == 1
    assert {record.run_id for record in outcome.alarms} == {"run"}


@pytest.mark.parametrize("from_s", [31.0, 100.5])
async def test_a_span_within_is_replayed_exactly_running_alarms_included(steady, from_s):
    span = Span(ORIGIN_NS + int(from_s * NS_PER_S), ORIGIN_NS + 140 * NS_PER_S)
    outcome, noted = await replay(steady, span=span)
    assert outcome.findings.verdict is ReplayVerdict.SAME
    assert len(noted.kinds) == sum(score.window_end_ns in span for score in steady.scores)


async def test_late_records_and_crashes_are_replayed_at_the_recorded_cuts():
    past = await Past.of(plant_records(late_s=20.0), lives=12)
    outcome, _ = await replay(past)
    assert outcome.findings.verdict is ReplayVerdict.SAME
    assert outcome.tally.late > 0
    merged, _ = await replay(past, cuts=Cuts.EVENT_TIME)
    assert merged.findings.verdict is ReplayVerdict.SAME
    assert merged.tally.late == outcome.tally.late


async def test_what_live_closed_on_other_records_is_explained(steady):
    """Live did not wait for a modality that was idle by its clock; by event time it is there."""
    blind = changed(steady, 60, lambda score: replace(score, inputs=other_cut(score)))
    blind = changed(blind, 60, lambda score: replace(score, video_coverage=0.5))
    merged, _ = await replay(blind, cuts=Cuts.EVENT_TIME)
    assert merged.findings.verdict is ReplayVerdict.EXPLAINED
    assert set(merged.findings.kinds) == {Kind.LATE}


def test_a_source_that_is_not_in_the_window_is_no_difference_by_event_time(steady):
    """Live names it by how far was read, and there the replay has read less."""
    live = next(score for score in steady.scores if score.modalities == (Modality.VIDEO,))
    unnamed = replace(live, sources=replace(live.sources, current=None))
    other = replace(live, sources=replace(live.sources, video="another"))
    assert live.sources.current is not None
    assert compare(unnamed, live, with_cuts=False).kind is None
    assert compare(unnamed, live, with_cuts=True).kind is Kind.CONTENT
    assert compare(other, live, with_cuts=False).kind is Kind.CONTENT


def other_cut(score: WindowScore) -> dict[str, Cut]:
    """The cut of a window that was closed one record earlier."""
    return {
        topic: replace(cut, last_handed_on=(cut.last_handed_on or 0) - 1)
        for topic, cut in score.inputs.items()
    }


async def test_one_furnace_alone_gives_its_windows_as_before(steady):
    outcome, noted = await replay(steady, furnaces=FURNACES[:1])
    assert outcome.findings.verdict is ReplayVerdict.SAME
    assert set(outcome.findings.furnaces) == set(FURNACES[:1])
    assert len(noted.kinds) == sum(s.furnace_id == FURNACES[0] for s in steady.scores)


async def test_a_window_that_live_could_not_score_is_scored_and_named(steady):
    outcome, noted = await replay(changed(steady, 60, without_model))
    assert outcome.findings.kinds == {Kind.MODEL_UNAVAILABLE: 1}
    assert outcome.findings.verdict is ReplayVerdict.EXPLAINED
    assert noted.scores[60].logit is not None


@pytest.mark.parametrize(
    ("alter", "kind"),
    [
        (lambda score: replace(score, logit=score.logit + 0.01), Kind.VERDICT),
        (lambda score: replace(score, video_coverage=0.9), Kind.CONTENT),
        (lambda score: replace(score, reasons=(*score.reasons, "sync_skew")), None),
        (lambda score: replace(score, reasons=(*score.reasons, "black_video")), Kind.CONTENT),
    ],
)
async def test_a_difference_that_nothing_explains_is_named(steady, alter, kind):
    outcome, _ = await replay(changed(steady, 150, alter))
    assert set(outcome.findings.kinds) == ({kind} if kind else set())
    assert outcome.findings.verdict is (ReplayVerdict.DIFFERENT if kind else ReplayVerdict.SAME)


async def test_a_score_that_live_lost_is_named(steady):
    past = Past(dict(steady.logs))
    past.change(Topic.SCORES, lambda log: [*log[:100], *log[101:]])
    outcome, _ = await replay(past)
    assert outcome.findings.kinds == {Kind.LOST: 1}
    assert outcome.findings.verdict is ReplayVerdict.DIFFERENT
    merged, _ = await replay(past, cuts=Cuts.EVENT_TIME)
    assert merged.findings.kinds == {Kind.UNEXPECTED: 1}


async def test_records_that_are_gone_are_not_taken_for_the_same(steady):
    past = Past(dict(steady.logs))
    past.change(Topic.EMBEDDINGS, lambda log: [*log[:200], *log[230:]])
    outcome, _ = await replay(past)
    assert outcome.findings.verdict is ReplayVerdict.DIFFERENT
    assert set(outcome.findings.kinds) <= {Kind.CONTENT, Kind.VERDICT}


async def test_an_alarm_that_live_did_not_raise_is_a_difference(steady):
    past = Past(dict(steady.logs))
    past.change(Topic.ALARMS, lambda log: log[:5])
    outcome, _ = await replay(past)
    assert outcome.findings.verdict is ReplayVerdict.DIFFERENT
    assert all(not each.is_explained for each in outcome.findings.alarm_differences[:1])


async def test_other_thresholds_explain_other_alarms(steady):
    outcome, _ = await replay(steady, thresholds=parse_thresholds(["6"]))
    assert outcome.findings.verdict is ReplayVerdict.EXPLAINED
    assert outcome.alarms == []
    own = await replay(steady, thresholds=parse_thresholds(["3.0/1.0"]))
    assert own[0].findings.verdict is ReplayVerdict.SAME


async def test_an_acknowledgement_of_what_never_happened_is_stale(steady):
    outcome, _ = await replay(steady, thresholds=parse_thresholds(["-9/-9"]))
    assert outcome.findings.verdict is ReplayVerdict.EXPLAINED
    assert {record.transition.cause for record in outcome.alarms} == {"RAISE", "QUALITY"}


async def test_another_model_is_named(steady):
    outcome, _ = await replay(steady, model=ModelIdentity("challenger", "2", "e" * 64))
    assert set(outcome.findings.kinds) == {Kind.OTHER_MODEL}
    assert outcome.findings.verdict is ReplayVerdict.EXPLAINED


async def test_without_scores_event_time_still_gives_windows(steady):
    past = Past({**steady.logs, Topic.SCORES: [], Topic.ALARMS: []})
    outcome, noted = await replay(past, cuts=Cuts.EVENT_TIME)
    assert len(noted.scores) == len(steady.scores)
    assert outcome.findings.verdict is ReplayVerdict.EXPLAINED
    assert set(outcome.findings.kinds) == {Kind.NOT_YET_LIVE}


async def test_a_model_that_goes_away_ends_the_replay(steady):
    scorer: FakeScorer = Swinging()

    def away(_: object) -> None:
        if len(scorer.calls) > 20:
            raise TransientError("gone")

    scorer.attempt = away
    with pytest.raises(DependencyUnreachable, match="gone"):
        await replay(steady, scorer=scorer)


async def test_at_each_raise_stands_what_the_camera_saw_and_the_models_marked(steady):
    outcome, _ = await replay(steady)
    raised = [r for r in outcome.alarms if r.transition.cause == "RAISE" and r.class_ == "process"]
    assert [(s.furnace_id, utc_from_ns(s.window_end_ns)) for s in outcome.sights] == [
        (r.equipment_path, r.evidence.window_end) for r in raised
    ]
    for sight in outcome.sights:
        document = sight.document()
        if sight.frame is None:
            assert (document["png"], document["lack"]) == (None, "no video")
        else:
            place = frame_place(steady, sight.furnace_id, sight.window_end_ns)
            assert sight.frame.tobytes() == pixels(steady, place).tobytes()
            assert b64decode(document["png"]).startswith(b"\x89PNG")
            assert document["outline"].startswith("M")
    assert any(sight.frame is not None for sight in outcome.sights)


async def test_what_live_alone_raised_has_a_picture_too(steady):
    outcome, _ = await replay(steady, thresholds=parse_thresholds(["9"]))
    assert not any(record.transition.cause == "RAISE" for record in outcome.alarms)
    lives = [r for r in outcome.live_alarms if r.transition.cause == "RAISE"]
    assert {s.furnace_id for s in outcome.sights} == {r.equipment_path for r in lives}


def frame_place(past: Past, furnace_id: str, end_ns: int) -> NewestFrame:
    found = (s for s in past.scores if (s.furnace_id, s.window_end_ns) == (furnace_id, end_ns))
    return next(found).frames[-1]


def pixels(past: Past, place: NewestFrame) -> np.ndarray:
    raw = next(raw for raw in past.logs[Topic.EMBEDDINGS] if raw.offset == place.offset)
    chunk = read_embedding(raw)
    index = chunk.event_times_ns.tolist().index(place.event_ns)
    return ENCODER.decode(chunk.data[index : index + 1])[0]


@pytest.mark.parametrize("cuts", list(Cuts))
async def test_what_live_said_of_portraits_is_carried_over(steady: Past, cuts: Cuts) -> None:
    """A backtest asks no portrait: what stands on the topic now may be another one."""
    told = novelty(video=3.5, peak=(7, 0))

    def compared(log: list[RawRecord]) -> list[RawRecord]:
        return [
            replace(
                raw,
                value=encode_score(
                    replace(
                        score,
                        novelty=told if number % 3 else None,
                        reasons=(*score.reasons, *([Reason.PORTRAIT_STALE] * (number % 5 == 0))),
                    )
                ),
            )
            for number, raw in enumerate(log)
            for score in [read_score(raw)]
        ]

    past = Past(dict(steady.logs))
    past.change(Topic.SCORES, compared)
    outcome, noted = await replay(past, cuts=cuts)

    assert outcome.findings.verdict is ReplayVerdict.SAME
    said = {
        (score.furnace_id, score.window_end_ns): (
            score.novelty,
            Reason.PORTRAIT_STALE in score.reasons,
        )
        for score in noted.scores
        if score is not None
    }
    for number, score in enumerate(past.scores):
        seen, is_stale = said[score.furnace_id, score.window_end_ns]
        assert is_stale is (number % 5 == 0)
        assert (seen is None) is (number % 3 == 0)
        assert seen is None or (seen.portrait, seen.video, seen.peak) == ("a" * 64, 3.5, (7, 0))
