"""Waits for the pipeline to finish with what the producers sent."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from meltwatch_chassis.errors import FatalError
from meltwatch_chassis.kafka.access import explained, is_served
from meltwatch_chassis.kafka.span import SpanReader

_POLL_S = 0.25
_QUIET_S = 2.0


def wait_until_quiet(
    connection: Mapping[str, Any], topics: Sequence[str], limit_s: float = 10.0
) -> bool:
    """Wait until no record has come to some topics for two seconds.

    Parameters
    ----------
    connection
        Arguments of a Kafka client.
    topics
        Names of the topics that the pipeline writes.
    limit_s
        How long to wait at most, seconds.

    Returns
    -------
    Whether it became quiet; False also when the broker does not answer.
    """
    end_s = time.monotonic() + limit_s
    if not is_served(connection):
        return False
    try:
        with explained(connection, ()), SpanReader.connected(connection) as reader:
            last, since_s = _ends(reader, topics), time.monotonic()
            while time.monotonic() < end_s:
                if time.monotonic() - since_s >= _QUIET_S:
                    return True
                time.sleep(_POLL_S)
                if (ends := _ends(reader, topics)) != last:
                    last, since_s = ends, time.monotonic()
    except FatalError:
        pass
    return False


def _ends(reader: SpanReader, topics: Sequence[str]) -> dict[tuple[str, int], int]:
    return {
        (topic, number): reader.end(topic, number)
        for topic in topics
        for number in reader.partitions(topic)
    }
