"""Meters as processes of a test: started, told what to do, frozen, killed and started again."""

import signal
import subprocess
import sys
from contextlib import suppress
from types import TracebackType
from typing import Self

from meltwatch_local_cluster.servers.addresses import free_ports


class MeterProcess:
    """A program of ``tests.support`` that says ``ready`` and takes commands.

    Parameters
    ----------
    module
        Its name.
    arguments
        Behind the port.
    """

    def __init__(self, module: str, *arguments: str) -> None:
        (self.port,) = free_ports(1)
        self._command = [sys.executable, "-m", f"tests.support.{module}", str(self.port)]
        self.arguments = list(arguments)
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()

    def start(self) -> None:
        """Start it and wait until it serves."""
        self._process = subprocess.Popen(
            [*self._command, *self.arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._expect("ready")

    def tell(self, command: str) -> None:
        """Give a command and wait until it is done."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        self._expect("done")

    def freeze(self) -> None:
        """Stop it in the middle of what it does; its connections stay."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for stream in (self._process.stdin, self._process.stdout):
                if stream is not None:
                    with suppress(BrokenPipeError):  # somebody else was writing to it
                        stream.close()

    def restart(self, *arguments: str) -> None:
        """Kill it and start it again at the same port, perhaps with other arguments."""
        self.kill()
        self.arguments[:] = arguments or self.arguments
        self.start()

    @property
    def runs(self) -> bool:
        """Whether it was started and not killed since."""
        return self._process is not None and self._process.poll() is None

    def _expect(self, word: str) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == f"{word}\n"
