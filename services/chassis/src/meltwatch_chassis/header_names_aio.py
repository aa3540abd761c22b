"""Names of headers in any bytes, read by aiokafka; see ``header_names``.

Its compiled reader stays in use. Only a batch that it fails at is read by the one in Python.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecordBatch, _DefaultRecordBatchPy
from aiokafka.record.memory_records import _MemoryRecordsPy

from meltwatch_chassis.header_names import AnyName

_NEWEST_FORMAT: Final = 2
_FORMAT_AT: Final = 16


class _SlowBatch(_DefaultRecordBatchPy):  # type: ignore[misc]  # the client has no types
    _buffer: Any

    def _maybe_uncompress(self) -> None:
        super()._maybe_uncompress()
        self._buffer = AnyName(self._buffer)


class _Batch:
    """A batch in the client's form, which turns to the slow reader where the fast one fails."""

    def __init__(self, content: Any) -> None:
        self._content = content
        self._fast = DefaultRecordBatch(content)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._fast, name)

    def __next__(self) -> Any:
        return next(self._fast)

    def __iter__(self) -> Iterator[Any]:
        done = 0
        try:
            for record in self._fast:
                done += 1
                yield record
        except UnicodeDecodeError:
            yield from islice(_SlowBatch(self._content), done, None)


class _Records(_MemoryRecordsPy):  # type: ignore[misc]  # the client has no types
    def next_batch(self, *arguments: Any) -> Any:
        content = self._next_slice
        batch = super().next_batch(*arguments)
        is_newest = content is not None and content[_FORMAT_AT] == _NEWEST_FORMAT
        return _Batch(content) if is_newest else batch


def accept_any() -> None:
    """Make aiokafka's consumers of this process read headers of any name; once is enough."""
    fetcher.MemoryRecords = _Records
