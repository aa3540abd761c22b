"""Who ends first, what becomes of the others, and whose error is raised."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
from meltwatch_chassis.tasks import (
    cancel,
    first_cause,
    first_of,
    heeded,
    unless_set,
    while_lasting,
)


class Work:
    """Goes on for ever; notes that it was told to end, and takes its time for it."""

    def __init__(self) -> None:
        self.is_closed = False

    async def __call__(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            self.is_closed = True


async def fail(error: Exception) -> None:
    await asyncio.sleep(0)
    raise error


async def result() -> str:
    await asyncio.sleep(0)
    return "done"


async def test_the_first_to_end_ends_the_others_once_they_have_closed() -> None:
    others = Work(), Work()
    await first_of(result(), *(other() for other in others))
    assert all(other.is_closed for other in others)


async def test_what_the_first_raises_is_raised() -> None:
    other = Work()
    with pytest.raises(OSError, match="the first"):
        await first_of(other(), fail(OSError("the first")))
    assert other.is_closed


async def test_who_fails_while_it_is_ended_says_nothing() -> None:
    async def fails_at_its_end() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise OSError("closing")

    await first_of(result(), fails_at_its_end())


async def test_work_beside_a_lasting_task_gives_its_result_and_leaves_that_one_alone() -> None:
    lasting = Work()
    other = asyncio.create_task(lasting())
    assert await while_lasting(other, result()) == "done"
    assert not other.done()
    await cancel([other])
    assert lasting.is_closed


async def test_the_error_of_the_work_is_its_own() -> None:
    other = asyncio.create_task(Work()())
    with pytest.raises(OSError, match="its own"):
        await while_lasting(other, fail(OSError("its own")))
    assert not other.done()
    await cancel([other])


async def test_work_ends_with_the_other_task_and_hears_why() -> None:
    work = Work()

    async def fails_as_a_group() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail(OSError("the cause")))

    with pytest.raises(OSError, match="the cause"):
        await while_lasting(asyncio.create_task(fails_as_a_group()), work())
    assert work.is_closed


async def test_both_at_once_are_a_result() -> None:
    other = asyncio.create_task(asyncio.sleep(0))
    assert await while_lasting(other, result()) == "done"


@pytest.mark.parametrize("is_set_before", [True, False])
async def test_an_event_ends_the_work(is_set_before: bool) -> None:
    work, event = Work(), asyncio.Event()
    if is_set_before:
        event.set()
    else:
        asyncio.get_running_loop().call_later(0.01, event.set)
    assert await unless_set(event, work()) is None
    assert work.is_closed


async def test_without_the_event_there_is_the_result_and_nobody_waits_any_more() -> None:
    before = asyncio.all_tasks()
    assert await unless_set(asyncio.Event(), result()) == "done"
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


@pytest.mark.parametrize(
    "race",
    [
        lambda work: first_of(work(), Work()()),
        lambda work: unless_set(asyncio.Event(), work()),
    ],
)
async def test_whoever_ends_the_race_ends_the_work(
    race: Callable[[Work], Awaitable[object]],
) -> None:
    work = Work()
    racing = asyncio.ensure_future(race(work))
    await asyncio.sleep(0.01)
    racing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await racing
    assert work.is_closed


async def test_cancelled_once_a_task_may_close_in_peace() -> None:
    work = Work()
    failed, working = asyncio.create_task(fail(OSError("before"))), asyncio.create_task(work())
    await asyncio.wait([failed])
    of_failed, of_working = await cancel([failed, working])
    assert repr(of_failed) == "OSError('before')"
    assert isinstance(of_working, asyncio.CancelledError)
    assert work.is_closed


@pytest.mark.parametrize("steps", range(4))
async def test_a_cancellation_that_comes_just_as_a_library_is_done_is_heeded(steps: int) -> None:
    calls = [asyncio.Event() for _ in range(100)]

    async def loop_over_calls() -> None:
        for call in calls:
            await heeded(asyncio.wait_for(call.wait(), 10))

    looping = asyncio.create_task(loop_over_calls())
    await asyncio.sleep(0.01)
    calls[0].set()
    for _ in range(steps):
        await asyncio.sleep(0)
    looping.cancel()
    done, _ = await asyncio.wait([looping], timeout=5)
    assert done
    assert looping.cancelled()


async def test_heeded_work_has_its_result_and_its_error() -> None:
    assert await heeded(result()) == "done"
    with pytest.raises(OSError, match="broken"):
        await heeded(fail(OSError("broken")))


class Swallowing:
    """Takes no notice of so many cancellations, as libraries do by mistake."""

    def __init__(self, swallowed: int) -> None:
        self.left = swallowed

    async def __call__(self) -> None:
        while self.left:
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            self.left -= 1
        await asyncio.Event().wait()


async def test_who_swallows_a_cancellation_is_cancelled_again() -> None:
    swallowing = asyncio.create_task(Swallowing(3)())
    await asyncio.sleep(0)
    (end,) = await cancel([swallowing], again_s=0.01)
    assert isinstance(end, asyncio.CancelledError)


def soon_set() -> asyncio.Event:
    event = asyncio.Event()
    asyncio.get_running_loop().call_later(0.01, event.set)
    return event


@pytest.mark.parametrize(
    "race",
    [
        lambda work: first_of(soon_set().wait(), work()),
        lambda work: while_lasting(asyncio.create_task(asyncio.sleep(0.01)), work()),
        lambda work: unless_set(soon_set(), work()),
    ],
)
async def test_no_race_waits_for_ever_for_who_swallows_one(
    monkeypatch: pytest.MonkeyPatch, race: Callable[[Swallowing], Awaitable[object]]
) -> None:
    monkeypatch.setattr(cancel, "__defaults__", (0.01,))
    work = Swallowing(2)
    async with asyncio.timeout(30):
        await race(work)
    assert work.left == 0


async def test_an_impatient_caller_cancels_at_once_and_waits_all_the_same() -> None:
    work = Swallowing(1)
    ending = asyncio.create_task(cancel([asyncio.create_task(work())], again_s=1000))
    await asyncio.sleep(0.01)
    ending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ending
    assert work.left == 0


async def test_nothing_to_end_is_ended_at_once() -> None:
    assert await cancel([]) == []


def test_of_groups_in_groups_the_first_cause_is_told() -> None:
    cause = OSError("the cause")
    inner = ExceptionGroup("inner", [cause, ValueError()])
    assert first_cause(ExceptionGroup("outer", [inner, KeyError()])) is cause
    assert first_cause(cause) is cause
    assert first_cause(None) is None
