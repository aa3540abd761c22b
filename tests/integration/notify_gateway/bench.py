"""A real gateway as a process."""

import subprocess
import sys
from pathlib import Path
from typing import Self

from tests.integration.alarm_manager.bench import ManagerProcess


class GatewayProcess(ManagerProcess):
    """``python -m meltwatch_notify_gateway``; its log goes to a file.

    Parameters
    ----------
    log
        Where standard error goes; appended to.
    environ
        Settings, without the prefix of their variables.
    """

    def __init__(self, log: Path, **environ: str) -> None:
        super().__init__(log, **environ)
        self.log = log

    def start(self) -> Self:
        """Start it; return at once."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "meltwatch_notify_gateway"], env=self._environ, stderr=log
            )
        return self

    @property
    def command_line(self) -> str:
        """What a list of processes shows."""
        return Path(f"/proc/{self.pid}/cmdline").read_bytes().decode(errors="replace")
