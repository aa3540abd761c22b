"""What was measured, kept beside the benchmark: the page and the guard are made from it."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
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
        Machine, versions, commit.
    figures
        By name.
    failed
        Rows that could not be measured, and why.
    ratios
        Of guarded rows: what the guard measures, on the machine of the run.
    """

    setting: Mapping[str, str]
    figures: dict[str, Figure] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    ratios: dict[str, float] = field(default_factory=dict)

    def add(self, figures: Iterable[Figure]) -> None:
        """Take figures."""
        self.figures.update((each.name, each) for each in figures)

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
