"""What receipts say was told before this process started."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from meltwatch_chassis.kafka.async_consumers import AsyncReader
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.outside import AlarmReceipt
from meltwatch_schemas.record import read_json
from meltwatch_schemas.topics import Topic


async def read_told(
    connection: Mapping[str, Any], prefix: str, since: datetime
) -> dict[str, dict[str, datetime]]:
    """Return when each event was last delivered, by adapter and event id.

    Raises
    ------
    TransientError
        If Kafka does not answer.
    """
    topic = Topic.ALARM_RECEIPTS.under(prefix)
    told: dict[str, dict[str, datetime]] = defaultdict(dict)
    async with AsyncReader.connected(connection) as reader:
        first = await reader.offset_near(topic, 0, int(since.timestamp() * 1_000))
        end = await reader.end(topic, 0)
        async for raw in reader.read(topic, 0, range(end if first is None else first, end)):
            try:
                receipt = read_json(raw, AlarmReceipt)
            except ContractViolation:
                continue  # of whoever else may write there
            if receipt.status == "delivered":
                of_adapter = told[receipt.adapter]
                known = of_adapter.get(receipt.event_id, receipt.delivered_at)
                of_adapter[receipt.event_id] = max(known, receipt.delivered_at)
    return told
