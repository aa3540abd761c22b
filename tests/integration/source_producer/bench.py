"""The producer of a plant's own sources as a process."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from meltwatch_local_cluster.servers.addresses import free_ports
from meltwatch_schemas.current import CurrentChunk
from meltwatch_schemas.record import read_current

from tests.support.records import records_of
from tests.support.waiting import until


class SourceProducer:
    """Its process."""

    def __init__(self, kafka: str, prefix: str, folder: Path) -> None:
        (port,) = free_ports(1)
        self.health = f"http://127.0.0.1:{port}"
        self.log = folder / "source_producer.log"
        own = {
            "MELTWATCH_KAFKA": kafka,
            "MELTWATCH_TOPIC_PREFIX": prefix,
            "MELTWATCH_HEALTH_ADDRESS": f"127.0.0.1:{port}",
            "MELTWATCH_PLANT_FILE": str(folder / "plant.yaml"),
            "MELTWATCH_SPOOL_DIR": str(folder),
        }
        environ = {k: v for k, v in os.environ.items() if not k.startswith("MELTWATCH_")} | own
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "meltwatch_source_producer"], env=environ, stderr=output
            )

    def asked(self, path: str) -> str:
        """Give what a page says, or nothing while there is no answer."""
        try:
            with urllib.request.urlopen(  # noqa: S310 - our own loopback address
                f"{self.health}{path}", timeout=5
            ) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return str(error.read().decode())
        except OSError:
            return ""

    def metric(self, name: str) -> float | None:
        """Give a metric's value, or None while there is no answer."""
        found = re.search(rf"^{re.escape(name)} (\S+)$", self.asked("/metrics"), re.MULTILINE)
        return None if found is None else float(found[1])

    def waits_for(self, seconds: float) -> bool:
        """Tell whether the oldest record has waited for so long."""
        return (self.metric("meltwatch_spool_oldest_seconds") or 0) >= seconds

    def wait_ready(self) -> None:
        """Wait until it is ready and every source gives something."""
        until(lambda: self.asked("/readyz") == "ok\n", lambda: self.asked("/readyz"))

    def stop(self) -> int:
        """Ask it to leave and give its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def events(self) -> list[str]:
        """Give the names of its log lines."""
        return [json.loads(line)["event"] for line in self.log.read_text().splitlines()]


@contextmanager
def producing(kafka: str, prefix: str, folder: Path) -> Iterator[SourceProducer]:
    producer = SourceProducer(kafka, prefix, folder)
    try:
        yield producer
    finally:
        producer.process.kill()
        producer.process.wait()


def currents_of(kafka: str, prefix: str) -> list[CurrentChunk]:
    """Give all currents that stand in Kafka."""
    return [read_current(record) for record in records_of(kafka, f"{prefix}.currents.v1")]
