"""Payloads of Sparkplug B, held against Google's protobuf, which knows nothing of our encoder."""

from contextlib import suppress
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_schemas.sparkplug import (
    MAX_METRICS,
    DataType,
    Metric,
    Payload,
    PayloadError,
    QualityCode,
    decode,
    encode,
)

from tests.support.examples import examples

TYPES = descriptor_pb2.FieldDescriptorProto
FIELDS = {
    "Payload": [("timestamp", 1, "UINT64"), ("metrics", 2, "Metric*"), ("seq", 3, "UINT64")],
    "Metric": [
        ("name", 1, "STRING"), ("alias", 2, "UINT64"), ("timestamp", 3, "UINT64"),
        ("datatype", 4, "UINT32"), ("is_historical", 5, "BOOL"), ("is_null", 7, "BOOL"),
        ("properties", 9, "PropertySet"), ("int_value", 10, "UINT32"),
        ("long_value", 11, "UINT64"), ("float_value", 12, "FLOAT"),
        ("double_value", 13, "DOUBLE"), ("boolean_value", 14, "BOOL"),
        ("string_value", 15, "STRING"), ("bytes_value", 16, "BYTES"),
    ],
    "PropertySet": [("keys", 1, "STRING*"), ("values", 2, "PropertyValue*")],
    "PropertyValue": [("type", 1, "UINT32"), ("is_null", 2, "BOOL"), ("int_value", 3, "UINT32")],
}  # fmt: skip
"""Name, number and type of each field, as the specification has them."""


def foreign_payload() -> Any:
    """Build the message class of a payload."""
    file = descriptor_pb2.FileDescriptorProto(name="s.proto", package="s", syntax="proto2")
    for message, fields in FIELDS.items():
        made = file.message_type.add(name=message)
        for name, number, kind in fields:
            label = TYPES.LABEL_REPEATED if kind.endswith("*") else TYPES.LABEL_OPTIONAL
            field = made.field.add(name=name, number=number, label=label)
            plain = kind.rstrip("*")
            if plain in FIELDS:
                field.type, field.type_name = TYPES.TYPE_MESSAGE, f".s.{plain}"
            else:
                field.type = getattr(TYPES, f"TYPE_{plain}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("s.Payload"))


Foreign = foreign_payload()
VALUE_FIELD = {
    DataType.INT8: "int_value", DataType.INT16: "int_value", DataType.INT32: "int_value",
    DataType.UINT8: "int_value", DataType.UINT16: "int_value", DataType.UINT32: "long_value",
    DataType.INT64: "long_value", DataType.UINT64: "long_value", DataType.DATETIME: "long_value",
    DataType.FLOAT: "float_value", DataType.DOUBLE: "double_value",
    DataType.BOOLEAN: "boolean_value", DataType.STRING: "string_value",
}  # fmt: skip
BITS = {"int_value": 32, "long_value": 64}
UINT64 = st.integers(0, 2**64 - 1)
VALUES = {
    DataType.INT8: st.integers(-(2**7), 2**7 - 1),
    DataType.INT16: st.integers(-(2**15), 2**15 - 1),
    DataType.INT32: st.integers(-(2**31), 2**31 - 1),
    DataType.INT64: st.integers(-(2**63), 2**63 - 1),
    DataType.UINT8: st.integers(0, 2**8 - 1),
    DataType.UINT16: st.integers(0, 2**16 - 1),
    DataType.UINT32: st.integers(0, 2**32 - 1),
    DataType.UINT64: UINT64,
    DataType.FLOAT: st.floats(allow_nan=False, width=32),
    DataType.DATETIME: UINT64,
    DataType.DOUBLE: st.floats(allow_nan=False),
    DataType.BOOLEAN: st.booleans(),
    DataType.STRING: st.text(),
}
METRICS = st.sampled_from(DataType).flatmap(
    lambda kind: st.builds(
        Metric,
        st.text(),
        st.just(kind),
        st.none() | VALUES[kind],
        st.none() | UINT64,
        st.none() | st.sampled_from(QualityCode),
        st.none() | UINT64,
        st.booleans(),
    )
)
PAYLOADS = st.builds(
    Payload,
    st.none() | UINT64,
    st.lists(METRICS, max_size=5).map(tuple),
    st.none() | st.integers(0, 255),
)


@examples(100)
@given(PAYLOADS)
def test_another_decoder_reads_what_we_write_and_we_read_it_back(payload):
    data = encode(payload)
    read = Foreign.FromString(data)

    assert (read.timestamp, read.HasField("seq")) == (
        payload.timestamp_ms or 0,
        payload.seq is not None,
    )
    assert read.seq == (payload.seq or 0)
    for metric, told in zip(payload.metrics, read.metrics, strict=True):
        assert (told.name, told.datatype) == (metric.name, metric.kind)
        assert told.timestamp == (metric.timestamp_ms or 0)
        assert told.alias == (metric.alias or 0)
        assert told.is_historical == metric.is_historical
        assert told.is_null == (metric.value is None)
        if metric.value is not None and metric.kind is not None:
            field = VALUE_FIELD[metric.kind]
            bits = BITS.get(field)
            wanted = metric.value if bits is None else metric.value % 2**bits
            assert getattr(told, field) == wanted
        properties = dict(zip(told.properties.keys, told.properties.values, strict=True))
        assert {key: value.int_value for key, value in properties.items()} == (
            {} if metric.quality is None else {"Quality": metric.quality}
        )
    assert decode(data) == payload


@examples(100)
@given(st.binary(max_size=60), PAYLOADS, st.integers(0, 200))
def test_whatever_bytes_come_they_are_a_payload_or_refused(data, payload, cut):
    for tried in (data, encode(payload)[:cut], encode(payload)[cut:]):
        with suppress(PayloadError):
            assert len(decode(tried).metrics) <= MAX_METRICS


def test_a_foreign_command_is_read():
    made = Foreign(timestamp=5)
    made.metrics.add(name="Alarms/OVERHEAT/Ack", datatype=12, string_value="ab")
    made.metrics.add(name="untyped", boolean_value=True)
    made.metrics.add(name="strange", datatype=17, bytes_value=b"x")
    made.metrics.add(name="null", datatype=11, is_null=True, boolean_value=True)
    made.metrics.add(alias=7, datatype=9, float_value=0.5)

    read = decode(made.SerializeToString())

    assert [(m.name, m.kind, m.value) for m in read.metrics] == [
        ("Alarms/OVERHEAT/Ack", DataType.STRING, "ab"),
        ("untyped", None, True),
        ("strange", None, None),
        ("null", DataType.BOOLEAN, None),
        ("", DataType.FLOAT, 0.5),
    ]
    assert read.metrics[4].alias == 7


@pytest.mark.parametrize(
    ("code", "means"),
    [(192, QualityCode.GOOD), (200, QualityCode.GOOD), (500, QualityCode.STALE),
     (0, QualityCode.BAD), (64, QualityCode.BAD), (512, QualityCode.BAD),
     (2**31 + 512, QualityCode.BAD)],
)  # fmt: skip
def test_a_quality_that_is_not_known_is_not_good(code, means):
    made = Foreign()
    properties = made.metrics.add(name="a", int_value=1).properties
    properties.keys.append("Quality")
    properties.values.add(type=3, int_value=code)

    (read,) = decode(made.SerializeToString()).metrics

    assert read.quality is means


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "the end of a number"),
        (b"\x12\x05ab", "a whole field"),
        (b"\x0b", "a wire type"),
        (b"\x12\x03\x0a\x01\xff", "UTF-8"),
        (encode(Payload(1, (Metric("a", None, True),) * (MAX_METRICS + 1))), "at most 1000"),
    ],
)
def test_what_is_no_payload_is_refused(data, said):
    with pytest.raises(PayloadError, match=said):
        decode(data)


def test_a_piece_of_a_character_does_no_harm():
    assert Foreign.FromString(encode(Payload(1, (Metric("a", DataType.STRING, "\ud800"),))))
