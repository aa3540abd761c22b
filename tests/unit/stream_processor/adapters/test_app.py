"""The Faust shell hands records on as they came."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from typing import Any

import pytest
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth
from faust.types import ConsumerMessage
from meltwatch_chassis.errors import FatalError
from meltwatch_schemas.record import RawRecord
from meltwatch_stream_processor.adapters.faust.app import (
    StatelessApp,
    build_app,
    connect,
    until_crashed,
)
from meltwatch_stream_processor.ports import TopicPartition

CONNECTION = {"bootstrap_servers": ["127.0.0.1:1"], "security_protocol": "PLAINTEXT"}
TOPICS = ("p.embeddings.v1", "p.currents.v1")


class Pipeline:
    """Notes what reaches it."""

    def __init__(self) -> None:
        self.records: list[RawRecord] = []
        self.assigned: list[TopicPartition] = []
        self.revoked: list[TopicPartition] = []

    async def on_assigned(self, partitions: Any) -> None:
        self.assigned += partitions

    async def on_revoked(self, partitions: Any) -> None:
        self.revoked += partitions


Shell = tuple[StatelessApp, Pipeline]


@pytest.fixture
async def shell() -> AsyncIterator[Shell]:
    """An app that is connected and has a consumer, and what its records reach."""
    app, pipeline = build_app(CONNECTION, "group", 6.0), Pipeline()
    connect(app, TOPICS, pipeline.records.append, pipeline.on_assigned, pipeline.on_revoked)
    consumer: Any = app.consumer
    yield app, pipeline
    consumer._thread.thread_loop.close()


def message(offset: int, body: tuple[Any, Any] = (b"k", b"v"), generation: int = 0) -> Any:
    headers = [("schema", b"a/1.0"), ("schema", b"b/1.0")]
    topic, (key, value) = TOPICS[offset % 2], body
    return ConsumerMessage(
        topic, 2, offset, 12.345, 0, headers, key, value, None, generation_id=generation
    )


async def hand_on(app: StatelessApp, given: Any) -> None:
    """Do with a message what Faust does with each that it has fetched."""
    consumer: Any = app.consumer
    await consumer.wait_first(consumer.callback(given), consumer.suspend_flow.wait())


async def test_records_of_both_topics_arrive_as_they_came(shell: Shell) -> None:
    app, pipeline = shell
    bodies = [(b"k", b"v"), (None, b"v"), (b"k", None)]
    for offset, body in enumerate(bodies):
        await hand_on(app, message(offset, body))

    headers = (("schema", b"a/1.0"), ("schema", b"b/1.0"))
    assert pipeline.records == [
        RawRecord(TOPICS[offset % 2], 2, offset, 12_345, *body, headers)
        for offset, body in enumerate(bodies)
    ]


async def test_a_record_is_handed_on_without_another_step_of_the_event_loop(shell: Shell) -> None:
    app, pipeline = shell
    handing = hand_on(app, message(7))
    with pytest.raises(StopIteration):
        handing.send(None)

    assert [record.offset for record in pipeline.records] == [7]


async def test_a_record_of_an_assignment_that_is_over_is_not_handed_on(shell: Shell) -> None:
    app, pipeline = shell
    app.consumer_generation_id = 2
    for offset, generation in enumerate((1, 2, 1)):
        await hand_on(app, message(offset, generation=generation))

    assert [record.offset for record in pipeline.records] == [1]


async def test_what_else_faust_waits_for_it_waits_for(shell: Shell) -> None:
    app, _ = shell
    consumer: Any = app.consumer
    waiting = asyncio.create_task(consumer.wait(consumer.can_resume_flow))
    await asyncio.sleep(0)
    consumer.can_resume_flow.set()
    assert not (await waiting).stopped
    consumer._stopped.set()
    assert (await consumer.wait(consumer.suspend_flow)).stopped


def failing(_: RawRecord) -> None:
    raise ZeroDivisionError


async def test_an_error_of_the_pipeline_is_not_kept_from_faust(shell: Shell) -> None:
    app, _ = shell
    app.on_record = failing
    with pytest.raises(ZeroDivisionError):
        await hand_on(app, message(0))


async def test_faust_subscribes_to_both_topics_and_acknowledges_none(shell: Shell) -> None:
    app, _ = shell
    conductor: Any = app.topics
    assert set(await conductor._update_indices()) == set(TOPICS)
    assert not any(map(conductor.acks_enabled_for, TOPICS))


async def test_assignments_reach_the_pipeline(shell: Shell) -> None:
    app, pipeline = shell
    parts = {TopicPartition(TOPICS[0], 1)}
    await app.on_partitions_assigned.send(parts)
    await app.on_partitions_revoked.send(parts)
    assert (pipeline.assigned, pipeline.revoked) == (list(parts), list(parts))


def test_settings_that_keep_faust_out_of_the_way() -> None:
    conf = build_app(CONNECTION, "group", 6.0, "processor-0").conf
    assert not conf.web_enabled
    assert not conf.stream_wait_empty
    assert conf.broker_max_poll_records is None
    assert conf.broker_session_timeout <= conf.broker_request_timeout
    assert conf.consumer_group_instance_id == "processor-0"


def test_a_login_and_tls_reach_faust() -> None:
    context = ssl.create_default_context()
    login = {
        "security_protocol": "SASL_SSL",
        "ssl_context": context,
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "reader",
        "sasl_plain_password": "secret",
    }
    credentials = build_app(CONNECTION | login, "group", 6.0).conf.broker_credentials
    assert credentials_to_aiokafka_auth(credentials) == login
    encrypted = {"security_protocol": "SSL", "ssl_context": context}
    credentials = build_app(CONNECTION | encrypted, "group", 6.0).conf.broker_credentials
    assert credentials_to_aiokafka_auth(credentials) == encrypted


async def test_a_crash_of_faust_is_fatal(shell: Shell) -> None:
    app, _ = shell
    await app.crash(RuntimeError("no more"))
    with pytest.raises(FatalError, match="no more"):
        await until_crashed(app)
