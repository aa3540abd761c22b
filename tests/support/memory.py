"""How much memory a process uses, and used at most."""

import os
from pathlib import Path

_KIB_PER_MIB = 1024


class Peak:
    """The most that a process uses from now on, beyond what it uses now.

    Parameters
    ----------
    pid
        The process; this one unless told.
    """

    def __init__(self, pid: int | None = None) -> None:
        self._folder = Path(f"/proc/{pid or os.getpid()}")
        (self._folder / "clear_refs").write_text("5")
        self._before = self._mib("VmRSS")

    def grown_mib(self) -> float:
        """Tell how much more it has used at most."""
        return self._mib("VmHWM") - self._before

    def _mib(self, name: str) -> float:
        lines = (self._folder / "status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith(name)).split()[1]) / _KIB_PER_MIB
