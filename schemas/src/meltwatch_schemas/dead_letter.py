"""Dead letters: the refused record's own key and bytes, with headers that say why and whence."""

from typing import Final

from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.record import RawRecord

MAX_DETAIL: Final = 1000


def dead_letter_headers(
    record: RawRecord, service: str, refusal: ContractViolation
) -> list[tuple[str, bytes | None]]:
    """Return the headers of a record's dead letter: its own ones first, then ``dlq.*`` as text."""
    reasons = {
        "dlq.topic": record.topic,
        "dlq.partition": str(record.partition),
        "dlq.offset": str(record.offset),
        "dlq.timestamp": str(record.timestamp_ms),
        "dlq.service": service,
        "dlq.error": refusal.reason.value,
        "dlq.detail": refusal.detail[:MAX_DETAIL],
    }
    return [*record.headers, *((name, text.encode()) for name, text in reasons.items())]
