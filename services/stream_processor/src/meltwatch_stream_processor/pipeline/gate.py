"""What must not reach the join: furnaces beyond the limits, records that failed twice.

How many furnaces a process holds, and whether strangers are scored at all, are settings. A record
whose handling failed unexpectedly is tried once more, then set aside.
"""

from collections.abc import Set as AbstractSet
from typing import Final

import structlog
from meltwatch_chassis.metrics import Metrics
from meltwatch_schemas.errors import ContractViolation, violation
from meltwatch_schemas.record import RawRecord

from meltwatch_stream_processor.errors import RecordFailedError

_log = structlog.get_logger()

_ATTEMPTS: Final = 2
_REMEMBERED: Final = 10_000


class FurnaceGate:
    """Lets furnaces in while there is room; those of the plant file always.

    Parameters
    ----------
    registered
        Furnaces of the plant file.
    limit
        Most furnaces that a process holds, all partitions together.
    refuses_unregistered
        Whether a furnace that is in no plant file is refused instead of marked.
    metrics
        What is refused is counted.
    """

    def __init__(
        self,
        registered: AbstractSet[str],
        limit: int,
        refuses_unregistered: bool,
        metrics: Metrics,
    ) -> None:
        self._registered = registered
        self._limit = limit
        self._refuses_unregistered = refuses_unregistered
        self._metrics = metrics
        self._held: dict[int, int] = {}
        self._is_full = False

    def holds(self, partition: int, furnaces: int) -> None:
        """Take note of how many furnaces a partition holds."""
        self._held[partition] = furnaces
        if self._is_full and sum(self._held.values()) < self._limit:
            self._is_full = False
            _log.info("furnaces_accepted_again", limit=self._limit)

    def clear(self) -> None:
        """Forget all partitions."""
        self._held = {}

    def refusal_of(self, furnace_id: str) -> ContractViolation | None:
        """Return why a furnace that is not held may not begin, or None."""
        if furnace_id in self._registered:
            return None
        if self._refuses_unregistered:
            return self._refused(
                "unregistered", f"expected one of the plant file, got {furnace_id}"
            )
        if sum(self._held.values()) < self._limit:
            return None
        if not self._is_full:
            self._is_full = True
            _log.error("furnaces_refused", limit=self._limit, first=furnace_id)
        return self._refused(
            "too_many",
            f"expected at most {self._limit} furnaces in a process, {furnace_id} would be one more",
        )

    def _refused(self, reason: str, detail: str) -> ContractViolation:
        self._metrics.furnaces_refused.labels(reason).inc()
        return violation(f"furnace_id: {detail}")


class Suspects:
    """Knows which records ended an attempt, and how often.

    The first time its partition begins anew, for the fault may lie with the moment; what ends the
    second attempt too is a dead letter, and its furnace goes on without it.
    """

    def __init__(self) -> None:
        self._failures: dict[tuple[str, int, int], tuple[int, str]] = {}

    def failed(self, failure: RecordFailedError) -> None:
        """Note that handling a record ended an attempt."""
        before, _ = self._failures.pop(failure.place, (0, ""))
        self._failures[failure.place] = (before + 1, failure.what)
        if len(self._failures) > _REMEMBERED:
            del self._failures[next(iter(self._failures))]
        topic, partition, offset = failure.place
        _log.error(
            "record_failed", topic=topic, partition=partition, offset=offset, error=failure.what,
            attempt=before + 1, set_aside=before + 1 >= _ATTEMPTS,
        )  # fmt: skip

    def refusal_of(self, raw: RawRecord) -> ContractViolation | None:
        """Return why a record is set aside unread, or None."""
        if not self._failures:
            return None
        failures, what = self._failures.get((raw.topic, raw.partition, raw.offset), (0, ""))
        if failures < _ATTEMPTS:
            return None
        return violation(
            f"expected a record that can be handled, {failures} attempts ended: {what}"
        )
