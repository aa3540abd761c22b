"""A door of its own before a server: a process that hands bytes on, to be killed or frozen.

So one server stands behind several addresses, each of which can go away by itself.
"""

import asyncio
import contextlib
import signal
import subprocess
import sys
from typing import Self

from meltwatch_local_cluster.servers.addresses import free_ports

LOOPBACK = "127.0.0.1"


class Relay:
    """``python -m tests.support.relay`` before a server.

    Parameters
    ----------
    target
        ``host:port`` of the server.

    Attributes
    ----------
    address
        Where it listens.
    """

    def __init__(self, target: str) -> None:
        (port,) = free_ports(1)
        self.address = f"{LOOPBACK}:{port}"
        self._command = [sys.executable, "-m", __name__, str(port), *target.split(":")]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Listen; return once it does."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"listening\n"

    def kill(self) -> None:
        """Close every connection and refuse new ones."""
        self._process.kill()
        self._process.communicate()

    def freeze(self) -> None:
        """Hand nothing on; the kernel takes connections and bytes all the same."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Hand on again."""
        self._process.send_signal(signal.SIGCONT)


async def _serve(port: int, host: str, target: int) -> None:
    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(host, target)
        await asyncio.gather(_pipe(reader, back), _pipe(there, writer))

    server = await asyncio.start_server(connect, LOOPBACK, port)
    print("listening", flush=True)
    await server.serve_forever()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
