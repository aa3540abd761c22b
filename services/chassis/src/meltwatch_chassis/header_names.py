r"""Names of headers in any bytes, read by kafka-python; ``header_names_aio`` is for aiokafka.

Kafka takes a header's name in any bytes, both clients only in UTF-8: one such record of a
stranger would stop its partition for ever. Bytes that are no UTF-8 become escapes like ``\xff``.
"""

from typing import Any

from kafka.record import memory_records
from kafka.record.default_records import DefaultRecordBatch


class AnyName(bytearray):
    """A buffer whose parts decode whatever they hold."""

    def __getitem__(self, place: Any) -> Any:
        part = super().__getitem__(place)
        return AnyName(part) if isinstance(place, slice) else part

    def decode(self, encoding: str = "utf-8", errors: str = "backslashreplace") -> str:
        """Return the text, bytes that are none of it as escapes."""
        return super().decode(encoding, errors)


class _Batch(DefaultRecordBatch):  # type: ignore[misc]  # the client has no types
    _buffer: Any

    def _read_msg(self, *arguments: Any) -> Any:
        """Read the next record; one that fails leaves the position where it was."""
        try:
            return super()._read_msg(*arguments)
        except UnicodeDecodeError:
            self._buffer = AnyName(self._buffer)
            return super()._read_msg(*arguments)


def accept_any() -> None:
    """Make kafka-python's consumers of this process read headers of any name; once is enough."""
    memory_records.DefaultRecordBatch = _Batch
