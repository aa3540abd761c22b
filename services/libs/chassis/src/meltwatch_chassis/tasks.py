"""Several tasks at a time: which of them ends first, and how the others are ended."""

import asyncio
from collections.abc import Awaitable, Collection, Coroutine
from typing import Any, Final, TypeVar

_CANCEL_AGAIN_S: Final = 15.0
_Result = TypeVar("_Result")


async def first_of(*works: Coroutine[Any, Any, object]) -> None:
    """Wait for the first to end, cancel the others, and raise what the first one raised."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await cancel(tasks)
    for task in done:
        task.result()


async def while_lasting(
    other: asyncio.Task[Any], work: Coroutine[Any, Any, _Result]
) -> _Result | None:
    """Return the result of some work, or None if another task ends first; the work ends with it.

    Raises
    ------
    BaseException
        What the work raised, or the cause why the other task has ended.
    """
    working = asyncio.create_task(work)
    try:
        await asyncio.wait((working, other), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
    finally:
        await cancel([working])
    if (error := first_cause(other.exception())) is not None:
        raise error
    return None


async def unless_set(event: asyncio.Event, work: Coroutine[Any, Any, _Result]) -> _Result | None:
    """Return the result of some work, or None if an event comes first; it ends the work."""
    waiting = asyncio.create_task(event.wait())
    try:
        return await while_lasting(waiting, work)
    finally:
        waiting.cancel()


async def heeded(work: Awaitable[_Result]) -> _Result:
    """Return the result of a library's work; a cancellation that it swallowed is raised behind it.

    ``asyncio.wait_for`` of Python 3.11 swallows one that comes just as the work is done. A loop
    over such calls would go on for ever, and whoever has cancelled it would wait as long.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task else 0
    result = await work
    if task and task.cancelling() > before:
        raise asyncio.CancelledError
    return result


async def cancel(
    tasks: Collection[asyncio.Task[Any]], again_s: float = _CANCEL_AGAIN_S
) -> list[object]:
    """Cancel tasks until they have ended; return what became of each.

    Each may take its time to close, so it is cancelled again only after a while. Without that a
    library that swallows a cancellation would let its task go on for ever, and us wait as long.
    What tasks raise is returned, not raised: a cancellation, too.

    Parameters
    ----------
    tasks
        To end.
    again_s
        How long a task may take to close, s.

    Raises
    ------
    asyncio.CancelledError
        Once all have ended, if the caller was cancelled meanwhile: so were they, at once.
    """
    impatient: asyncio.CancelledError | None = None
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        try:
            await asyncio.wait(pending, timeout=again_s)
        except asyncio.CancelledError as error:
            impatient = error
        pending = {task for task in pending if not task.done()}
    if impatient is not None:
        raise impatient
    return list(await asyncio.gather(*tasks, return_exceptions=True))


def first_cause(error: BaseException | None) -> BaseException | None:
    """Return an error, or the first one of a group, whose own text says nothing."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
