"""Put the self-test together; the clients are imported here."""

import secrets
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from meltwatch_chassis.clock import Clock
from meltwatch_chassis.errors import DependencyUnreachable
from meltwatch_chassis.kafka.config import connection_arguments
from meltwatch_schemas.identifiers import alarm_id
from meltwatch_schemas.window import NS_PER_S

from meltwatch_selftest.adapters.kafka_topics import KafkaTopics, open_topics
from meltwatch_selftest.adapters.redis_alarms import RedisAlarms, open_redis_alarms
from meltwatch_selftest.domain.furnace import SyntheticFurnace
from meltwatch_selftest.domain.messages import CONDITION
from meltwatch_selftest.domain.verdict import SelftestVerdict
from meltwatch_selftest.pipeline import Limits, SelfTest
from meltwatch_selftest.ports import Tell
from meltwatch_selftest.settings import Settings

_RETRY_S: Final = 2.0


def run_selftest(settings: Settings, limits: Limits, clock: Clock, tell: Tell) -> SelftestVerdict:
    """Run a self-test with a furnace of its own.

    Parameters
    ----------
    settings
        Where Kafka and Redis are.
    limits
        How long to wait.
    clock
        The machine's.
    tell
        Takes progress.

    Raises
    ------
    DependencyUnreachable
        If Kafka, its topics or Redis are not there when patience ends, or go away.
    """
    furnace_id = f"selftest/{secrets.token_hex(4)}/F-1"
    deadline_ns = clock.monotonic_ns() + int(limits.patience_s * NS_PER_S)
    with ExitStack() as stack:
        while True:
            try:
                topics, view = stack.enter_context(_system(settings, furnace_id))
                break
            except DependencyUnreachable as error:
                if clock.monotonic_ns() > deadline_ns:
                    raise
                tell(f"waiting: {error}")
                time.sleep(_RETRY_S)
        furnace = SyntheticFurnace(furnace_id, secrets.token_hex(8), clock.now_ns())
        test = SelfTest(furnace, topics, view, settings.topic_prefix, clock, tell)
        return test.run_course(limits)


@contextmanager
def _system(settings: Settings, furnace_id: str) -> Iterator[tuple[KafkaTopics, RedisAlarms]]:
    connection, alarm = connection_arguments(settings), alarm_id(furnace_id, CONDITION)
    with (
        open_topics(connection, settings.topic_prefix, furnace_id, alarm) as topics,
        open_redis_alarms(settings) as view,
    ):
        yield topics, view
