"""Lets aiokafka read whatever batch comes; see ``any_batch``.

Its compiled reader stays in use. Only a batch that it fails at is read by the one in Python.
"""

from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecordBatch, _DefaultRecordBatchPy
from aiokafka.record.memory_records import _MemoryRecordsPy
from aiokafka.record.util import decode_varint_py

from meltwatch_chassis.kafka.any_batch import Allowance, AnyName, any_batch


class _Lenient(_DefaultRecordBatchPy):  # type: ignore[misc]  # the client has no types
    _buffer: Any

    def _maybe_uncompress(self) -> None:
        super()._maybe_uncompress()
        self._buffer = AnyName(self._buffer)

    def _read_msg(self) -> Any:
        # The compiled one reads on behind the buffer's end: a forged length ends the process.
        return super()._read_msg(decode_varint_py)


class _Records(_MemoryRecordsPy):  # type: ignore[misc]  # the client has no types
    def __init__(self, content: Any) -> None:
        super().__init__(content)
        self._allowance = Allowance()

    def has_next(self) -> bool:
        return self._allowance.is_left() and super().has_next()

    def next_batch(self, *arguments: Any) -> Any:
        content = self._next_slice
        batch = super().next_batch(*arguments)
        if batch is None:
            return None
        return any_batch(content, batch, DefaultRecordBatch, _Lenient, self._allowance)


def accept_any() -> None:
    """Make aiokafka's consumers of this process read any batch; once is enough."""
    fetcher.MemoryRecords = _Records
