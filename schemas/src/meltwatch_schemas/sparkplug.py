"""Payloads of Sparkplug B: the dozen fields of its protobuf messages that alarms and meters need.

Written after the field numbers of the specification, so that nothing of it has to be shipped.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

MAX_METRICS: Final = 1_000
"""Of a payload that is read; those that are written know no bound but that of the alarms."""
_QUALITY: Final = "Quality"
_TWO_32, _TWO_64 = 2**32, 2**64
_LONGEST_VARINT: Final = 10
_VARINT, _FIXED_64, _BYTES, _FIXED_32 = 0, 1, 2, 5
_FIXED: Final = {_FIXED_64: struct.Struct("<d"), _FIXED_32: struct.Struct("<f")}


class PayloadError(Exception):
    """Bytes that are no payload of Sparkplug B."""


class DataType(IntEnum):
    """Types of values, as the specification numbers them."""

    INT8 = 1
    INT16 = 2
    INT32 = 3
    INT64 = 4
    UINT8 = 5
    UINT16 = 6
    UINT32 = 7
    UINT64 = 8
    FLOAT = 9
    DOUBLE = 10
    BOOLEAN = 11
    STRING = 12
    DATETIME = 13


class QualityCode(IntEnum):
    """What the property ``Quality`` says of a metric."""

    BAD = 0
    GOOD = 192
    STALE = 500


Value = bool | int | float | str | None


@dataclass(frozen=True, slots=True)
class Metric:
    """One value.

    Attributes
    ----------
    name
        Slashes make folders of it.
    kind
        Its type; of a metric that was read, None if it names none of ours.
    value
        None if there is none: the metric then is null.
    timestamp_ms
        Since when it holds, milliseconds since 1970.
    quality
        Trust in the value; None says nothing.
    alias
        A number that stands for the name once a birth has told both.
    is_historical
        The value is of the past, told late: no present one.
    """

    name: str
    kind: DataType | None
    value: Value
    timestamp_ms: int | None = None
    quality: QualityCode | None = None
    alias: int | None = None
    is_historical: bool = False


@dataclass(frozen=True, slots=True)
class Payload:
    """What one message holds.

    Attributes
    ----------
    timestamp_ms
        When it was sent.
    metrics
        Its values.
    seq
        Number of the message, 0 to 255; None in a death.
    """

    timestamp_ms: int | None
    metrics: tuple[Metric, ...]
    seq: int | None = None


def encode(payload: Payload) -> bytes:
    """Return the bytes of a payload."""
    return b"".join(
        (
            _number(1, payload.timestamp_ms),
            *(_block(2, _metric(metric)) for metric in payload.metrics),
            _number(3, payload.seq),
        )
    )


def decode(data: bytes, most: int = MAX_METRICS) -> Payload:
    """Return the payload that bytes mean; fields that are not known here are passed over.

    Parameters
    ----------
    data
        Of one message.
    most
        So many metrics may be in it.

    Raises
    ------
    PayloadError
        If they are no payload, or one with far too many metrics.
    """
    timestamp, seq = None, None
    metrics: list[Metric] = []
    for number, content in _fields(data):
        match number, content:
            case 1, int():
                timestamp = content
            case 2, bytes():
                metrics.append(_metric_of(content))
            case 3, int():
                seq = content
        if len(metrics) > most:
            raise PayloadError(f"expected at most {most} metrics, got more")
    return Payload(timestamp, tuple(metrics), seq)


def _metric(metric: Metric) -> bytes:
    kind, value = metric.kind, metric.value
    head = b"" if metric.alias is not None and not metric.name else _text(1, metric.name)
    head += _number(2, metric.alias) + _number(3, metric.timestamp_ms) + _number(4, kind)
    head += _number(5, 1 if metric.is_historical else None)
    return head + _quality(metric.quality) + _told(value, kind)


def _told(value: Value, kind: DataType | None) -> bytes:
    if value is None:
        return _number(7, 1)
    if isinstance(value, str):
        return _text(15, value)
    if kind is DataType.BOOLEAN:
        return _number(14, int(value))
    if kind in _FLOATS:
        field, wire = _FLOATS[kind]
        return _key(field, wire) + _FIXED[wire].pack(value)
    is_short = kind in _SHORT
    return _number(10 if is_short else 11, int(value) % (_TWO_32 if is_short else _TWO_64))


def _quality(code: QualityCode | None) -> bytes:
    if code is None:
        return b""
    value = _number(1, DataType.INT32) + _number(3, code)
    return _block(9, _text(1, _QUALITY) + _block(2, value))


def _number(field: int, value: int | None) -> bytes:
    return b"" if value is None else _key(field, _VARINT) + _varint(value)


def _text(field: int, text: str) -> bytes:
    return _block(field, text.encode(errors="replace"))


def _block(field: int, content: bytes) -> bytes:
    return _key(field, _BYTES) + _varint(len(content)) + content


def _key(field: int, wire: int) -> bytes:
    return _varint(field << 3 | wire)


def _varint(value: int) -> bytes:
    made = bytearray()
    while value > 127:
        made.append(value & 127 | 128)
        value >>= 7
    made.append(value)
    return bytes(made)


def _metric_of(data: bytes) -> Metric:
    name, quality = "", None
    value: Value = None
    plain: dict[int, int] = {}
    for number, content in _fields(data):
        match number, content:
            case 1, bytes():
                name = _decoded(content)
            case 9, bytes():
                quality = _quality_of(content)
            case (10 | 11, int(said)) | (12 | 13, float(said)):
                value = said
            case 14, int():
                value = bool(content)
            case 15, bytes():
                value = _decoded(content)
            case ((2 | 3 | 4 | 5 | 7), int()):
                plain[number] = content
    said_kind = plain.get(4)
    kind = DataType(said_kind) if said_kind in _KINDS else None
    shown = None if plain.get(7) else signed(value, kind)
    return Metric(name, kind, shown, plain.get(3), quality, plain.get(2), bool(plain.get(5)))


def signed(value: Value, kind: DataType | None) -> Value:
    """Return what a value means that was read without its type: integers are told unsigned."""
    if kind not in _HALF or type(value) is not int:
        return value
    half = _HALF[kind]
    return (value + half) % (2 * half) - half


def _quality_of(data: bytes) -> QualityCode | None:
    keys: list[str] = []
    codes: list[int] = []
    for number, content in _fields(data):
        match number, content:
            case 1, bytes():
                keys.append(_decoded(content))
            case 2, bytes():
                numbers = {n: said for n, said in _fields(content) if isinstance(said, int)}
                codes.append(numbers.get(3, numbers.get(4, 0)))
    code = dict(zip(keys, codes, strict=False)).get(_QUALITY)
    if code is None or code in _CODES:
        return None if code is None else QualityCode(code)
    return QualityCode.GOOD if code in _GOOD_CODES else QualityCode.BAD


_KINDS: Final = frozenset(int(kind) for kind in DataType)
_CODES: Final = frozenset(int(code) for code in QualityCode)
_GOOD_CODES: Final = range(192, 256)
"""Those of OPC, which others write as well; what is unknown is not good."""
_SHORT: Final = frozenset(
    {DataType.INT8, DataType.INT16, DataType.INT32, DataType.UINT8, DataType.UINT16}
)
_FLOATS: Final = {DataType.FLOAT: (12, _FIXED_32), DataType.DOUBLE: (13, _FIXED_64)}
_HALF: Final = {
    DataType.INT8: 2**7,
    DataType.INT16: 2**15,
    DataType.INT32: 2**31,
    DataType.INT64: 2**63,
}


def _fields(data: bytes) -> Iterator[tuple[int, int | float | bytes]]:
    """Yield number and content of each field: an int, a float of fixed length, or a block."""
    at = 0
    while at < len(data):
        key, at = _read_varint(data, at)
        wire = key & 7
        if wire == _VARINT:
            value, at = _read_varint(data, at)
            yield key >> 3, value
            continue
        if wire == _BYTES:
            length, at = _read_varint(data, at)
        elif wire in _FIXED:
            length = _FIXED[wire].size
        else:
            raise PayloadError(f"expected a wire type of protobuf 3, got {wire}")
        content, at = data[at : at + length], at + length
        if at > len(data):
            raise PayloadError("expected a whole field, got a piece of one")
        yield key >> 3, content if wire == _BYTES else _FIXED[wire].unpack(content)[0]


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for count, byte in enumerate(data[at : at + _LONGEST_VARINT]):
        value |= (byte & 127) << 7 * count
        if byte < 128:
            return value % _TWO_64, at + count + 1
    raise PayloadError("expected the end of a number, got none")


def _decoded(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise PayloadError("expected UTF-8, got other bytes") from None
