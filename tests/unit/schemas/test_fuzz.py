"""Whatever the bytes, a reader returns a message or raises ``ContractViolation``: nothing else."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.alarm_command import AlarmCommand
from meltwatch_schemas.alarm_point import AlarmPoint
from meltwatch_schemas.current import encode_current
from meltwatch_schemas.embedding import encode_embedding
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.outside import FurnaceState
from meltwatch_schemas.record import (
    JSON,
    MSGPACK,
    RawRecord,
    headers_for,
    read_current,
    read_embedding,
    read_json,
    read_score,
)
from meltwatch_schemas.score import encode_score

from tests.support.builders import (
    FURNACE,
    alarm_command,
    alarm_point,
    alarm_record,
    current_chunk,
    embedding_chunk,
    raw_record,
    window_score,
)

Reader = Callable[[RawRecord], object]
VALUES = {
    "embedding/1.0": encode_embedding(embedding_chunk()),
    "current/1.0": encode_current(current_chunk()),
    "score/1.0": encode_score(window_score()),
    "alarm-point/1.0": alarm_point().to_json(),
    "alarm/1.0": alarm_record().to_json(),
    "alarm-command/1.0": alarm_command().to_json(),
    "furnace-state/1.0": b'{"state": "off", "since": "2026-01-01T00:00:00Z", "by": "mes"}',
}
READERS: dict[str, Reader] = {
    "embedding/1.0": read_embedding,
    "current/1.0": read_current,
    "score/1.0": read_score,
    "alarm-point/1.0": lambda record: read_json(record, AlarmPoint),
    "alarm/1.0": lambda record: read_json(record, AlarmRecord),
    "alarm-command/1.0": lambda record: read_json(record, AlarmCommand),
    "furnace-state/1.0": lambda record: read_json(record, FurnaceState),
}
JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=20)
    | st.binary(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
each_schema = pytest.mark.parametrize("schema", VALUES)
each_packed_schema = pytest.mark.parametrize("schema", list(VALUES)[:3])


def read(schema: str, value: bytes | None) -> None:
    content_type = MSGPACK if schema in list(VALUES)[:3] else JSON
    record = raw_record(value, headers=headers_for(schema, content_type))
    with suppress(ContractViolation):
        READERS[schema](record)


@each_schema
@given(value=st.binary(max_size=300))
def test_arbitrary_bytes_raise_nothing_but_contract_violation(schema: str, value: bytes) -> None:
    read(schema, value)


@each_schema
@given(data=st.data())
def test_a_changed_byte_raises_nothing_but_contract_violation(
    schema: str, data: st.DataObject
) -> None:
    value = bytearray(VALUES[schema])
    # Most bytes of a chunk are array data, so half of the changes go to its head.
    place = data.draw(st.integers(0, min(300, len(value) - 1)) | st.integers(0, len(value) - 1))
    value[place] = data.draw(st.integers(0, 255))

    read(schema, bytes(value))


@each_schema
@given(data=st.data())
def test_a_truncated_value_raises_nothing_but_contract_violation(
    schema: str, data: st.DataObject
) -> None:
    read(schema, VALUES[schema][: data.draw(st.integers(0, len(VALUES[schema])))])


@each_packed_schema
@given(data=st.data())
def test_a_field_of_any_kind_raises_nothing_but_contract_violation(
    schema: str, data: st.DataObject
) -> None:
    fields: dict[str, Any] = msgpack.unpackb(VALUES[schema])
    name = data.draw(st.sampled_from(sorted(fields)))

    read(schema, msgpack.packb(fields | {name: data.draw(JUNK)}))


@each_packed_schema
@given(data=st.data())
def test_an_unknown_field_of_any_kind_is_ignored(schema: str, data: st.DataObject) -> None:
    fields = msgpack.unpackb(VALUES[schema])
    value = msgpack.packb(fields | {"unknown": data.draw(JUNK)})

    assert READERS[schema](raw_record(value, schema, key=FURNACE.encode())) is not None
