"""kafka-python's consumer, which reads whatever batch comes; see ``any_batch``."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any, Final

from kafka import KafkaConsumer
from kafka.consumer import fetcher
from kafka.record.default_records import DefaultRecordBatch
from kafka.record.memory_records import MemoryRecords

from meltwatch_chassis.kafka.any_batch import Allowance, AnyName, any_batch

_AS_A_RULE: Final = {"isolation_level": "read_committed", "auto_offset_reset": "earliest"}


class _Lenient(DefaultRecordBatch):  # type: ignore[misc]  # the client has no types
    _buffer: Any

    def _maybe_uncompress(self) -> None:
        super()._maybe_uncompress()
        self._buffer = AnyName(self._buffer)


class _Records(MemoryRecords):  # type: ignore[misc]  # the client has no types
    def __init__(self, content: Any) -> None:
        super().__init__(content)
        self._allowance = Allowance()

    def has_next(self) -> bool:
        return self._allowance.is_left() and super().has_next()

    def next_batch(self, *arguments: Any) -> Any:
        content = self._next_slice
        if content is None or not self.has_next():
            return None
        batch = super().next_batch(*arguments)
        return any_batch(content, batch, DefaultRecordBatch, _Lenient, self._allowance)


def accept_any() -> None:
    """Make kafka-python's consumers of this process read any batch; once is enough."""
    fetcher.MemoryRecords = _Records


@contextmanager
def consumer_of(connection: Mapping[str, Any], **options: object) -> Iterator[KafkaConsumer]:
    """Give one without a group; as a rule it sees committed records alone.

    Parameters
    ----------
    connection
        Address, TLS and SASL of the broker.
    options
        Further ones of the client.
    """
    accept_any()
    consumer = KafkaConsumer(
        **_AS_A_RULE | dict(connection) | options, group_id=None, enable_auto_commit=False
    )
    with closing(consumer):
        yield consumer
