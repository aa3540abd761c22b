"""The Faust shell hands records on as they came."""

import ssl
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import faust
import pytest
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth
from faust.types import ConsumerMessage
from meltwatch_chassis.errors import FatalError
from meltwatch_schemas.record import RawRecord
from meltwatch_stream_processor.adapters.faust.app import build_app, connect, until_crashed
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


def connected() -> tuple[faust.App, Pipeline]:
    app, pipeline = build_app(CONNECTION, "group", 6.0), Pipeline()
    connect(app, TOPICS, pipeline.records.append, pipeline.on_assigned, pipeline.on_revoked)
    return app, pipeline


class Stream:
    """What Faust gives an agent, without a broker."""

    def __init__(self, messages: list[ConsumerMessage]) -> None:
        self._messages = messages

    def noack(self) -> "Stream":
        return self

    async def events(self) -> AsyncIterator[SimpleNamespace]:
        for message in self._messages:
            yield SimpleNamespace(message=message)


async def test_records_of_both_topics_arrive_as_they_came() -> None:
    app, pipeline = connected()
    (agent,) = app.agents.values()
    headers = [("schema", b"a/1.0"), ("schema", b"b/1.0")]
    bodies = [(b"k", b"v"), (None, b"v"), (b"k", None)]
    await agent.fun(
        Stream(
            [
                ConsumerMessage(TOPICS[offset % 2], 2, offset, 12.345, 0, headers, *body, None)
                for offset, body in enumerate(bodies)
            ]
        )
    )
    assert pipeline.records == [
        RawRecord(TOPICS[offset % 2], 2, offset, 12_345, *body, tuple(headers))
        for offset, body in enumerate(bodies)
    ]


async def test_assignments_reach_the_pipeline() -> None:
    app, pipeline = connected()
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


async def test_a_crash_of_faust_is_fatal() -> None:
    app, _ = connected()
    await app.crash(RuntimeError("no more"))
    with pytest.raises(FatalError, match="no more"):
        await until_crashed(app)
