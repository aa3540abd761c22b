"""What version 0.1 left in Kafka when it was stopped: ``schemas/golden/tail-0.1.json``.

Written by the pipelines of commit 84cff94 themselves, never by later code: scores of a stream
processor with what it had committed, and alarms of an alarm manager with its results, offsets and
commit metadata. One alarm is acknowledged, by a user and with a comment that 0.1 took as they came.
"""

import json
from base64 import b64decode
from typing import Any

from meltwatch_schemas.record import RawRecord

from tests.support.golden import GOLDEN

TAIL: dict[str, Any] = json.loads((GOLDEN / "tail-0.1.json").read_text())


def records_of(name: str) -> list[RawRecord]:
    """Give the records of ``scores``, ``alarms`` or ``results``, in offset order."""
    return [
        RawRecord(
            topic=record["topic"],
            partition=0,
            offset=record["offset"],
            timestamp_ms=record["timestamp_ms"],
            key=record["key"].encode(),
            value=b64decode(record["value"]),
            headers=tuple((key, text.encode()) for key, text in record["headers"].items()),
        )
        for record in TAIL[name]
    ]
