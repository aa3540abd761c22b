from dataclasses import replace

import numpy as np
import pytest
from meltwatch_core.alarms.setpoints.threshold import (
    Budget,
    NormalOperation,
    NoTailError,
    find_threshold,
)

HOP_S = 1.44


def operation(seed: int = 1, furnaces: int = 20, hours: int = 1) -> NormalOperation:
    """Held levels that fall off exponentially, independent of each other."""
    rng = np.random.default_rng(seed)
    windows = int(hours * 3600 / HOP_S)
    return NormalOperation(
        held=rng.exponential(1.0, furnaces * windows),
        times_s=np.concatenate(
            [number * 1e9 + np.arange(windows) * HOP_S for number in range(furnaces)]
        ),
        unit=np.repeat(np.arange(furnaces), windows),
        units=furnaces,
        hop_s=HOP_S,
        furnaces=furnaces,
    )


def test_a_threshold_comes_with_its_basis() -> None:
    basis = find_threshold(operation(), Budget(false_alarms=2.0))
    assert basis.low <= basis.logit_on <= basis.high
    assert basis.refusal is None
    assert basis.days == pytest.approx(20 / 24, rel=1e-3)
    assert basis.tail.rate_above(basis.logit_on) == pytest.approx(2.0, rel=0.01)
    assert basis.text().endswith("0.8 furnace-days of 20 furnaces")
    assert "\n" not in basis.text()


def test_the_threshold_of_a_known_law_is_found() -> None:
    """Of 60,000 windows a day each exceeds x by chance exp(-x): once a day above log 60,000."""
    chosen = [find_threshold(operation(seed, 24), Budget(1.0)).logit_on for seed in range(20)]
    assert np.median(chosen) == pytest.approx(np.log(86_400 / HOP_S), rel=0.05)


def test_a_smaller_budget_needs_a_higher_threshold() -> None:
    normal = operation()
    found = [find_threshold(normal, Budget(budget)).logit_on for budget in (5.0, 1.0, 0.2)]
    assert found == sorted(found)


def test_where_an_interval_is_wider_than_the_margin_to_faults_a_threshold_is_refused() -> None:
    basis = find_threshold(operation(), Budget(2.0))
    width = basis.high - basis.low
    assert replace(basis, margin=width + 0.1).refusal is None
    assert "margin" in str(replace(basis, margin=width - 0.1).refusal)


def test_too_short_a_watch_is_refused() -> None:
    basis = find_threshold(operation(furnaces=1), Budget(2.0))
    assert "expected 50 separate peaks" in str(basis.refusal)
    assert "not sound yet" in basis.text()


def short(held: list[float]) -> NormalOperation:
    return NormalOperation(
        held=np.array(held),
        times_s=np.arange(len(held)) * HOP_S,
        unit=np.zeros(len(held), int),
        units=1,
        hop_s=HOP_S,
        furnaces=1,
    )


@pytest.mark.parametrize("held", [[], [1.0, 1.0, 1.0]])
def test_what_has_no_tail_is_an_error(held: list[float]) -> None:
    with pytest.raises(NoTailError, match="expected normal windows"):
        find_threshold(short(held), Budget())


def test_a_few_windows_that_tie_at_the_top_are_too_few_and_no_error() -> None:
    basis = find_threshold(short([1.0, 4.0, 9.0, 9.0]), Budget())
    assert (basis.clusters, basis.tail.level) == (1, 4.0)
    assert "expected 50 separate peaks" in str(basis.refusal)
