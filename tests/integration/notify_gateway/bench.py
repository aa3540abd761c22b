"""A real gateway as a process."""

from pathlib import Path

from tests.integration.alarm_manager.bench import RUN, ManagerProcess


class GatewayProcess(ManagerProcess):
    """``python -m meltwatch_notify_gateway``; its log goes to a file.

    Parameters
    ----------
    log
        Where standard error goes; appended to.
    environ
        Settings, without the prefix of their variables.
    """

    program = RUN.format("meltwatch_notify_gateway")

    def __init__(self, log: Path, **environ: str) -> None:
        super().__init__(log, **environ)
        self.log = log

    @property
    def command_line(self) -> str:
        """What a list of processes shows."""
        return Path(f"/proc/{self.pid}/cmdline").read_bytes().decode(errors="replace")
