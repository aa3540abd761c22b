"""The producer of a plant's own sources as a process."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from meltwatch_schemas.current import CurrentChunk
from meltwatch_schemas.record import read_current

from tests.support.producer_process import ProducerProcess
from tests.support.records import records_of


class SourceProducer(ProducerProcess):
    """Its process; a folder holds its plant file, its spool and its log."""

    def __init__(self, kafka: str, prefix: str, folder: Path) -> None:
        super().__init__(
            "source_producer", kafka, prefix, folder / "source_producer.log",
            MELTWATCH_PLANT_FILE=str(folder / "plant.yaml"), MELTWATCH_SPOOL_DIR=str(folder),
        )  # fmt: skip

    def waits_for(self, seconds: float) -> bool:
        """Tell whether the oldest record has waited for so long."""
        return (self.metric("meltwatch_spool_oldest_seconds") or 0) >= seconds

    def wait_ready(self) -> None:
        """Wait until it is ready and every source gives something."""
        self.wait_until("ok\n")


@contextmanager
def producing(kafka: str, prefix: str, folder: Path) -> Iterator[SourceProducer]:
    producer = SourceProducer(kafka, prefix, folder)
    try:
        yield producer
    finally:
        producer.kill()


def currents_of(kafka: str, prefix: str) -> list[CurrentChunk]:
    """Give all currents that stand in Kafka."""
    return [read_current(record) for record in records_of(kafka, f"{prefix}.currents.v1")]
