"""``examples/scada_subscriber.py`` as a process, as a person starts it."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self, TypeVar

from tests.support.waiting import LIMIT_S, until

PROGRAM = Path(__file__).parents[2] / "examples" / "scada_subscriber.py"
T = TypeVar("T")


class Subscriber:
    """A subscriber that prints JSON; what it has printed is kept.

    Parameters
    ----------
    kafka
        Address of the broker.
    prefix
        Topic prefix.
    arguments
        Further arguments.
    """

    def __init__(self, kafka: str, prefix: str, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, PROGRAM, kafka, "--prefix", prefix, "--json", *arguments],
            stdout=subprocess.PIPE,
            text=True,
        )
        self._said: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._said.append(json.loads(line))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        if self.process.stdout is not None:
            self.process.stdout.close()

    @property
    def lists(self) -> list[dict[str, Any]]:
        """Every list so far: ``live`` and ``alarms``."""
        return [said for said in self._said if "live" in said]

    @property
    def results(self) -> list[dict[str, Any]]:
        """Every answer to its command so far."""
        return [said for said in self._said if "live" not in said]

    @property
    def alarms(self) -> list[dict[str, Any]] | None:
        """The newest list, None while it is not live."""
        lists = self.lists
        return lists[-1]["alarms"] if lists and lists[-1]["live"] else None

    def until(self, probe: Callable[[Self], T | None], what: str, limit_s: float = LIMIT_S) -> T:
        """Wait until it has said what is expected."""

        def found() -> T | None:
            assert self.process.poll() is None, f"it has ended, before {what}"
            return probe(self)

        return until(found, lambda: f"{what}; {self._said}", limit_s)
