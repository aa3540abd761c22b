import subprocess
import sys
import time
from operator import neg
from pathlib import Path

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


PARENT = """
import time
from meltwatch_trainer.adapters.process_pool import in_processes

if __name__ == "__main__":
    results = in_processes(eval, ["__import__('os').getpid()", "__import__('time').sleep(60)"], 2)
    print(next(results), flush=True)
    time.sleep(60)
"""


def runs(pid: int) -> bool:
    """Tell whether a process has not ended yet; one that nobody has reaped has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_worker_does_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    program = tmp_path / "parent.py"
    program.write_text(PARENT)
    with subprocess.Popen([sys.executable, program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        assert runs(worker)
        parent.kill()
    end_s = time.monotonic() + 10
    while runs(worker) and time.monotonic() < end_s:
        time.sleep(0.02)
    assert not runs(worker)
