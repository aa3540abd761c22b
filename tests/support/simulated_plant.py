"""An hour of a simulated plant, recorded and labelled: ``python -m tests.support.simulated_plant``.

Its furnaces have traits far outside the training ranges, as a plant's may. Each fault is labelled
from when its spot is half developed, as somebody at the screen would.
"""

from argparse import ArgumentParser
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from meltwatch_schemas.alarm import AlarmVerdict
from meltwatch_schemas.instants import utc_from_ns
from meltwatch_schemas.labels import Label
from meltwatch_schemas.window import NS_PER_S
from meltwatch_simulator import Scenario, SimulatedFurnace, SlotSchedule
from meltwatch_simulator.parameters import SILENT_SHARE, VEILED_SHARE
from meltwatch_trainer.data.simulated_runs import CHANCE, FAULT_LENGTH, MISTY_SHARE
from meltwatch_trainer.data.truth import true_labels

from tests.support.simulated_recording import ORIGIN_NS, SimulatedRecording

HOUR_NS = 3600 * NS_PER_S
SLOT_S = 400.0


@dataclass(frozen=True)
class SimulatedPlant(SimulatedRecording):
    """Some furnaces for some time, as the study's sets have faults, only more often.

    Attributes
    ----------
    hour
        How long after ``ORIGIN_NS`` it begins.
    """

    minutes: float = 60.0
    slot_s: float = SLOT_S
    beyond: float = 1.0
    hour: int = 0

    @property
    def origin_ns(self) -> int:
        return ORIGIN_NS + self.hour * HOUR_NS

    def furnace(self, name: str) -> SimulatedFurnace:
        schedule = SlotSchedule(
            self.seed, ORIGIN_NS, slot_s=self.slot_s, jitter_s=self.slot_s - FAULT_LENGTH.high - 30,
            chance=CHANCE, misty=MISTY_SHARE, veiled=VEILED_SHARE, silent=SILENT_SHARE,
            length_s=FAULT_LENGTH,
        )  # fmt: skip
        scenario = Scenario(self.seed, self.furnaces, ORIGIN_NS, None, schedule, self.beyond)
        return scenario.furnace(name)

    def labels(self) -> list[Label]:
        return [label for name in self.furnaces for label in self._labels_of(name)]

    def _labels_of(self, name: str) -> Iterator[Label]:
        furnace = self.furnace(name)
        faults = tuple(furnace.faults_between(self.origin_ns, self.end_ns))
        for fault in faults:
            times_ns = np.arange(fault.start_ns, fault.end_ns, NS_PER_S)
            seen = times_ns[true_labels(furnace, faults, times_ns) == 1]
            if fault.end_ns < self.end_ns and len(seen):
                start, end = utc_from_ns(int(seen[0])), utc_from_ns(fault.end_ns)
                verdict = AlarmVerdict.TRUE_ALARM
                yield Label(furnace=name, start=start, end=end, verdict=verdict)


def main() -> None:
    parser = ArgumentParser(description="Record a simulated plant, with labels.")
    parser.add_argument("--to", type=Path, required=True, help="gets recording/ and labels.csv")
    parser.add_argument("--furnaces", type=int, default=6)
    parser.add_argument("--name", default="kiln", help="what the furnaces' ids begin with")
    parser.add_argument("--hour", type=int, default=0, help="how many hours later")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=77)
    said = parser.parse_args()
    names = tuple(f"{said.name}/FMF-{number:02}" for number in range(said.furnaces))
    plant = SimulatedPlant(names, said.minutes, said.seed, hour=said.hour)
    (said.to / "recording").mkdir(parents=True)
    plant.write(said.to / "recording")
    plant.write_labels(said.to / "labels.csv")
    print(f"wrote {said.to}: {len(names)} simulated furnaces, {len(plant.labels())} labels")


if __name__ == "__main__":
    main()
