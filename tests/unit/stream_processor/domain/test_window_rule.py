"""The join against the brute-force oracle, and the laws of the window rule."""

from hypothesis import given

from tests.support.oracle import Numbers, Oracle, Record
from tests.unit.stream_processor.domain.sequences import (
    LIMITS,
    SMALL,
    examples,
    join,
    plain,
    plant_sequences,
    small_sequences,
)


def assert_outcomes_are_the_oracles(records: list[Record], numbers: Numbers) -> None:
    oracle = Oracle(numbers, LIMITS[numbers])
    for record, outcome in zip(records, join(records, numbers), strict=True):
        expected = oracle.hand_on(record)
        assert [plain(window) for window in outcome.windows] == expected.windows
        assert (outcome.refusal.reason if outcome.refusal else None) == expected.refusal
        assert outcome.late == expected.late
        assert outcome.duplicates == expected.duplicates
        assert outcome.skipped == expected.skipped
        assert list(outcome.retired) == expected.retired


@examples(25)
@given(small_sequences())
def test_every_outcome_is_what_the_oracle_says(records: list[Record]):
    assert_outcomes_are_the_oracles(records, SMALL)


@examples(25)
@given(plant_sequences())
def test_a_plant_gives_what_the_oracle_says(records: list[Record]):
    assert_outcomes_are_the_oracles(records, SMALL)
