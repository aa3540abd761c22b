import subprocess
import sys
import time
from operator import neg
from pathlib import Path

import pytest
from meltwatch_trainer.data.process_pool import in_processes


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


PARENT = """
import time
from multiprocessing import active_children
from meltwatch_trainer.data.process_pool import in_processes, process_manager

if __name__ == "__main__":
    manager = process_manager()
    results = in_processes(abs, [1, 2], 2)
    next(results)
    print(*[child.pid for child in active_children()], flush=True)
    time.sleep(60)
"""


def runs(pid: int) -> bool:
    """Tell whether a process has not ended yet; one that nobody has reaped has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_no_process_outlives_a_killed_parent(tmp_path: Path) -> None:
    program = tmp_path / "parent.py"
    program.write_text(PARENT)
    with subprocess.Popen([sys.executable, program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        children = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(children) == 3
        assert all(map(runs, children))
        parent.kill()
    end_s = time.monotonic() + 10
    while any(map(runs, children)) and time.monotonic() < end_s:
        time.sleep(0.02)
    assert not any(map(runs, children))
