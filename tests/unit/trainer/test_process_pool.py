from operator import neg

import pytest
from meltwatch_trainer.adapters.process_pool import in_processes


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_their_items(workers: int) -> None:
    assert list(in_processes(neg, range(9), workers)) == [-item for item in range(9)]


def test_work_never_runs_far_ahead_of_who_takes_the_results() -> None:
    taken = iter(range(1000))
    results = in_processes(neg, taken, 2)
    assert next(results) == 0
    assert next(taken) <= 4
    results.close()


def test_an_error_in_a_process_is_raised_where_the_result_is_taken() -> None:
    with pytest.raises(TypeError):
        list(in_processes(neg, [1, None], 2))  # type: ignore[list-item]  # on purpose
