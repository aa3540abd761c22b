"""What a dead letter holds, as far as it can be read: fields, arrays as shape and range, or bytes.

Whatever came is only looked at: nothing in it is ever run, and every length is bounded.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
from meltwatch_schemas.alarm import rfc3339, utc_from_ns
from meltwatch_schemas.codec import unpack
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.json_object import parse_object
from meltwatch_schemas.record import JSON, RawRecord, header
from meltwatch_schemas.text import escaped
from meltwatch_schemas.window import INT64_MAX
from numpy.typing import NDArray

from meltwatch_cli.domain.wording import shortened

DUMPED_BYTES: Final = 256
_MAX_FIELDS: Final = 64
_MAX_TEXT: Final = 200
_MAX_SHOWN_ITEMS: Final = 8
_DTYPES: Final = {
    ("embedding", "data"): "<f2",
    ("embedding", "event_times_ns"): "<i8",
    ("current", "data"): "<f4",
    ("score", "anomaly_map"): "u1",
}
_INNER: Final = {
    ("embedding", "data"): ("patches", "dims"),
    ("current", "data"): (3,),
    ("score", "anomaly_map"): (64, 64),
}


def fields_of(record: RawRecord) -> dict[str, str] | None:
    """Return the fields of a record's value as text, None if it is neither msgpack nor JSON.

    Parameters
    ----------
    record
        The refused record; its ``schema`` header tells what its arrays are.
    """
    value = record.value or b""
    try:
        if header(record.headers, "content-type") == JSON or value[:1] == b"{":
            return dict(_texts(parse_object(value), ""))
        fields = unpack(value)
    except ContractViolation:
        return None
    kind = (header(record.headers, "schema") or "").partition("/")[0]
    values = {name: fields[name] for name in fields.keys()[:_MAX_FIELDS]}
    return dict(_texts(_with_arrays(values, kind), ""))


def hex_dump(value: bytes, limit: int = DUMPED_BYTES) -> list[str]:
    """Return the first bytes as lines of offset, hexadecimal and ASCII."""
    lines = []
    for start in range(0, min(len(value), limit), 16):
        part = value[start : min(start + 16, limit)]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        lines.append(f"{start:06x}  {part.hex(' '):<47}  {text}")
    if len(value) > limit:
        lines.append(f"… {len(value) - limit} more bytes")
    return lines


def _with_arrays(values: Mapping[str, Any], kind: str) -> dict[str, Any]:
    return {
        name: _array_text(values, kind, name, value) if isinstance(value, bytes) else value
        for name, value in values.items()
    }


def _array_text(values: Mapping[str, Any], kind: str, name: str, data: bytes) -> str:
    dtype = np.dtype(_DTYPES.get((kind, name), "u1"))
    whole = len(data) % dtype.itemsize == 0
    if (kind, name) not in _DTYPES or not data or not whole:
        return f"{len(data)} bytes"
    array = np.frombuffer(data, dtype)
    inner = [
        values.get(size) if isinstance(size, str) else size for size in _INNER.get((kind, name), ())
    ]
    return f"{dtype.name} {_shape(array.size, inner)}, {_range_text(array)}"


def _shape(size: int, inner: list[Any]) -> list[int]:
    """Return the shape with these inner axes; flat if the number of values does not fit them."""
    if all(isinstance(length, int) and 0 < length <= size for length in inner):
        one = math.prod(inner)
        if size % one == 0:
            return [size // one, *inner]
    return [size]


def _range_text(array: NDArray[Any]) -> str:
    usual = array[np.isfinite(array)] if array.dtype.kind == "f" else array
    odd = array.size - usual.size
    if not usual.size:
        return "no finite value"
    span = (
        f"{usual.min():g} … {usual.max():g}"
        if array.dtype.kind == "f"
        else f"{usual.min()} … {usual.max()}"
    )
    return span + (f", {odd} not finite" if odd else "")


def _texts(values: Mapping[str, Any], within: str) -> Iterator[tuple[str, str]]:
    for name, value in list(values.items())[:_MAX_FIELDS]:
        path = escaped(f"{within}{name}")
        if isinstance(value, dict) and value and len(within) < _MAX_TEXT:
            yield from _texts({str(key): item for key, item in value.items()}, f"{within}{name}.")
        else:
            yield path, _text(str(name), value)


def _text(name: str, value: Any) -> str:
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if isinstance(value, dict | list) and not _is_short_list(value):
        return f"{type(value).__name__} of {len(value)}"
    text = shortened(escaped(value if isinstance(value, str) else repr(value)), _MAX_TEXT)
    if name.endswith("_ns") and type(value) is int and 10**17 < value <= INT64_MAX:
        return f"{text}  ({rfc3339(utc_from_ns(value))})"
    return text


def _is_short_list(value: Any) -> bool:
    plain = (str, int, float, bool, type(None))
    return (
        isinstance(value, list)
        and len(value) <= _MAX_SHOWN_ITEMS
        and all(isinstance(item, plain) for item in value)
    )
