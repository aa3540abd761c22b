"""The product as a user meets it: ``meltwatch run`` as a process, in a folder of its own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Self, TypeVar

from tests.support.waiting import LIMIT_S, until

T = TypeVar("T")
MELTWATCH = Path(sys.executable).with_name("meltwatch")
START_S = 240.0
STOP_S = 120.0


class RunningProduct:
    """One ``meltwatch run`` with its state, logs and summary under a folder.

    Parameters
    ----------
    folder
        Where it runs; empty.
    arguments
        Further arguments of ``meltwatch run``.
    settings
        Variables, without the prefix of their names.
    """

    def __init__(self, folder: Path, *arguments: str, **settings: str) -> None:
        self.folder = folder
        self.summary_file = folder / "summary.json"
        self._output = (folder / "output.txt").open("wb")
        own = {k: v for k, v in os.environ.items() if not k.startswith("MELTWATCH_")}
        told = {f"MELTWATCH_{name.upper()}": value for name, value in settings.items()}
        self.environ = own | {"MELTWATCH_STATE_DIR": str(folder / "state")} | told
        self.process = subprocess.Popen(
            [MELTWATCH, "run", *arguments, "--summary", str(self.summary_file)],
            cwd=folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                raise
        self._output.close()

    def command(
        self, *arguments: str, timeout_s: float = LIMIT_S
    ) -> subprocess.CompletedProcess[str]:
        """Run another ``meltwatch`` command beside the run."""
        return subprocess.run(
            [MELTWATCH, *arguments],
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def json(self, *arguments: str, codes: Collection[int] = (0,)) -> Any:
        """Return what a ``meltwatch … --json`` command prints that ends with one of some codes."""
        done = self.command(*arguments, "--json")
        assert done.returncode in codes, done.stderr
        return json.loads(done.stdout)

    def wait_ready(self) -> dict[str, Any]:
        """Wait until every service is ready and return the run's status."""

        def ready() -> dict[str, Any] | None:
            done = self.command("status", "--json")
            status = json.loads(done.stdout) if done.returncode == 0 else {"ready": False}
            return status if status["ready"] else None

        return self.wait_until(ready, START_S)

    def wait_until(self, probe: Callable[[], T | None], timeout_s: float) -> T:
        """Probe twice a second until there is something, while the run lives."""

        def found() -> tuple[T] | None:
            if (it := probe()) is not None:
                return (it,)
            assert self.process.poll() is None, f"the run has ended:\n{self.output()[-3000:]}"
            return None

        return until(found, self.output, timeout_s, every_s=0.5)[0]

    def output(self) -> str:
        """Return what the run has printed so far."""
        return (self.folder / "output.txt").read_text(errors="replace")

    def finish(self, timeout_s: float) -> int:
        """Wait for the run to end by itself and return its exit code."""
        return self.process.wait(timeout_s)

    def summary(self) -> dict[str, Any]:
        """Return the summary that the run has written."""
        summary: dict[str, Any] = json.loads(self.summary_file.read_text())
        return summary
