"""One line for each thing that a person would act on, none for each window."""

from dataclasses import replace

from meltwatch_chassis.tracing import begin_trace, trace_id
from meltwatch_core.join.entry import read
from meltwatch_core.join.joiner import PartitionJoiner
from meltwatch_core.join.merge import Reading
from meltwatch_core.join.window import AlignedWindow, Outcome
from meltwatch_schemas.score import Modality, WindowScore
from meltwatch_stream_processor.pipeline.furnace_log import FurnaceLog
from structlog.testing import capture_logs

from tests.support.builders import window_score
from tests.support.input_records import live
from tests.unit.core.scoring.fakes import ENCODER, TOPICS

BOTH = (Modality.VIDEO, Modality.CURRENT)
BLIND = (Modality.CURRENT,)


def seen(score: WindowScore, modalities: tuple[Modality, ...], count: int) -> list[WindowScore]:
    return [replace(score, modalities=modalities, reasons=("no_video",))] * count


def events(log: FurnaceLog, scores: list[WindowScore], trace: str | None = None) -> list[str]:
    with capture_logs() as lines:
        for score in scores:
            log.published(score, trace)
    return [f"{line['event']}:{line.get('modality', '')}" for line in lines]


def test_a_furnace_appears_once_and_then_its_modalities() -> None:
    score = window_score()

    assert sorted(events(FurnaceLog(), seen(score, BOTH, 50))) == [
        "furnace_appeared:",
        "modality_available:current",
        "modality_available:video",
    ]


def test_only_a_loss_that_lasts_is_said_and_so_is_its_end() -> None:
    log, score = FurnaceLog(), window_score()
    events(log, seen(score, BOTH, 5))

    flicker = [*seen(score, BLIND, 2), *seen(score, BOTH, 2)] * 10
    assert events(log, flicker) == []
    assert events(log, seen(score, BLIND, 20)) == ["modality_unavailable:video"]
    assert events(log, seen(score, BOTH, 20)) == ["modality_available:video"]


def test_a_line_names_furnace_window_reasons_and_trace() -> None:
    log, score, trace = FurnaceLog(), window_score(), begin_trace()
    events(log, seen(score, BOTH, 5))
    with capture_logs() as lines:
        for blind in seen(score, BLIND, 3):
            log.published(blind, trace)

    (line,) = lines
    assert (line["furnace"], line["window"]) == (score.furnace_id, score.window_id)
    assert (line["reasons"], line["trace"]) == (["no_video"], trace_id(trace))


def test_after_a_takeover_only_changes_are_said() -> None:
    log, score = FurnaceLog(), window_score()
    log.restored([score.furnace_id])

    assert events(log, seen(score, BOTH, 10)) == []
    assert events(log, seen(score, BLIND, 10)) == ["modality_unavailable:video"]


def test_a_retired_furnace_is_said_and_may_appear_again() -> None:
    log, score = FurnaceLog(), window_score()
    events(log, seen(score, BOTH, 5))
    with capture_logs() as lines:
        log.handed_on(Outcome(retired=(score.furnace_id,)))
        log.handed_on(Outcome(retired=("never/seen",)))

    assert [line["event"] for line in lines] == ["furnace_retired"]
    assert "furnace_appeared:" in events(log, seen(score, BOTH, 1))


def test_a_furnace_is_retired_once_its_last_window_is_out() -> None:
    joiner, log = PartitionJoiner(0, ENCODER), FurnaceLog()
    windows: list[AlignedWindow] = []
    for offset, record in enumerate(live(["melt/a"], 10.0, encoder=ENCODER)):
        raw = record.at(offset)
        entry = read(raw, TOPICS.modalities[raw.topic])
        windows += joiner.advance(entry, Reading(offset)).windows
    scores = [
        replace(window_score(), furnace_id=w.furnace_id, window_end_ns=w.window_end_ns)
        for w in windows
    ]
    log.handed_on(Outcome(windows=tuple(windows), retired=("melt/a",)))

    assert "furnace_retired:" not in events(log, scores[:-1])
    assert "furnace_retired:" in events(log, scores[-1:])
