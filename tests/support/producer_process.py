"""A producer as a process: started, asked for its pages, and stopped."""

import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path

from meltwatch_local_cluster.servers.addresses import free_ports

from tests.support.logs import entries
from tests.support.waiting import LIMIT_S, ended, until


class ProducerProcess:
    """Its process.

    Parameters
    ----------
    service
        Which producer.
    kafka, prefix
        Where it sends to.
    log
        File that gets its lines, after those that it holds.
    told
        Further settings, each with its whole name.
    """

    def __init__(self, service: str, kafka: str, prefix: str, log: Path, **told: str) -> None:
        (port,) = free_ports(1)
        self.health = f"http://127.0.0.1:{port}"
        self.log = log
        own = {
            "MELTWATCH_KAFKA": kafka,
            "MELTWATCH_TOPIC_PREFIX": prefix,
            "MELTWATCH_HEALTH_ADDRESS": f"127.0.0.1:{port}",
            **told,
        }
        environ = {k: v for k, v in os.environ.items() if not k.startswith("MELTWATCH_")} | own
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", f"meltwatch_{service}"], env=environ, stderr=output
            )

    def asked(self, path: str) -> str:
        """Give what a page says, or nothing while there is no answer."""
        try:
            with urllib.request.urlopen(  # noqa: S310 - our own loopback address
                f"{self.health}{path}", timeout=20
            ) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return str(error.read().decode())
        except (OSError, HTTPException):  # nobody there, or busy
            return ""

    def metric(self, name: str) -> float | None:
        """Give a metric's value, or None while there is no answer."""
        found = re.search(rf"^{re.escape(name)} (\S+)$", self.asked("/metrics"), re.MULTILINE)
        return None if found is None else float(found[1])

    def wait_until(self, said: str, seconds: float = LIMIT_S) -> None:
        """Wait until /readyz says something."""

        def is_said() -> bool:
            assert self.process.poll() is None, self.log.read_text()
            return said in self.asked("/readyz")

        until(is_said, lambda: f"expected {said!r}, got {self.asked('/readyz')!r}", seconds)

    def stop(self) -> int:
        """Ask it to leave and give its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return ended(self.process, self.log)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait()

    def events(self) -> list[str]:
        """Give the names of its log lines."""
        return [entry["event"] for entry in entries(self.log)]
