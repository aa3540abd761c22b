"""Reads records one poll after another, past those that the client itself cannot read."""

from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from meltwatch_chassis.raw_record import raw_record
from meltwatch_schemas.record import RawRecord
from meltwatch_schemas.text import escaped

_MAX_RECORDS: Final = 500
_SEARCH_MS: Final = 500
_log = structlog.get_logger()


async def read(consumer: AIOKafkaConsumer, timeout_s: float) -> list[RawRecord]:
    """Return the next records of any partition; none after the timeout.

    A record that the client stumbles over (Kafka takes a header's name in any bytes, the client
    only UTF-8) would stop its partition for ever. It is passed over, and stands among what is
    returned with nothing but its place; so do those behind it in its batch.
    """
    positions = {
        partition: await consumer.position(partition) for partition in consumer.assignment()
    }
    try:
        return await _poll(consumer, int(timeout_s * 1000))
    except (KafkaError, OSError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever the client stumbles over
        # What the failed poll had taken of other partitions already is lost with it.
        for partition, position in positions.items():
            consumer.seek(partition, position)
        return await _search(consumer, error)


async def _poll(consumer: AIOKafkaConsumer, timeout_ms: int, *partitions: Any) -> list[RawRecord]:
    most = 1 if partitions else _MAX_RECORDS
    batches = await consumer.getmany(*partitions, timeout_ms=timeout_ms, max_records=most)
    return [raw_record(record) for records in batches.values() for record in records]


async def _search(consumer: AIOKafkaConsumer, first: Exception) -> list[RawRecord]:
    """Read each partition by itself, and pass over the record that one of them fails at."""
    found: list[RawRecord] = []
    for partition in sorted(consumer.assignment()):
        try:
            found += await _poll(consumer, _SEARCH_MS, partition)
        except (KafkaError, OSError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever the client stumbles over
            offset = await consumer.position(partition)
            consumer.seek(partition, offset + 1)
            _log.error(
                "record_unreadable",
                topic=partition.topic,
                partition=partition.partition,
                offset=offset,
                error=escaped(repr(error))[:200],
            )
            found.append(RawRecord(partition.topic, partition.partition, offset, 0, None, None))
    if not found:
        _log.warning("reading_failed", error=escaped(repr(first))[:200])
    return found
