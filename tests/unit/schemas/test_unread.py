"""What stands for an unread batch is refused by every reader, for the batch's own reason."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from meltwatch_schemas.alarm import AlarmRecord, Heartbeat
from meltwatch_schemas.alarm_command import CommandResult
from meltwatch_schemas.alarm_point import AlarmPoint
from meltwatch_schemas.bounds import MAX_HEADERS
from meltwatch_schemas.dead_letter import dead_letter_headers, dead_letter_key, dead_letter_value
from meltwatch_schemas.errors import ContractViolation, Refusal
from meltwatch_schemas.outside import FurnaceState
from meltwatch_schemas.record import (
    RawRecord,
    check_headers,
    read_current,
    read_embedding,
    read_json,
    read_score,
)
from meltwatch_schemas.unread import UnreadBatch

MODELS = (AlarmPoint, AlarmRecord, CommandResult, FurnaceState, Heartbeat)
READERS: list[Callable[[RawRecord], object]] = [
    read_embedding,
    read_current,
    read_score,
    *(lambda record, model=model: read_json(record, model) for model in MODELS),
]
CONTENT = b"a batch as it came"


def standing(reason: Refusal = Refusal.TOO_LARGE) -> RawRecord:
    value = UnreadBatch.of(CONTENT, range(17, 40), reason, "expected less, got more")
    return RawRecord("meltwatch.scores.v1", 3, 39, 5, None, value)


@pytest.mark.parametrize("reason", [Refusal.TOO_LARGE, Refusal.MALFORMED, Refusal.UNKNOWN_SCHEMA])
@pytest.mark.parametrize("read", READERS)
def test_it_is_refused_first_of_all(read: Callable[[RawRecord], object], reason: Refusal) -> None:
    for _ in range(2):
        with pytest.raises(ContractViolation) as caught:
            read(standing(reason))
        assert caught.value.reason is reason
        assert caught.value.detail == "batch of offsets 17..39: expected less, got more"


def test_its_letter_holds_the_batch_as_it_came() -> None:
    record = standing()
    assert isinstance(record.value, UnreadBatch)
    headers = dict(dead_letter_headers(record, "somebody", record.value.refuse()))
    assert (dead_letter_key(record), dead_letter_value(record)) == (None, CONTENT)
    assert headers["dlq.offset"] == b"39"
    assert headers["dlq.detail"] == b"batch of offsets 17..39: expected less, got more"


def test_headers_are_counted() -> None:
    record = replace(standing(), headers=(("", None),) * MAX_HEADERS)
    check_headers(record)
    with pytest.raises(ContractViolation, match="headers: expected at most 1000"):
        check_headers(replace(record, headers=(*record.headers, ("", None))))
