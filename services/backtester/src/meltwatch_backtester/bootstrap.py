"""Puts a command's parts together; clients are imported here, when a command needs them.

Kafka's client takes half a second to import: ``meltwatch --help`` must not pay for it.
"""
# ruff: noqa: PLC0415 - see above

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import (
    AbstractContextManager,
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
)
from pathlib import Path
from typing import TYPE_CHECKING, Final

from meltwatch_chassis.errors import BadUsage, ConfigurationError
from meltwatch_chassis.kafka.config import connection_arguments
from meltwatch_chassis.settings import KafkaSettings
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.identifiers import check_furnace_id

from meltwatch_backtester.ports import History
from meltwatch_backtester.settings import Settings

if TYPE_CHECKING:
    from meltwatch_core.scoring.judge import Judge
    from meltwatch_core.scoring.ports import EnsembleIdentity

    from meltwatch_backtester.adapters.journal_folder import JournalFolder
    from meltwatch_backtester.adapters.kafka_history import KafkaHistory
    from meltwatch_backtester.adapters.kafka_journal import KafkaJournalTopics
    from meltwatch_backtester.adapters.kafka_portraits import PortraitTopic
    from meltwatch_backtester.adapters.replay_topic import ReplayTopic

_PATIENCE_MS: Final = 5_000
"""How long to look for a broker: a person waits for the answer."""


def kafka_history(settings: KafkaSettings) -> "AbstractContextManager[KafkaHistory]":
    """Give the history that the live system left in Kafka; see ``adapters.kafka_history``."""
    from meltwatch_backtester.adapters.kafka_history import open_kafka_history

    connection = connection_arguments(settings) | {"bootstrap_timeout_ms": _PATIENCE_MS}
    return open_kafka_history(connection, settings.topic_prefix)


def replay_topic(settings: KafkaSettings, prefix: str) -> "AbstractContextManager[ReplayTopic]":
    """Give the currents topic of a replay; see ``adapters.replay_topic``."""
    from meltwatch_backtester.adapters.replay_topic import open_replay_topic

    connection = connection_arguments(settings) | {"bootstrap_timeout_ms": _PATIENCE_MS}
    return open_replay_topic(connection, prefix)


def journal_topics(settings: KafkaSettings) -> "AbstractContextManager[KafkaJournalTopics]":
    """Give the topics that an alarm journal keeps; see ``adapters.kafka_journal``."""
    from meltwatch_backtester.adapters.kafka_journal import open_journal_topics

    connection = connection_arguments(settings) | {"bootstrap_timeout_ms": _PATIENCE_MS}
    return open_journal_topics(connection, settings.topic_prefix)


def journal_folder(path: Path) -> "JournalFolder":
    """Give an alarm journal; see ``adapters.journal_folder``.

    Raises
    ------
    ConfigurationError
        If the package that reads and writes it is not installed.
    """
    try:
        from meltwatch_backtester.adapters.journal_folder import JournalFolder
    except ModuleNotFoundError as error:
        if error.name != "duckdb":
            raise
        raise ConfigurationError(
            "an alarm journal: expected the package duckdb, it is not installed; "
            "install 'meltwatch-backtester[journal]'"
        ) from error
    return JournalFolder(path)


def portrait_topic(settings: KafkaSettings) -> "AbstractContextManager[PortraitTopic]":
    """Give access to the topic of portraits; see ``adapters.kafka_portraits``."""
    from meltwatch_backtester.adapters.kafka_portraits import open_portrait_topic

    connection = connection_arguments(settings) | {"bootstrap_timeout_ms": _PATIENCE_MS}
    return open_portrait_topic(connection, settings.topic_prefix)


@contextmanager
def history(settings: KafkaSettings, recording: Path | None) -> Iterator[History]:
    """Give the history of a recording, or without one that of Kafka."""
    if recording is None:
        with kafka_history(settings) as found:
            yield found
        return
    from meltwatch_backtester.adapters.recording_history import open_recording

    yield open_recording(recording)


def partitions_of(history: History, furnace_ids: Iterable[str]) -> frozenset[int] | None:
    """Return the partitions that hold some furnaces; None, for all, if none is named.

    Raises
    ------
    BadUsage
        If one is no furnace id.
    """
    from meltwatch_chassis.kafka.partitioner import partition_of

    try:
        keys = [check_furnace_id(furnace_id).encode() for furnace_id in furnace_ids]
    except ContractViolation as error:
        raise BadUsage(f"--furnace: {error.detail}") from error
    return frozenset(partition_of(key, history.partitions) for key in keys) or None


@asynccontextmanager
async def ensemble(
    settings: Settings, name: str
) -> "AsyncIterator[tuple[Judge, EnsembleIdentity]]":
    """Give an ensemble that judges windows as live does, and its identity.

    Raises
    ------
    DependencyUnreachable
        If no endpoint serves it.
    FatalError
        If its tensors or parameters are not those of the contract.
    """
    from meltwatch_chassis.clock import SystemClock
    from meltwatch_chassis.errors import DependencyUnreachable, TransientError
    from meltwatch_chassis.metrics import Metrics
    from meltwatch_core.scoring.failover import Failover, FailoverTiming
    from meltwatch_core.scoring.judge import Judge, Patience
    from meltwatch_core.scoring.triton_endpoint import TritonEndpoint
    from meltwatch_schemas.window import PUBLISHED_SPEC

    clock, metrics = SystemClock(), Metrics()
    patience = Patience(settings.outage_patience_s, concurrency=settings.scoring_concurrency)
    async with AsyncExitStack() as clients:
        endpoints = [
            await clients.enter_async_context(
                TritonEndpoint(address, settings, PUBLISHED_SPEC, settings.scoring_deadline_s, name)
            )
            for address in settings.triton_endpoints
        ]
        scorer = Failover(endpoints, FailoverTiming(patience_s=patience.outage_s), clock, metrics)
        try:
            identity = await scorer.identify()
        except TransientError as error:
            raise DependencyUnreachable(f"expected a Triton that serves {name}, {error}") from error
        yield Judge(scorer, patience, clock, metrics), identity
