"""The table that a campaign ends in."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from statistics import median

from tests.chaos.tape import Tape
from tests.chaos.verdict import Verdict

_COLUMNS = (
    "campaign",
    "rounds",
    "windows",
    "lost",
    "changed",
    "out of order",
    "duplicates",
    "late",
    "refused",
    "first window p50/max s",
    "alarms changed",
    "deaths",
    "verdict",
)
_SHOWN = 6


@dataclass
class Report:
    """What came of a campaign.

    Attributes
    ----------
    name, rounds
        Which one, and how often it broke something.
    verdict
        On the windows.
    recoveries
        Seconds from each fault to the first window after it.
    alarms
        One line for each alarm that is not as it should be.
    deaths
        One line for each service that ended by itself.
    notes
        What else is worth knowing.
    tape
        What the campaign left in Kafka.
    """

    name: str
    rounds: int
    verdict: Verdict
    recoveries: Sequence[float] = ()
    alarms: list[str] = field(default_factory=list)
    deaths: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    tape: Tape = field(default_factory=Tape, repr=False)

    @property
    def faults(self) -> list[str]:
        """All that must not be."""
        return [
            *(f"died: {line}" for line in self.deaths),
            *self.verdict.faults,
            *(f"alarm: {line}" for line in self.alarms),
        ]

    def cells(self) -> list[str]:
        """Its line of the table."""
        verdict = self.verdict
        times = self.recoveries
        return [
            self.name,
            str(self.rounds),
            str(verdict.windows),
            str(len(verdict.lost)),
            str(len(verdict.changed)),
            str(len(verdict.out_of_order)),
            f"{verdict.identical} alike, {len(verdict.other)} other",
            str(verdict.late),
            str(verdict.strangers),
            f"{median(times):.1f} / {max(times):.1f}" if times else "–",
            str(len(self.alarms)),
            str(len(self.deaths)),
            "FAULTS" if self.faults else "good",
        ]


def table(reports: Sequence[Report]) -> str:
    """All reports as a table, and the first faults of each kind."""
    rows = [list(_COLUMNS), *(report.cells() for report in reports)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    lines = [
        "| " + " | ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    for report in reports:
        lines += [f"{report.name}: {note}" for note in report.notes]
        for kind, faults in groupby(report.faults, lambda fault: fault.partition(":")[0]):
            found = list(faults)
            lines += [f"{report.name}: {fault}" for fault in found[:_SHOWN]]
            if len(found) > _SHOWN:
                lines.append(f"{report.name}: {kind}: … and {len(found) - _SHOWN} more")
    return "\n".join(lines)
