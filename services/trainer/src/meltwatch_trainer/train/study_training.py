"""Train the models of the study, several side by side.

On a CPU one process and one thread each beats one process with all threads (seen on two cores: 13
ms against 25 ms a window). On a GPU networks this small leave it idle between their steps, which a
second process fills.
"""

import ctypes
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from queue import Empty, Queue
from typing import Final

import torch

from meltwatch_trainer.data.process_pool import process_manager, process_pool
from meltwatch_trainer.data.window_cache import WindowArrays
from meltwatch_trainer.train.study import StudyModel
from meltwatch_trainer.train.trained import weights_path
from meltwatch_trainer.train.training import Report, TrainingProgress, train, write_atomically
from meltwatch_trainer.train.window_source import WindowSource

POLL_S: Final = 0.5

OpenWindows = Callable[[], WindowArrays]
# Giving freed memory back and asking again costs half of a training step on a CPU (seen: 66 %
# system time). From glibc's malloc.h; the calls do nothing elsewhere.
_TRIM_THRESHOLD: Final = -1
_TOP_PAD: Final = -2
_MMAP_MAX: Final = -4
_TOP_PAD_BYTES: Final = 1 << 28
_NEVER_TRIM_BYTES: Final = (1 << 31) - 1


def train_study(
    models: Sequence[StudyModel],
    open_windows: OpenWindows,
    folder: Path,
    device: torch.device,
    workers: int,
    report: Report,
) -> None:
    """Train models to their end, each from its checkpoint if there is one, and write their weights.

    Parameters
    ----------
    open_windows
        Opens the windows to learn from; called in each process, so it can be pickled.
    folder
        Gets ``NAME.checkpoint`` and, at the end, ``NAME.pt``: the weights as a state dict.
    workers
        Processes, each with one model at a time; with 1 the work is done in this one.
    """
    if workers == 1:
        source = WindowSource(open_windows(), device)
        for model in models:
            _finish(model, source, folder, device, report)
        return
    with process_manager() as manager, process_pool(workers) as pool:
        waiting: Queue[StudyModel] = manager.Queue()
        for model in models:
            waiting.put(model)
        progress: Queue[TrainingProgress] = manager.Queue()
        futures = [
            pool.submit(_work, waiting, open_windows, folder, device, progress)
            for _ in range(workers)
        ]
        _follow(futures, progress, report)


def _work(
    waiting: "Queue[StudyModel]",
    open_windows: OpenWindows,
    folder: Path,
    device: torch.device,
    progress: "Queue[TrainingProgress]",
) -> None:
    """Train one waiting model after the other until none is left."""
    keep_freed_memory()
    torch.set_num_threads(1)
    source = WindowSource(open_windows(), device)
    while True:
        try:
            model = waiting.get_nowait()
        except Empty:
            return
        _finish(model, source, folder, device, progress.put)


def _finish(
    model: StudyModel, source: WindowSource, folder: Path, device: torch.device, report: Report
) -> None:
    network = train(model, source, folder / f"{model.name}.checkpoint", device, report)
    weights = {name: tensor.cpu() for name, tensor in network.state_dict().items()}
    write_atomically(weights_path(folder, model.name), weights)


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
