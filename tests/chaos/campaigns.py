"""Which campaigns there are."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from tests.chaos import (
    broker,
    forged,
    leader,
    manager_kill,
    overload,
    poison,
    producers,
    promotion,
    rebalance,
    redis_view,
    releases,
    sources,
    takeover,
    topics,
    triton,
    upgrade,
    weather,
    worker_kill,
)
from tests.chaos.report import Report
from tests.chaos.stage import Stage

Running = Callable[[Stage, int, int], Report]


@dataclass(frozen=True)
class Campaign:
    """A campaign.

    Attributes
    ----------
    run
        Breaks things so many times and judges what came of it.
    rounds
        In full length.
    tested
        Rounds among the tests: as many as it has kinds of faults.
    lack
        Gives one line on what this machine lacks for it, or None.
    """

    run: Running
    rounds: int
    tested: int
    lack: Callable[[], str | None] = lambda: None


CAMPAIGNS: Final[Mapping[str, Campaign]] = {
    worker_kill.NAME: Campaign(worker_kill.run, 100, tested=6),
    rebalance.NAME: Campaign(rebalance.run, 30, tested=6),
    triton.NAME: Campaign(triton.run, 30, tested=4),
    triton.LONG: Campaign(triton.run_long, 3, tested=1),
    triton.SLOW: Campaign(triton.run_slow, 5, tested=1),
    broker.NAME: Campaign(broker.run, 30, tested=2),
    leader.NAME: Campaign(leader.run, 20, tested=4),
    producers.NAME: Campaign(producers.run, 50, tested=2),
    manager_kill.NAME: Campaign(manager_kill.run, 50, tested=5),
    weather.NAME: Campaign(weather.run, 9, tested=0),
    forged.NAME: Campaign(forged.run, 30, tested=4),
    redis_view.NAME: Campaign(redis_view.run, 30, tested=2),
    poison.NAME: Campaign(poison.run, 20, tested=0),
    overload.NAME: Campaign(overload.run, 30, tested=0),
    takeover.NAME: Campaign(takeover.run, 5, tested=0),
    sources.NAME: Campaign(sources.run, 30, tested=2),
    promotion.NAME: Campaign(promotion.run, 12, tested=3),
    upgrade.NAME: Campaign(upgrade.run, 10, tested=1, lack=releases.lack),
    topics.NAME: Campaign(topics.run, 12, tested=0),
}
