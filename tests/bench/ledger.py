"""What was measured, kept beside the benchmark: the page and the guard are made from it."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Self

from tests.bench.figure import Figure

FILE: Final = Path(__file__).with_name("recorded.json")


@dataclass(slots=True)
class Record:
    """The figures of one run.

    Attributes
    ----------
    setting
        Machine and versions.
    figures
        By name.
    failed
        Rows that could not be measured, or not whole, and why.
    ratios
        Of guarded rows: what the guard measures, on the machine of the run.
    """

    setting: Mapping[str, str]
    figures: dict[str, Figure] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    ratios: dict[str, float] = field(default_factory=dict)

    def add(self, row: str, figures: Iterable[Figure], measured: str, failed: str = "") -> None:
        """Take the figures of a row, with when they were measured, and why some are missing."""
        if failed:
            self.failed[row] = failed
        self.figures.update((each.name, replace(each, measured=measured)) for each in figures)

    def take(self, newer: Self) -> None:
        """Take what was measured later; what was not measured again stays."""
        self.figures.update(newer.figures)
        measured = {name for name in self.failed if any(f.startswith(name) for f in newer.figures)}
        kept = {name: why for name, why in self.failed.items() if name not in measured}
        self.failed = kept | newer.failed
        self.setting = newer.setting

    def write(self, path: Path = FILE) -> None:
        """Keep it."""
        said = {
            "setting": dict(self.setting),
            "ratios": self.ratios,
            "failed": self.failed,
            "figures": [each.to_json() for each in self.figures.values()],
        }
        path.write_text(json.dumps(said, indent=1, ensure_ascii=False) + "\n")

    @classmethod
    def read(cls, path: Path = FILE) -> Self:
        """Read what was kept."""
        said: Any = json.loads(path.read_text())
        figures = [Figure.from_json(each) for each in said["figures"]]
        return cls(said["setting"], {f.name: f for f in figures}, said["failed"], said["ratios"])
