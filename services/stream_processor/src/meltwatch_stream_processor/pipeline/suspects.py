"""Records whose handling failed unexpectedly: tried once more, then set aside."""

from typing import Final

import structlog
from meltwatch_schemas.errors import ContractViolation, violation
from meltwatch_schemas.record import RawRecord

from meltwatch_stream_processor.errors import RecordFailedError

_ATTEMPTS: Final = 2
_REMEMBERED: Final = 10_000
_log = structlog.get_logger()


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
        failures, what = self._failures.get((raw.topic, raw.partition, raw.offset), (0, ""))
        if failures < _ATTEMPTS:
            return None
        return violation(
            f"expected a record that can be handled, {failures} attempts ended: {what}"
        )
