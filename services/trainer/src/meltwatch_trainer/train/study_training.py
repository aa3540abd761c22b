"""Train the models of the study, several side by side.

On a CPU one process and one thread each beats one process with all threads (seen on two cores: 13
ms against 25 ms a window). On a GPU networks this small leave it idle between their steps, which a
second process fills.
"""

import ctypes
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from typing import Final

import torch

from meltwatch_trainer.data.process_pool import process_manager, process_pool
from meltwatch_trainer.train.study import StudyModel
from meltwatch_trainer.train.trained import weights_path
from meltwatch_trainer.train.training import Report, TrainingProgress, train, write_atomically
from meltwatch_trainer.train.window_source import LearnableWindows, WindowSource

POLL_S: Final = 0.5

OpenWindows = Callable[[], LearnableWindows]
# Giving freed memory back and asking again costs half of a training step on a CPU (seen: 66 %
# system time). From glibc's malloc.h; the calls do nothing elsewhere.
_TRIM_THRESHOLD: Final = -1
_TOP_PAD: Final = -2
_MMAP_MAX: Final = -4
_TOP_PAD_BYTES: Final = 1 << 28
_NEVER_TRIM_BYTES: Final = (1 << 31) - 1


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """One model to train to its end.

    Attributes
    ----------
    open_windows
        Opens the windows to learn from; called in each process, so it can be pickled.
    folder
        Gets ``NAME.checkpoint`` and, at the end, ``NAME.pt``: the weights as a state dict. Models
        of one folder learn from the same windows.
    part
        What distinguishes its progress from that of others of the same name.
    """

    model: StudyModel
    open_windows: OpenWindows
    folder: Path
    part: str = ""


def train_study(
    jobs: Sequence[TrainingJob], device: torch.device, workers: int, report: Report
) -> None:
    """Train models to their end, each from its checkpoint if there is one, and write their weights.

    Parameters
    ----------
    workers
        Processes, each with one model at a time; with 1 the work is done in this one.
    """
    if workers == 1:
        _finish_all(iter(jobs), device, report)
        return
    with process_manager() as manager, process_pool(workers) as pool:
        waiting: Queue[TrainingJob] = manager.Queue()
        for job in jobs:
            waiting.put(job)
        progress: Queue[TrainingProgress] = manager.Queue()
        futures = [pool.submit(_work, waiting, device, progress) for _ in range(workers)]
        _follow(futures, progress, report)


def _work(
    waiting: "Queue[TrainingJob]", device: torch.device, progress: "Queue[TrainingProgress]"
) -> None:
    """Train one waiting model after the other until none is left."""
    keep_freed_memory()
    torch.set_num_threads(1)
    _finish_all(_until_empty(waiting), device, progress.put)


def _until_empty(waiting: "Queue[TrainingJob]") -> Iterator[TrainingJob]:
    while True:
        try:
            yield waiting.get_nowait()
        except Empty:
            return


def _finish_all(jobs: Iterator[TrainingJob], device: torch.device, report: Report) -> None:
    opened: tuple[Path, WindowSource] | None = None
    for job in jobs:
        if opened is None or opened[0] != job.folder:
            opened = job.folder, WindowSource(job.open_windows(), device)
        _finish(job, opened[1], device, report)


def _finish(job: TrainingJob, source: WindowSource, device: torch.device, report: Report) -> None:
    def show(progress: TrainingProgress) -> None:
        report(progress._replace(name=f"{progress.name}{job.part}"))

    name = job.model.name
    network = train(job.model, source, job.folder / f"{name}.checkpoint", device, show)
    weights = {key: tensor.cpu() for key, tensor in network.state_dict().items()}
    write_atomically(weights_path(job.folder, name), weights)


def _follow(
    futures: Sequence[Future[None]], progress: "Queue[TrainingProgress]", report: Report
) -> None:
    """Pass reports on until all is done; what failed is raised."""
    while not all(future.done() for future in futures) or not progress.empty():
        try:
            report(progress.get(timeout=POLL_S))
        except Empty:
            continue
    for future in futures:
        future.result()


def keep_freed_memory() -> None:
    """Tell glibc to serve large tensors from the heap and to keep the heap; no-op elsewhere."""
    libc = ctypes.CDLL(None)
    mallopt = getattr(libc, "mallopt", None)
    if mallopt is None:
        return
    mallopt(_MMAP_MAX, 0)
    mallopt(_TRIM_THRESHOLD, _NEVER_TRIM_BYTES)
    mallopt(_TOP_PAD, _TOP_PAD_BYTES)
