"""Work in parallel processes that never outlive the process that started them."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context, parent_process
from multiprocessing.managers import SyncManager
from threading import Thread
from typing import Final, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD: Final = 2
"""Results that may wait besides those in the making."""


def process_pool(workers: int) -> ProcessPoolExecutor:
    """Return a pool whose processes end when this one does, killed or not.

    Otherwise they would go on and write the same checkpoints as the next attempt.
    """
    return ProcessPoolExecutor(workers, get_context("spawn"), initializer=_end_with_parent)


def process_manager() -> SyncManager:
    """Return a started manager of what processes share; it ends when this process does."""
    manager = SyncManager(ctx=get_context("spawn"))
    manager.start(_end_with_parent)
    return manager


def _end_with_parent() -> None:
    Thread(target=_wait_for_its_end, daemon=True).start()


def _wait_for_its_end() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def in_processes(
    work: Callable[[Item], Result], items: Iterable[Item], workers: int
) -> Iterator[Result]:
    """Yield ``work(item)`` of every item in order, never far ahead of the consumer.

    Parameters
    ----------
    work
        Can be pickled, as items and results can.
    workers
        Number of processes; with 1 the work is done in this one.
    """
    if workers == 1:
        yield from map(work, items)
        return
    pool = process_pool(workers)
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) >= workers + AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
