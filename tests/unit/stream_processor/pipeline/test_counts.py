from dataclasses import replace

import pytest
from meltwatch_chassis.metrics import Metrics
from meltwatch_core.join.window import Outcome
from meltwatch_schemas.errors import ContractViolation, Refusal
from meltwatch_schemas.score import Modality
from meltwatch_stream_processor.pipeline.counts import MAX_FURNACES, OTHER, UNKNOWN, Counts

from tests.support.input_records import ORIGIN_NS, sample_record

RAW = sample_record("plant/FMF-03", ORIGIN_NS).at(0)


def held(furnace_id: str) -> bool:
    return furnace_id == "plant/FMF-03"


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


def irregularities(metrics: Metrics) -> dict[tuple[str, str, str], float]:
    return {
        (sample.labels["furnace"], sample.labels["modality"], sample.labels["kind"]): sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == "meltwatch_furnace_irregularities_total"
    }


def test_a_regular_record_leaves_no_trace_of_its_furnace(metrics: Metrics) -> None:
    counts = Counts(metrics)
    counts.record(RAW, Modality.CURRENT, Outcome(), held)
    counts.record(RAW, Modality.CURRENT, Outcome(history=True), held)

    assert irregularities(metrics) == {}


def test_late_duplicate_and_refused_records_count_for_their_furnace(metrics: Metrics) -> None:
    counts = Counts(metrics)
    counts.record(RAW, Modality.CURRENT, Outcome(late=True, duplicates=3), held)
    counts.record(RAW, Modality.CURRENT, Outcome(late=True), held)
    refusal = ContractViolation(Refusal.UNEXPECTED_SOURCE, "another")
    counts.record(RAW, Modality.VIDEO, Outcome(refusal=refusal), held)

    assert irregularities(metrics) == {
        ("plant/FMF-03", "current", "late"): 2,
        ("plant/FMF-03", "current", "duplicate"): 3,
        ("plant/FMF-03", "video", "unexpected_source"): 1,
    }


@pytest.mark.parametrize("key", [None, b"", b"\xff", b"a b", b"..", b"x" * 201])
def test_a_key_that_is_no_furnace_id_counts_as_unknown(metrics: Metrics, key: bytes | None) -> None:
    refusal = ContractViolation(Refusal.MALFORMED, "why")
    Counts(metrics).record(replace(RAW, key=key), Modality.CURRENT, Outcome(refusal=refusal), held)

    assert irregularities(metrics) == {(UNKNOWN, "current", "malformed"): 1}


def test_furnaces_beyond_the_bound_share_a_label(metrics: Metrics) -> None:
    counts = Counts(metrics, max_furnaces=2)
    for name in ("a", "b", "c", "d", "a", UNKNOWN):
        counts.irregular(name, None, "scoring_rejected")

    assert irregularities(metrics) == {
        ("a", "both", "scoring_rejected"): 2,
        ("b", "both", "scoring_rejected"): 1,
        (OTHER, "both", "scoring_rejected"): 2,
        (UNKNOWN, "both", "scoring_rejected"): 1,
    }


def test_as_many_furnaces_as_the_limit_are_told_apart_by_default(metrics: Metrics) -> None:
    """All of them are held: nothing but the limit keeps their names from the metrics."""
    counts = Counts(metrics)
    for n in range(MAX_FURNACES + 7):
        record = replace(RAW, key=f"plant/F{n}".encode())
        counts.record(record, Modality.CURRENT, Outcome(late=True), lambda _: True)

    found = irregularities(metrics)
    assert len(found) == MAX_FURNACES + 1
    assert found[OTHER, "current", "late"] == 7


def test_a_retired_furnace_leaves_the_metrics_and_makes_room(metrics: Metrics) -> None:
    counts = Counts(metrics, max_furnaces=1)
    counts.record(RAW, Modality.CURRENT, Outcome(late=True, duplicates=3), held)
    counts.record(RAW, Modality.CURRENT, Outcome(retired=("plant/FMF-03", "never/counted")), held)
    assert irregularities(metrics) == {}

    counts.irregular("another", None, "late")
    assert irregularities(metrics) == {("another", "both", "late"): 1}


def test_furnaces_that_are_not_held_share_a_label(metrics: Metrics) -> None:
    """They would never be retired, and stay in the metrics for ever."""
    refusal = ContractViolation(Refusal.MALFORMED, "no chunk")
    counts = Counts(metrics)
    for n in range(3000):
        stranger = replace(RAW, key=f"flood/{n}".encode())
        counts.record(stranger, Modality.VIDEO, Outcome(refusal=refusal), held)

    assert irregularities(metrics) == {(OTHER, "video", "malformed"): 3000}


def test_with_the_assignment_all_furnaces_leave_the_metrics(metrics: Metrics) -> None:
    counts = Counts(metrics)
    counts.record(RAW, Modality.CURRENT, Outcome(late=True, duplicates=3), held)
    counts.clear()
    assert irregularities(metrics) == {}
