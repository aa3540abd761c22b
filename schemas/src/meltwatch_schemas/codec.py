"""msgpack maps within limits: every length is bounded before a byte is unpacked."""

import math
from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn

import msgpack
import numpy as np
from numpy.typing import NDArray

from meltwatch_schemas.errors import ContractViolation, Refusal, malformed, violation
from meltwatch_schemas.unread import UnreadBatch
from meltwatch_schemas.window import INT64_MAX

MAX_RECORD_BYTES: Final = 256 * 1024
_MAX_STRING_BYTES: Final = 16 * 1024
_MAX_ITEMS: Final = 16 * 1024
_TEXT: Final = frozenset({str})
_NIL: Final = type(None)


def pack(message: Mapping[str, object]) -> bytes:
    """Return the msgpack bytes of a map with string keys.

    Raises
    ------
    ContractViolation
        ``too_large`` if the value exceeds 256 KiB.
    """
    value: bytes = msgpack.packb(message)
    check_size(value)
    return value


def check_size(value: bytes) -> None:
    """Refuse a record value over 256 KiB, or one that stands for a batch that is not read.

    Raises
    ------
    ContractViolation
        ``too_large``, or why the batch is not read.
    """
    if isinstance(value, UnreadBatch):
        raise value.refuse()
    if len(value) > MAX_RECORD_BYTES:
        raise ContractViolation(
            Refusal.TOO_LARGE, f"expected at most {MAX_RECORD_BYTES} bytes, got {len(value)}"
        )


def unpack(value: bytes) -> "Fields":
    """Return the fields of a msgpack map.

    Raises
    ------
    ContractViolation
        ``malformed`` if the bytes are not one map with string keys within the limits.
    """
    try:
        message = msgpack.unpackb(
            value,
            raw=False,
            strict_map_key=False,
            max_str_len=_MAX_STRING_BYTES,
            max_bin_len=MAX_RECORD_BYTES,
            max_array_len=_MAX_ITEMS,
            max_map_len=_MAX_ITEMS,
            max_ext_len=_MAX_STRING_BYTES,
        )
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise malformed(
            f"expected a msgpack map, got {type(error).__name__}: {error}"[:200]
        ) from error
    return Fields.of(message, "message")


Want = tuple[str, frozenset[type], Callable[["Fields", str], Any]]
"""A field for ``read``: its name, the types that it may have as it is, and what else reads it."""


class Fields:
    """Typed access to a decoded map: a missing field or a wrong type is ``malformed``.

    Nothing is converted silently: a boolean is no integer, a float is no integer, and only a
    number where a real is asked for may be either.
    """

    def __init__(self, values: Mapping[str, Any], where: str) -> None:
        self._values = values
        self._where = where

    @classmethod
    def of(cls, value: object, where: str) -> "Fields":
        """Return the fields of a map, refusing anything but a map with string keys."""
        if not isinstance(value, dict) or not _TEXT.issuperset(map(type, value)):
            raise malformed(f"{where}: expected a map with string keys, got {type(value).__name__}")
        return cls(value, where)

    def __contains__(self, name: str) -> bool:
        """Tell whether the field is there and not nil."""
        return self._values.get(name) is not None

    def __getitem__(self, name: str) -> Any:
        """Return a field as decoded."""
        if name not in self._values:
            raise malformed(f"{self._where}: expected the field {name!r}, which is missing")
        return self._values[name]

    def _wrong(self, name: str, expected: str, value: object) -> NoReturn:
        raise malformed(f"{name}: expected {expected}, got {type(value).__name__}")

    def read(self, *wanted: Want) -> list[Any]:
        """Return several fields, each as the method of its kind returns it; in one go that is fast.

        The first one that is wrong is refused as that method refuses it.
        """
        found = []
        values = self._values
        for name, kinds, one_by_one in wanted:
            value = values.get(name)
            found.append(value if type(value) in kinds else one_by_one(self, name))
        return found

    def text(self, name: str) -> str:
        """Return a string."""
        value = self[name]
        if not isinstance(value, str):
            self._wrong(name, "a string", value)
        return value

    def optional_text(self, name: str) -> str | None:
        """Return a string, or None where the field is missing or nil."""
        value = self._values.get(name)
        if value is not None and not isinstance(value, str):
            self._wrong(name, "a string", value)
        return value

    def integer(self, name: str) -> int:
        """Return an integer."""
        value = self[name]
        # msgpack gives a plain int or a bool, which is none.
        if type(value) is not int:
            self._wrong(name, "an integer", value)
        return value

    def optional_integer(self, name: str) -> int | None:
        """Return an integer, or None where the field is missing or nil."""
        value = self._values.get(name)
        if value is not None and type(value) is not int:
            self._wrong(name, "an integer", value)
        return value

    def number(self, name: str) -> float:
        """Return a real number, given as integer or float."""
        return _number(name, self[name])

    def optional_number(self, name: str) -> float | None:
        """Return a real number, or None where the field is missing or nil."""
        value = self._values.get(name)
        return None if value is None else _number(name, value)

    def boolean(self, name: str) -> bool:
        """Return a boolean; False where the field is missing or nil."""
        value = self._values.get(name)
        if value is None:
            return False
        if not isinstance(value, bool):
            self._wrong(name, "a boolean", value)
        return value

    def binary(self, name: str) -> bytes:
        """Return bytes."""
        value = self[name]
        if not isinstance(value, bytes):
            self._wrong(name, "bytes", value)
        return value

    def optional_binary(self, name: str) -> bytes | None:
        """Return bytes, or None where the field is missing or nil."""
        return self.binary(name) if name in self else None

    def map(self, name: str) -> "Fields":
        """Return the fields of a map."""
        return Fields.of(self[name], name)

    def optional_map(self, name: str) -> "Fields | None":
        """Return the fields of a map, or None where it is missing or nil."""
        return self.map(name) if name in self else None

    def list(self, name: str) -> list[Any]:
        """Return a list."""
        value = self[name]
        if not isinstance(value, list):
            self._wrong(name, "a list", value)
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of strings."""
        values = self.list(name)
        for value in values:
            if not isinstance(value, str):
                self._wrong(name, "a list of strings", value)
        return tuple(values)

    def optional_numbers(self, name: str) -> tuple[float, ...] | None:
        """Return a list of real numbers, or None where it is missing or nil."""
        return tuple(_number(name, value) for value in self.list(name)) if name in self else None

    def keys(self) -> tuple[str, ...]:
        """Return the names of all fields."""
        return tuple(self._values)


def texts_named(*names: str) -> tuple[Want, ...]:
    """Return strings as ``read`` wants them."""
    return tuple((name, _TEXT, Fields.text) for name in names)


def optional_texts_named(*names: str) -> tuple[Want, ...]:
    """Return strings that may be missing or nil."""
    return tuple((name, frozenset({str, _NIL}), Fields.optional_text) for name in names)


def integers_named(*names: str) -> tuple[Want, ...]:
    """Return integers."""
    return tuple((name, frozenset({int}), Fields.integer) for name in names)


def optional_integers_named(*names: str) -> tuple[Want, ...]:
    """Return integers that may be missing or nil."""
    return tuple((name, frozenset({int, _NIL}), Fields.optional_integer) for name in names)


def binaries_named(*names: str) -> tuple[Want, ...]:
    """Return bytes."""
    return tuple((name, frozenset({bytes}), Fields.binary) for name in names)


def optional_numbers_named(*names: str) -> tuple[Want, ...]:
    """Return real numbers that may be missing or nil."""
    return tuple((name, frozenset({float, _NIL}), Fields.optional_number) for name in names)


def _number(name: str, value: object) -> float:
    if type(value) is float:
        return value
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise malformed(f"{name}: expected a number, got {type(value).__name__}")
    return float(value)


def array_from(name: str, data: bytes, form: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """Return a read-only view of bytes as a C-order array of a form as ``<f4``, without a copy.

    Raises
    ------
    ContractViolation
        ``contract_violation`` if the number of bytes does not fit the shape.
    """
    kind = np.dtype(form)
    expected = math.prod(shape) * kind.itemsize
    if len(data) != expected:
        raise violation(
            f"{name}: expected {expected} bytes for {kind} {list(shape)}, got {len(data)}"
        )
    return np.frombuffer(data, dtype=kind).reshape(shape)


def bytes_of(array: NDArray[Any], form: str) -> bytes:
    """Return an array as C-order bytes of a form as ``<f4``."""
    return np.ascontiguousarray(array, dtype=np.dtype(form)).tobytes()


def check_time(name: str, time_ns: int) -> int:
    """Return an instant unchanged if it lies within ``[0, 2**63)`` ns.

    Raises
    ------
    ContractViolation
        ``contract_violation`` otherwise.
    """
    if not 0 <= time_ns <= INT64_MAX:
        raise violation(f"{name}: expected a time within 0..2^63-1 ns, got {time_ns}")
    return time_ns
