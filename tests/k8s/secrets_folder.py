"""What ``k8s/secrets.sh`` makes, as a test keeps it and looks for it."""

import subprocess
import time
from pathlib import Path
from typing import Any

import redis

from tests.k8s.cluster import kubectl
from tests.support.manifests import ROOT


class Secrets:
    """The folder that ``k8s/secrets.sh`` keeps, and every secret that has ever stood in it.

    Parameters
    ----------
    folder
        Not there yet.

    Attributes
    ----------
    known
        Passwords, and a line of each key.
    rotation_ns
        Wall time when everything began to be rotated.
    old
        What was rotated: passwords by workload and server, and ``ca``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.known: set[str] = set()
        self.rotation_ns = 0
        self.old: dict[str, str] = {}

    def make(self, *verb: str) -> None:
        """Run the script and give the cluster what has changed."""
        subprocess.run(["sh", "k8s/secrets.sh", self.folder, *verb], cwd=ROOT, check=True)
        self.known |= set(self._passwords().values()) | {
            file.read_text().splitlines()[1] for file in self.folder.glob("*.key")
        }
        kubectl("apply", "-k", str(self.folder))

    def remember(self) -> None:
        """Keep what is about to be rotated."""
        self.rotation_ns = time.time_ns()
        self.old = self._passwords() | {"ca": self.ca.read_text()}

    def _passwords(self) -> dict[str, str]:
        return {
            f"{file.parent.name} {file.name.partition('-')[0]}": file.read_text().strip()
            for file in self.folder.glob("logins/*/[!.]*-password")
        }

    @property
    def ca(self) -> Path:
        """Who is trusted."""
        return self.folder / "trusted.crt"

    def redis(self, address: str, user: str | None, **changes: Any) -> redis.Redis:
        """Return a client of Redis that logs in as a workload."""
        login = {}
        if user is not None:
            password = self._passwords()[f"{user} redis"]
            login = {"username": user.replace("-", "_"), "password": password}
        tls = {"ssl_ca_certs": str(self.ca)}
        return redis.Redis.from_url(f"rediss://{address}/0", **(login | tls | changes))
