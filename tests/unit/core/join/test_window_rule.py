"""The join against the brute-force oracle, step by step."""

from dataclasses import replace

from hypothesis import given
from meltwatch_core.join.window import Outcome

from tests.support.examples import examples
from tests.support.oracle import Oracle, Result, Step
from tests.support.rule_numbers import Numbers
from tests.unit.core.join.sequences import (
    LIMITS,
    SMALL,
    join,
    plain,
    plant_steps,
    small_steps,
)


def told(outcome: Outcome) -> Result:
    """An outcome in the oracle's words."""
    return Result(
        refusal=outcome.refusal.reason if outcome.refusal else None,
        late=outcome.late,
        duplicates=outcome.duplicates,
        windows=[plain(window) for window in outcome.windows],
        skipped=outcome.skipped,
        retired=list(outcome.retired),
    )


def by_furnace(result: Result) -> Result:
    """The same in an order of its own: furnaces that close at one instant have none."""
    windows = sorted(result.windows, key=lambda window: window.furnace)
    return replace(result, windows=windows, retired=sorted(result.retired))


def assert_outcomes_are_the_oracles(steps: list[Step], numbers: Numbers) -> None:
    oracle = Oracle(numbers, LIMITS[numbers])
    for step, outcome in zip(steps, join(steps, numbers), strict=True):
        assert by_furnace(told(outcome)) == by_furnace(oracle.take(step))


@examples(25)
@given(small_steps())
def test_every_outcome_is_what_the_oracle_says(steps: list[Step]):
    assert_outcomes_are_the_oracles(steps, SMALL)


@examples(25)
@given(plant_steps())
def test_a_plant_gives_what_the_oracle_says(steps: list[Step]):
    assert_outcomes_are_the_oracles(steps, SMALL)
