"""``python -m tests.console_load.streams URL COUNT [PAUSE_S]``: browsers that only listen.

Given a pause, one more of them reads nothing for so long and then goes on. Ends with its standard
input, and says what came: bytes and delays of alarms, each with when.
"""

import asyncio
import json
import sys
from typing import Any, Final

from meltwatch_chassis.clock import SystemClock
from meltwatch_schemas.window import NS_PER_S

from tests.integration.console.listener import Listener

_TURNS: Final = 40
_TURN_S: Final = 0.25


async def _pause(slow: Listener, pause_s: float) -> None:
    await slow.until(lambda: slow.snapshots > 0)
    slow.may_read.clear()
    await asyncio.sleep(pause_s)
    slow.may_read.set()


async def _others(listeners: list[Listener]) -> int:
    """Return how many know other alarms than the first, once they have had time to agree."""
    for _ in range(_TURNS):
        await asyncio.sleep(_TURN_S)
        others = sum(each.standing != listeners[0].standing for each in listeners)
        if not others:
            break
    return others


async def _ended() -> None:
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


async def listen(url: str, count: int, pause_s: float) -> dict[str, Any]:
    listeners = [Listener() for _ in range(count)]
    slow = Listener()
    works = [asyncio.create_task(each.follow(url)) for each in listeners]
    if pause_s:
        works += [asyncio.create_task(slow.follow(url))]
        pause = asyncio.create_task(_pause(slow, pause_s))
    series: list[tuple[float, int]] = []
    clock, end = SystemClock(), asyncio.create_task(_ended())
    while not end.done():
        series.append((clock.now_ns() / NS_PER_S, sum(each.bytes for each in listeners)))
        done, _ = await asyncio.wait([end, *works], timeout=1.0, return_when="FIRST_COMPLETED")
        for work in done & {*works}:
            work.result()
    if pause_s:
        await pause
    others = await _others(listeners + [slow] * bool(pause_s))
    for work in works:
        work.cancel()
    return {
        "count": count,
        "bytes": series,
        "others": others,
        "late": sorted(late for each in listeners for late in each.late),
        "snapshots": slow.snapshots,
    }


if __name__ == "__main__":
    _, address, number, *pause = sys.argv
    print(json.dumps(asyncio.run(listen(address, int(number), float(*pause or [0])))), flush=True)
