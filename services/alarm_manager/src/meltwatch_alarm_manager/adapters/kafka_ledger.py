"""Alarm records, results, heartbeats and offsets in one transaction; only one manager can write."""

import asyncio
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.structs import OffsetAndMetadata
from meltwatch_chassis.errors import TransientError
from meltwatch_chassis.kafka.errors import kafka_failures
from meltwatch_chassis.kafka.record import sent
from meltwatch_core.alarms.commit_note import note_of
from meltwatch_core.alarms.ports import Commit, Place
from meltwatch_schemas.record import OutgoingRecord
from meltwatch_schemas.topics import Topic

from meltwatch_alarm_manager.ports import Settlement

_TRANSACTION_MS: Final = 30_000
_WRITE_S: Final = 20.0
_RETRY_MS: Final = 20  # after each transaction the broker asks for one, while it ends the last
_MAX_REQUEST_BYTES: Final = 9 * 1024 * 1024  # dead letters may have 8 MiB


class KafkaLedger:
    """The transactional producer.

    Parameters
    ----------
    connection
        Arguments of the Kafka client.
    prefix
        Topic prefix.
    transactional_id
        The manager's name: who opens a ledger under it shuts out whoever had one before.
    group_id
        Under which offsets are committed.
    """

    def __init__(
        self, connection: Mapping[str, Any], prefix: str, transactional_id: str, group_id: str
    ) -> None:
        self._prefix = prefix
        self._group_id = group_id
        self._producer = AIOKafkaProducer(
            **{**connection, "retry_backoff_ms": _RETRY_MS},
            transactional_id=transactional_id,
            transaction_timeout_ms=_TRANSACTION_MS,
            max_request_size=_MAX_REQUEST_BYTES,
        )

    async def __aenter__(self) -> Self:
        with kafka_failures("taking over the ledger"):
            try:
                await self._producer.start()
            except BaseException:
                await self._producer.stop()
                raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with kafka_failures("closing the ledger"):
            async with asyncio.timeout(_WRITE_S):
                await self._producer.stop()

    async def write(self, records: Sequence[OutgoingRecord], settle: Settlement) -> None:
        """Write all of it or nothing.

        Raises
        ------
        TransientError
            If nothing was written, or nobody knows whether it was; also when another manager
            has taken over.
        """
        with kafka_failures("writing alarms"):
            async with asyncio.timeout(_WRITE_S), self._producer.transaction():
                sending = [await self._send(record) for record in records]
                places = await asyncio.gather(*sending)
                written = map(_place, records, places)
                offsets = self._offsets(settle(list(written)))
                await self._producer.send_offsets_to_transaction(offsets, self._group_id)

    def _offsets(self, commits: Mapping[Place, Commit]) -> dict[TopicPartition, OffsetAndMetadata]:
        return {
            TopicPartition(place.topic.under(self._prefix), place.partition): OffsetAndMetadata(
                commit.offset, note_of(commit)
            )
            for place, commit in commits.items()
        }

    async def _send(self, record: OutgoingRecord) -> "asyncio.Future[Any]":
        record = record.under(self._prefix)
        future: asyncio.Future[Any] = await self._producer.send(**sent(record))
        return future


def _place(record: OutgoingRecord, written: Any) -> tuple[Place, int]:
    """Return where a record stands.

    Raises
    ------
    TransientError
        If the broker has not said so: nothing of the transaction may stand then.
    """
    if not isinstance(written.offset, int) or written.offset < 0:
        raise TransientError(
            f"Kafka, writing {record.topic}: expected an offset, got {written.offset!r}"
        )
    return Place(Topic(record.topic), written.partition), written.offset
