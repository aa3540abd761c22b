"""Mosquitto as our own child, plain or with TLS, passwords and rights."""

import shutil
import socket
import subprocess
from pathlib import Path
from typing import Self

import pytest
from meltwatch_local_cluster.servers.addresses import LOOPBACK, free_ports

from tests.support.waiting import until


def require_mosquitto() -> None:
    """Skip a test where there is none. It is no part of what Meltwatch needs to be built."""
    if shutil.which("mosquitto") is None:
        pytest.skip("needs an MQTT broker: install the package mosquitto (CI does)")


class Mosquitto:
    """One broker; it keeps its port over restarts.

    Parameters
    ----------
    folder
        Its files; made here.
    settings
        Further lines of its configuration: of TLS, passwords, rights.
    """

    def __init__(self, folder: Path, *settings: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (self.port,) = free_ports(1)
        self.address = f"{LOOPBACK}:{self.port}"
        self.folder = folder
        lines = [
            "user root", "persistence false", "log_type error", "log_type warning",
            f"listener {self.port} {LOOPBACK}", *(settings or ("allow_anonymous true",)),
        ]  # fmt: skip
        self._file = folder / "mosquitto.conf"
        self._file.write_text("".join(f"{line}\n" for line in lines))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start it, and wait until it listens."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["mosquitto", "-c", str(self._file)], stdout=log, stderr=log
            )
        until(self._listens, (self.folder / "log").read_text)
        return self

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()

    def _listens(self) -> bool:
        try:
            socket.create_connection((LOOPBACK, self.port), timeout=1).close()
        except OSError:
            return False
        return True


def password_file(folder: Path, **passwords: str) -> Path:
    """Make a file of users and hashes of their passwords."""
    file = folder / "passwords"
    file.touch()
    for user, password in passwords.items():
        subprocess.run(["mosquitto_passwd", "-b", str(file), user, password], check=True)
    return file
