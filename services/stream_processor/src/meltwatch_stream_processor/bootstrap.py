"""Puts the service together and takes it apart again."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, Final

import structlog
from meltwatch_chassis.clock import SystemClock
from meltwatch_chassis.dependencies import KAFKA, TRITON, Dependencies, DependencyWatch
from meltwatch_chassis.errors import ConfigurationError, FatalError
from meltwatch_chassis.health import Health, HealthServer
from meltwatch_chassis.kafka import aiokafka_batches
from meltwatch_chassis.kafka.access import refusal, require_access
from meltwatch_chassis.kafka.admin import missing_topics, require_topics
from meltwatch_chassis.kafka.async_publisher import AsyncKafkaPublisher
from meltwatch_chassis.kafka.config import connection_arguments
from meltwatch_chassis.kafka.errors import is_refusal
from meltwatch_chassis.kafka.probe import kafka_probe
from meltwatch_chassis.metrics import Metrics
from meltwatch_chassis.plant import Plant, read_plant
from meltwatch_chassis.tasks import cancel, first_cause, unless_set
from meltwatch_core.join.errors import OutOfSequence
from meltwatch_core.join.merge import QueueLimits
from meltwatch_core.join.rules import PUBLISHED_RULES
from meltwatch_core.join.topics import TopicNames
from meltwatch_core.scoring.circuit import CircuitLimits
from meltwatch_core.scoring.failover import Failover, FailoverTiming
from meltwatch_core.scoring.judge import Judge, Patience
from meltwatch_core.scoring.ports import EnsembleIdentity
from meltwatch_core.scoring.scores import ScoreContext
from meltwatch_core.scoring.served_encoder import served_encoder
from meltwatch_core.scoring.triton_endpoint import TritonEndpoint
from meltwatch_schemas.access import ACCESS, Access, Right, rights_of
from meltwatch_schemas.score import Modality
from meltwatch_schemas.topics import catalogue
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC

from meltwatch_stream_processor.adapters.faust.app import (
    StatelessApp,
    build_app,
    connect,
    until_crashed,
)
from meltwatch_stream_processor.adapters.faust.group import KafkaGroup
from meltwatch_stream_processor.adapters.faust.inputs import FaustInputs
from meltwatch_stream_processor.adapters.kafka_portraits import KafkaPortraits
from meltwatch_stream_processor.adapters.kafka_range import KafkaInputRange
from meltwatch_stream_processor.adapters.kafka_scores import KafkaScoreHistory
from meltwatch_stream_processor.pipeline.counts import Counts
from meltwatch_stream_processor.pipeline.delivery import Delivery
from meltwatch_stream_processor.pipeline.engine import Engine
from meltwatch_stream_processor.pipeline.gate import FurnaceGate
from meltwatch_stream_processor.pipeline.input_topics import InputTopics
from meltwatch_stream_processor.pipeline.progress import ReaderClock
from meltwatch_stream_processor.pipeline.publication import InFlightWindows
from meltwatch_stream_processor.pipeline.retry import Retry
from meltwatch_stream_processor.pipeline.shared import SharedParts
from meltwatch_stream_processor.settings import Settings
from meltwatch_stream_processor.vitals import ProcessorVitals

_log = structlog.get_logger()
_ASK_AGAIN_S: Final = 1.0


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Run the stream processor until ``stop`` is set.

    Raises
    ------
    FatalError
        If it cannot start, or going on would break the contract.
    """
    aiokafka_batches.accept_any()
    metrics = Metrics()
    dependencies = Dependencies(metrics, SystemClock())
    vitals = ProcessorVitals(dependencies)
    health = Health(vitals.progress, vitals.readiness, vitals.warning)
    access = connection_arguments(settings), _rights(settings)
    with (
        DependencyWatch(dependencies, {KAFKA: kafka_probe(*access)}),
        HealthServer(settings.health_address, health, metrics.registry) as server,
    ):
        _log.info("health_server_started", address=server.address)
        while True:
            try:
                await _live(settings, metrics, vitals, stop)
            except FatalError as error:
                # Whoever starts us reads why we cannot begin; what has begun begins again.
                if not vitals.has_begun or (cause := await _lost_right(error, *access)) is None:
                    raise
                _log.warning("right_lost", error=cause)
            else:
                return
            await unless_set(stop, _until_let_in(*access))
            _log.info("beginning_again")


async def _live(
    settings: Settings, metrics: Metrics, vitals: ProcessorVitals, stop: asyncio.Event
) -> None:
    """Connect everything, work until told to stop, and take it apart again."""
    async with AsyncExitStack() as clients:
        assembled = await unless_set(stop, _assemble(settings, clients, metrics, vitals))
        if assembled is None:
            return
        app, engine = assembled
        drain_s = min(settings.drain_timeout_s, settings.session_timeout_s / 2)
        with vitals.watching(engine):
            await _run(app, engine, drain_s, stop)


def _rights(settings: Settings) -> tuple[Right, ...]:
    return rights_of(settings.principal, settings.topic_prefix)


async def _lost_right(
    error: FatalError, connection: Mapping[str, Any], rights: Sequence[Right]
) -> str | None:
    """Return the right or login that we had and have not any more, if that was the end of us."""
    cause = await asyncio.to_thread(refusal, connection, rights)
    if isinstance(cause, ConfigurationError):
        return str(cause)
    return str(error) if is_refusal(error.__cause__) else None  # it is ours again by now


async def _until_let_in(connection: Mapping[str, Any], rights: Sequence[Right]) -> None:
    while await asyncio.to_thread(refusal, connection, rights) is not None:  # noqa: ASYNC110 - nobody tells us
        await asyncio.sleep(_ASK_AGAIN_S)


async def _assemble(
    settings: Settings, clients: AsyncExitStack, metrics: Metrics, vitals: ProcessorVitals
) -> tuple[StatelessApp, Engine]:
    """Connect everything once Kafka has the topics and Triton has said who it is."""
    connection = connection_arguments(settings)
    topics, plant = settings.topics, read_plant(settings.plant_file)
    await asyncio.to_thread(require_access, connection, _rights(settings))
    publisher = await clients.enter_async_context(AsyncKafkaPublisher(connection))
    await _check_topics(connection, topics, ACCESS[settings.principal], publisher)
    input_range = await clients.enter_async_context(KafkaInputRange(connection))
    vitals.scorer = scorer = await _scorer(settings, clients, metrics)
    dependencies = vitals.dependencies
    identity = await _identified(scorer, dependencies)
    clock, retry = SystemClock(), Retry(dependencies)
    app, census = _app(settings), await _group(settings, clients, topics, retry)
    engine = Engine(
        SharedParts(
            inputs=FaustInputs(app),
            input_range=input_range,
            history=KafkaScoreHistory(connection, topics.scores),
            portraits=KafkaPortraits(
                connection, topics.portraits, settings.max_furnaces, dependencies, metrics
            ),
            input_topics=InputTopics(topics, census, retry),
            delivery=Delivery(publisher, topics, metrics, retry),
            judge=Judge(scorer, _patience(settings), clock, metrics),
            in_flight=InFlightWindows(
                settings.inflight_windows, settings.inflight_bytes, metrics.inflight_windows.set
            ),
            rules=PUBLISHED_RULES,
            encoder=served_encoder(identity.encoder_id),
            limits=QueueLimits(settings.read_ahead_records, settings.read_ahead_bytes),
            max_held_bytes=settings.max_held_bytes,
            context=_score_context(settings, topics, identity, plant),
            clock=clock,
            reader_clock=ReaderClock(clock),
            counts=Counts(metrics),
            metrics=metrics,
            dependencies=dependencies,
            retry=retry,
            gate=FurnaceGate(
                {furnace.id for furnace in plant.furnaces},
                settings.max_furnaces,
                settings.unregistered == "refuse",
                metrics,
            ),
            sync_offsets_s={furnace.id: furnace.sync_offset_s for furnace in plant.furnaces},
        )
    )
    connect(app, topics.inputs.values(), engine.receive, engine.assigned, engine.revoked)
    return app, engine


def _app(settings: Settings) -> StatelessApp:
    return build_app(
        connection_arguments(settings),
        settings.group_name,
        settings.session_timeout_s,
        settings.group_instance_id,
    )


async def _group(
    settings: Settings, clients: AsyncExitStack, topics: TopicNames, retry: Retry
) -> KafkaGroup:
    """Return who asks about the group; one in shadow begins with what comes now."""
    named = (*topics.inputs.values(), topics.scores)
    group = KafkaGroup(connection_arguments(settings), settings.group_name, named)
    await clients.enter_async_context(group)
    if topics.in_shadow:
        begin = partial(group.begin_now, topics.inputs.values())
        await retry.until_done(begin, "beginning with what comes now")
    return group


def _score_context(
    settings: Settings, topics: TopicNames, identity: EnsembleIdentity, plant: Plant
) -> ScoreContext:
    return ScoreContext(
        topics=topics,
        model=identity.model,
        spec_id=PUBLISHED_SPEC.spec_id,
        map_from=settings.map_from,
        lag_s=settings.scoring_lag_s,
        registered={furnace.id for furnace in plant.furnaces},
    )


async def _run(app: StatelessApp, engine: Engine, drain_s: float, stop: asyncio.Event) -> None:
    """Work until a signal, a defect or a crash; leave the group in order."""
    working = asyncio.create_task(engine.run_partitions())
    ends = [working, *(asyncio.create_task(end) for end in (stop.wait(), until_crashed(app)))]
    try:
        await app.start()
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if stop.is_set():
            await engine.drain(drain_s)
    finally:
        await app.stop()
        results = await cancel(ends)
    for result in results:
        _raise_cause(result)


def _raise_cause(result: object) -> None:
    """Raise the first error of a task's result; a cancelled task is none."""
    cause = first_cause(result) if isinstance(result, BaseException) else None
    if isinstance(cause, OutOfSequence):
        raise FatalError(f"defect: {cause}") from cause
    if isinstance(cause, Exception):
        raise cause


async def _check_topics(
    connection: Mapping[str, Any],
    topics: TopicNames,
    access: Access,
    publisher: AsyncKafkaPublisher,
) -> None:
    """Refuse missing topics, unequal partition counts and a broker that creates topics."""
    names = [topic.under(topics.prefix) for topic in access.topics]
    missing = await asyncio.to_thread(missing_topics, connection, names)
    if missing:
        raise ConfigurationError(
            f"expected the topics {', '.join(missing)}; run 'meltwatch topics create'"
        )
    partitions = await publisher.partition_count(topics.inputs[Modality.VIDEO])
    specs = [spec for spec in catalogue(topics.prefix, partitions) if spec.topic in access.topics]
    await asyncio.to_thread(require_topics, connection, specs)


async def _scorer(settings: Settings, clients: AsyncExitStack, metrics: Metrics) -> Failover:
    """Return a scorer on all endpoints, one client each."""
    endpoints = [
        await clients.enter_async_context(
            TritonEndpoint(
                address, settings, PUBLISHED_SPEC, settings.scoring_deadline_s, settings.ensemble
            )
        )
        for address in settings.triton_endpoints
    ]
    return Failover(endpoints, _timing(settings), SystemClock(), metrics)


async def _identified(scorer: Failover, dependencies: Dependencies) -> EnsembleIdentity:
    """Wait until an endpoint says which ensemble it is; from then on each is told of by itself."""
    identity = await Retry(dependencies, TRITON).until_done(
        scorer.identify, "asking for the ensemble"
    )
    dependencies.forget(TRITON)
    return identity


def _timing(settings: Settings) -> FailoverTiming:
    return FailoverTiming(
        patience_s=settings.outage_patience_s,
        circuit=CircuitLimits(longest_pause_ns=int(settings.probe_interval_s * NS_PER_S)),
    )


def _patience(settings: Settings) -> Patience:
    return Patience(
        outage_s=settings.outage_patience_s,
        probe_interval_s=settings.probe_interval_s,
        concurrency=settings.calls_at_a_time,
        shed_after_s=settings.gives_up_after_s,
        lag_s=settings.scoring_lag_s,
    )
