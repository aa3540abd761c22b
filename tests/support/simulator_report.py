"""The table of docs/simulator.md, made again: ``python -m tests.support.simulator_report``."""

from collections import Counter
from typing import Final

import numpy as np
from meltwatch_simulator import Fault, Scenario, SimulatedFurnace, SlotSchedule
from meltwatch_simulator.parameters import NS_PER_S, SILENT_SHARE, VEILED_SHARE, Range

SEED: Final = 1
FURNACES: Final = 50
ORIGIN_NS: Final = 1_700_000_000 * NS_PER_S
HOUR_NS: Final = 3600 * NS_PER_S
TIMES_NS: Final = ORIGIN_NS + np.arange(7200, dtype=np.int64) * (NS_PER_S // 2)
STUDY: Final = SlotSchedule(
    SEED,
    ORIGIN_NS,
    slot_s=600.0,
    chance=0.8,
    length_s=Range(30, 180, "s", "from short to stubborn"),
    veiled=VEILED_SHARE,
    silent=SILENT_SHARE,
)


def main() -> None:
    """Print how often each cause shows, over 50 furnace-hours."""
    begun: Counter[str] = Counter()
    shown: Counter[str] = Counter()
    for number in range(FURNACES):
        name = f"report/furnace-{number}"
        furnace = Scenario(SEED, (name,), ORIGIN_NS, None, STUDY).furnace(name)
        for cause, on in {**furnace.causes(TIMES_NS), **_faults(furnace)}.items():
            begun[cause] += int(on[0]) + int(np.sum(on[1:] & ~on[:-1]))
            shown[cause] += int(on.sum())
    print("| | per furnace-hour | share of the time |\n|---|---|---|")
    for cause in begun:
        share = shown[cause] / (FURNACES * len(TIMES_NS))
        print(f"| {cause} | {begun[cause] / FURNACES:.2f} | {share:.1%} |")


def _faults(furnace: SimulatedFurnace) -> dict[str, np.ndarray]:
    faults = furnace.faults_between(ORIGIN_NS, ORIGIN_NS + HOUR_NS)
    return {
        "fault": _during(faults),
        "fault under heavy mist": _during(tuple(f for f in faults if f.heavy_mist)),
        "fault behind a veil": _during(tuple(f for f in faults if f.veiled)),
        "fault that the currents do not show": _during(tuple(f for f in faults if f.silent)),
    }


def _during(faults: tuple[Fault, ...]) -> np.ndarray:
    during = np.zeros(len(TIMES_NS), dtype=bool)
    for fault in faults:
        during |= (fault.start_ns <= TIMES_NS) & (fault.end_ns > TIMES_NS)
    return during


if __name__ == "__main__":
    main()
