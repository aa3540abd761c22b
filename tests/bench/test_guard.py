"""No factor of speed is lost unnoticed: ratios to bare baselines in this process, no times."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import structlog
from threadpoolctl import threadpool_limits

from tests.bench.comparison import Comparison, Size
from tests.bench.guard import COMPARISONS, GUARDED, lost_factor
from tests.bench.ledger import Record
from tests.bench.measure import Cost, Subject


@pytest.fixture(autouse=True)
def one_thread_and_no_log() -> Iterator[None]:
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("error"))
    with threadpool_limits(1):
        yield
    structlog.configure(**before)


@pytest.mark.parametrize("name", GUARDED)
def test_no_factor_is_lost(name: str) -> None:
    assert lost_factor(COMPARISONS[name], Record.read().ratios) is None


def test_a_lost_factor_of_two_is_noticed() -> None:
    as_it_is = COMPARISONS["message.current.decode"]
    recorded = {as_it_is.name: as_it_is.least_ratio(attempts=4)}

    assert lost_factor(slowed(as_it_is), recorded) is not None


def slowed(comparison: Comparison) -> Comparison:
    """Do all work of ours twice."""

    def subjects(size: Size) -> dict[str, Subject]:
        ours, *others = (found := comparison.subjects(size))

        def twice() -> Cost:
            first, second = found[ours](), found[ours]()
            return Cost(first.cpu_s + second.cpu_s, first.wall_s + second.wall_s)

        return {ours: twice} | {name: found[name] for name in others}

    return replace(comparison, subjects=subjects)
