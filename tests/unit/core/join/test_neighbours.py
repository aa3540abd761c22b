"""Nothing in the join of a furnace depends on its neighbours: each is joined as if it were alone.

Whatever a stranger sends, of the past or the future, under another source, once or for ever, and
whether he is retired or refused: he is one furnace more, and it is his windows that he gets.
"""

from dataclasses import replace

from hypothesis import given
from meltwatch_core.join.joiner import PartitionJoiner

from tests.support.examples import examples
from tests.support.oracle import Result, Step, Window
from tests.unit.core.join.sequences import (
    ENCODER,
    SMALL,
    join,
    plant_steps,
    rules_of,
    small_steps,
    take,
)
from tests.unit.core.join.test_window_rule import by_furnace, told


def one_by_one(steps: list[Step]) -> list[Result]:
    """What the steps lead to where each furnace has a partition of its own."""
    names = {step.record.furnace for step in steps if step.record}
    joiners = {name: PartitionJoiner(7, ENCODER, rules_of(SMALL)) for name in names}
    return [
        together([told(take(joiner, step)) for joiner in concerned(joiners, step)])
        for step in steps
    ]


def concerned(joiners: dict[str, PartitionJoiner], step: Step) -> list[PartitionJoiner]:
    return [joiners[step.record.furnace]] if step.record else list(joiners.values())


def together(results: list[Result]) -> Result:
    return Result(
        refusal=next((result.refusal for result in results if result.refusal), None),
        late=any(result.late for result in results),
        duplicates=sum(result.duplicates for result in results),
        windows=[window for result in results for window in result.windows],
        skipped=sum(result.skipped for result in results),
        retired=[name for result in results for name in result.retired],
    )


def without_positions(result: Result) -> Result:
    """A window names how far its partition was read: only that is shared."""
    return by_furnace(replace(result, windows=[_without_cuts(w) for w in result.windows]))


def _without_cuts(window: Window) -> Window:
    return replace(window, cuts=((None, None), (None, None)))


def assert_each_is_alone(steps: list[Step]) -> None:
    shared = [without_positions(told(outcome)) for outcome in join(steps, SMALL)]
    assert shared == [without_positions(result) for result in one_by_one(steps)]


@examples(20)
@given(small_steps())
def test_strangers_of_any_kind_change_nothing(steps: list[Step]):
    assert_each_is_alone(steps)


@examples(12)
@given(plant_steps())
def test_the_furnaces_of_a_plant_do_not_know_each_other(steps: list[Step]):
    assert_each_is_alone(steps)
