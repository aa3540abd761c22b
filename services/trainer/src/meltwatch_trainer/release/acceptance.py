"""Judge an ensemble by what counts: it shows every fault, and nothing else.

Runs of the demo under many seeds, and hours of ordinary operation, of furnaces that no member was
trained or calibrated on, are scored window by window and judged by an alarm point's rule.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from meltwatch_schemas.alarm_point import Setpoint
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC
from meltwatch_simulator import Scenario, furnace_ids
from meltwatch_simulator.scenario import demo_origin_ns

from meltwatch_trainer.data.operation import Run, operate
from meltwatch_trainer.judge.alarm_delay import judge
from meltwatch_trainer.judge.served_ensemble import ServedEnsemble

DEMO_S: Final = 150.0
DEMO_FURNACES: Final = 2
ORIGIN_NS: Final = 1_800_000_000 * NS_PER_S
GRACE_S: Final = 6.0
"""A fault's after-glow and the on-delay: an alarm within this of a fault's end is the fault's."""

Progress = Callable[[int, int], None]


def demo_runs(
    ensemble: ServedEnsemble, seeds: Sequence[int], states: tuple[str, ...], progress: Progress
) -> list[Run]:
    """Return what the ensemble says during the demo, two furnaces for each seed."""
    runs = []
    for done, seed in enumerate(seeds, start=1):
        origin_ns = demo_origin_ns(seed)
        names = furnace_ids(DEMO_FURNACES)
        scenario = Scenario(seed, names, origin_ns, DEMO_S)
        for name in names:
            furnace = scenario.furnace(name)
            runs.append(operate(ensemble, furnace, origin_ns, DEMO_S, states, PUBLISHED_SPEC))
        progress(done, len(seeds))
    return runs


def long_runs(
    ensemble: ServedEnsemble,
    seeds: Sequence[int],
    minutes: float,
    states: tuple[str, ...],
    progress: Progress,
) -> list[Run]:
    """Return what the ensemble says during ordinary operation, one furnace for each seed."""
    runs = []
    for done, seed in enumerate(seeds, start=1):
        names = (f"held-out/furnace-{seed:05d}",)
        scenario = Scenario(seed, names, ORIGIN_NS, None)
        furnace = scenario.furnace(names[0])
        runs.append(operate(ensemble, furnace, ORIGIN_NS, 60 * minutes, states, PUBLISHED_SPEC))
        progress(done, len(seeds))
    return runs


@dataclass(frozen=True, slots=True)
class AcceptanceVerdict:
    """Alarms against faults over many runs.

    Attributes
    ----------
    faults, missed, false_alarms
        Counts.
    hours
        Furnace-hours judged.
    clear_delays_s, misty_delays_s
        Detection delays, sorted, in the clear and under heavy mist.
    clear_lags_s
        Seconds from a fault's end until its alarm cleared, sorted.
    """

    faults: int
    missed: int
    false_alarms: int
    hours: float
    clear_delays_s: tuple[float, ...]
    misty_delays_s: tuple[float, ...]
    clear_lags_s: tuple[float, ...]

    @property
    def accepted(self) -> bool:
        """Whether every fault was shown and nothing else was."""
        return self.missed == 0 and self.false_alarms == 0

    def line(self) -> str:
        """Return the verdict as one line for people."""
        return (
            f"{self.hours:.1f} furnace-hours: {self.faults} faults, {self.missed} missed, "
            f"{self.false_alarms} false alarms; delay median/max "
            f"{_median_and_max(self.clear_delays_s)} s clear, "
            f"{_median_and_max(self.misty_delays_s)} s under heavy mist; "
            f"cleared after {_median_and_max(self.clear_lags_s)} s"
        )


def verdict(runs: Iterable[Run], setpoint: Setpoint, column: int = 0) -> AcceptanceVerdict:
    """Judge runs by one column of their logits."""
    missed = false_alarms = 0
    hours = 0.0
    delays: dict[bool, list[float]] = {False: [], True: []}
    lags: list[float] = []
    for run in runs:
        series = zip(run.ends_s.tolist(), run.logits[:, column].tolist(), strict=True)
        judgement = judge(series, setpoint, run.faults, GRACE_S)
        missed += judgement.delays_s.count(None)
        false_alarms += judgement.false_alarms
        lags += judgement.clear_lags_s
        hours += (run.ends_s[-1] - run.ends_s[0]) / 3600
        for delay, misty in zip(judgement.delays_s, run.misty, strict=True):
            if delay is not None:
                delays[misty].append(delay)
    return AcceptanceVerdict(
        faults=missed + len(delays[False]) + len(delays[True]),
        missed=missed,
        false_alarms=false_alarms,
        hours=hours,
        clear_delays_s=tuple(sorted(delays[False])),
        misty_delays_s=tuple(sorted(delays[True])),
        clear_lags_s=tuple(sorted(lags)),
    )


def _median_and_max(values: tuple[float, ...]) -> str:
    return f"{np.median(values):.1f}/{values[-1]:.1f}" if values else "-"
