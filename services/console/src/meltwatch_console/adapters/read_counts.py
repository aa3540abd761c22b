"""What the console reads from Kafka, counted: bytes by topic, and what it refused and why."""

import structlog
from meltwatch_chassis.metrics import Metrics
from meltwatch_schemas.errors import ContractViolation, Refusal
from meltwatch_schemas.record import RawRecord
from meltwatch_schemas.text import escaped
from meltwatch_schemas.topics import Topic

_log = structlog.get_logger()


class ReadCounts:
    """Counts records by the topics of a prefix.

    Parameters
    ----------
    metrics
        Where they stand.
    prefix
        Topic prefix.
    """

    def __init__(self, metrics: Metrics, prefix: str) -> None:
        self._metrics = metrics
        self._topics = {topic.under(prefix): topic for topic in Topic}
        self._told: set[tuple[str, Refusal]] = set()

    def count_read(self, raw: RawRecord) -> int:
        """Count a record and return its bytes."""
        size = len(raw.value or b"")
        self._metrics.console_bytes.labels(self._topics[raw.topic]).inc(size)
        return size

    def count_refused(self, raw: RawRecord, error: ContractViolation) -> None:
        """Count a record that was left out."""
        self._metrics.console_refused.labels(self._topics[raw.topic], error.reason).inc()

    def refuse(self, raw: RawRecord, error: ContractViolation) -> None:
        """Count a record that was left out, and log the first of its topic and reason.

        There may be thousands a second.
        """
        self.count_refused(raw, error)
        kind = (raw.topic, error.reason)
        if kind not in self._told:
            self._told.add(kind)
            where = f"{raw.topic}/{raw.partition}/{raw.offset}"
            _log.warning("record_refused", record=where, detail=escaped(error.detail))

    def read_bytes(self) -> dict[str, float]:
        """Return the bytes of each topic."""
        return {
            sample.labels["topic"]: sample.value
            for family in self._metrics.console_bytes.collect()
            for sample in family.samples
            if sample.name.endswith("_total")
        }
