"""Settings that let nobody in, and how each of our clients says so."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from socketserver import BaseRequestHandler
from typing import Any

import pytest
from meltwatch_alarm_manager.adapters.kafka_entry import enter
from meltwatch_chassis.errors import FatalError, TransientError
from meltwatch_chassis.kafka import publisher
from meltwatch_chassis.kafka.access import refusal
from meltwatch_chassis.kafka.admin import missing_topics
from meltwatch_chassis.settings import TritonSettings, load
from meltwatch_core.scoring.errors import EndpointError
from meltwatch_core.scoring.triton_endpoint import TritonEndpoint
from meltwatch_local_cluster.servers.addresses import LOOPBACK
from meltwatch_schemas.window import PUBLISHED_SPEC
from meltwatch_stream_processor.bootstrap import serve
from meltwatch_stream_processor.settings import Settings as ProcessorSettings

from tests.integration.secured.bench import PREFIX, Plant, connection_of
from tests.support.secured import Authority

Ways = dict[str, tuple[dict[str, str | None], int, str]]
"""What is changed in the settings, the exit code, and words of the line."""


class Web(BaseRequestHandler):
    """Answers whatever comes as a web server does that does not understand it."""

    def handle(self) -> None:
        self.request.recv(1000)
        self.request.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def try_each(plant: Plant, ways: Ways, said: dict[str, str]) -> None:
    for name, (changes, exit_code, words) in ways.items():
        environment = plant.environment("stream_processor", **changes)
        connection = connection_of(environment)
        reason = refusal(connection)
        assert reason is not None, name
        said[name] = str(reason)
        assert reason.exit_code == exit_code, said[name]
        assert words in said[name]
        for client in (_by_kafka_python, _by_producer, _by_faust, _by_manager):
            assert client(environment, connection) == said[name], (name, client)


def wrong_ways(plant: Plant, folder: Path, web: str) -> Ways:
    stranger = Authority(folder / "stranger")
    listeners = plant.kafka.addresses
    by_name = listeners["SASL_SSL"].replace(LOOPBACK, "localhost")
    mutual = {"kafka": listeners["SSL"], "kafka_security_protocol": "SSL"}
    chain, key = map(str, stranger.issue("stranger", "stranger"))
    foreign = {"kafka_certificate_file": chain, "kafka_private_key_file": key}
    return {
        "nothing listens": ({"kafka": f"{LOOPBACK}:1"}, 3, "Connection refused"),
        "no such host": ({"kafka": "nowhere.invalid:9092"}, 3, "expected an answer, got"),
        "TLS to plain": ({"kafka": plant.kafka.server.address}, 2, "is this a plaintext port?"),
        "plain to TLS": ({"kafka_security_protocol": "PLAINTEXT"}, 2, "a server that wants TLS"),
        "no login": ({"kafka_security_protocol": "SSL"}, 2, "does it want a login (SASL)?"),
        "another protocol": ({"kafka": web, "kafka_security_protocol": "SASL_PLAINTEXT"}, 2,
                             "a Kafka broker, got an answer in another protocol"),
        "wrong password": ({"kafka_password_file": None, "kafka_password": "wrong"}, 2,
                           "let user 'stream_processor' in, got wrong user or password"),
        "unknown user": ({"kafka_username": "nobody"}, 2,
                         "let user 'nobody' in, got wrong user or password"),
        "unknown CA": ({"kafka_ca_file": str(stranger.file)}, 2,
                       "signed by a CA of MELTWATCH_KAFKA_CA_FILE"),
        "expired": ({**mutual, "kafka": listeners["EXPIRED"]}, 2, "certificate has expired"),
        "wrong host": ({"kafka": by_name}, 2, "not valid for 'localhost'"),
        "no client certificate": ({**mutual}, 2, "MELTWATCH_KAFKA_CERTIFICATE_FILE"),
        "foreign client certificate": ({**mutual, **foreign}, 2, "client certificate, got the TLS"),
        "wrong mechanism": ({"kafka_sasl_mechanism": "SCRAM-SHA-256"}, 2,
                            "takes SCRAM-SHA-256, got one that takes SCRAM-SHA-512"),
    }  # fmt: skip


def _by_kafka_python(_: Mapping[str, str], connection: dict[str, Any]) -> str:
    with pytest.raises(FatalError) as refused:
        missing_topics(connection | {"bootstrap_timeout_ms": 500}, [f"{PREFIX}.scores.v1"])
    return str(refused.value)


def _by_producer(_: Mapping[str, str], connection: dict[str, Any]) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(publisher, "_START_MS", 500)
        with pytest.raises(FatalError) as refused:
            publisher._connect(connection, f"{PREFIX}.scores.v1")
    return str(refused.value)


def _by_faust(environment: Mapping[str, str], _: dict[str, Any]) -> str:
    async def run() -> None:
        await serve(load(ProcessorSettings, environment), asyncio.Event())

    with pytest.raises(FatalError) as refused:
        asyncio.run(run())
    return str(refused.value)


def _by_manager(_: Mapping[str, str], connection: dict[str, Any]) -> str:
    with pytest.raises(TransientError) as refused:
        asyncio.run(enter(connection, PREFIX))
    return str(refused.value)


def wrong_ways_to_redis(plant: Plant, folder: Path) -> Ways:
    stranger = Authority(folder / "stranger")
    port = plant.redis_tls.port
    return {
        "nothing listens": ({"redis": f"rediss://{LOOPBACK}:1/0"}, 3, "Connection refused"),
        "wrong password": ({"redis_password_file": None, "redis_password": "wrong"}, 2, "password"),
        "unknown user": ({"redis_username": "nobody"}, 2, "let user 'nobody' in"),
        "no login": ({"redis_username": None, "redis_password_file": None}, 2, ""),
        "unknown CA": ({"redis_ca_file": str(stranger.file)}, 2, "CA of MELTWATCH_REDIS_CA_FILE"),
        "wrong host": ({"redis": f"rediss://localhost:{port}/0"}, 2, "not valid for 'localhost'"),
        "TLS to plain": ({"redis": plant.redis.address.replace("redis:", "rediss:")}, 2,
                         "is this a plaintext port?"),
        "plain to TLS": ({"redis": f"redis://{LOOPBACK}:{port}/0", "redis_ca_file": None}, 2,
                         "one that wants it"),
        "CA and no TLS": ({"redis": f"redis://{LOOPBACK}:{port}/0"}, 2, "expected rediss://"),
    }  # fmt: skip


async def identify(address: str, ca_file: str | None) -> str:
    settings = TritonSettings.model_validate(
        {"triton": address, "triton_tls": ca_file is not None, "triton_ca_file": ca_file}
    )
    async with TritonEndpoint(address, settings, PUBLISHED_SPEC, 10.0) as endpoint:
        try:
            await endpoint.identify()
        except EndpointError as error:
            return str(error)
    return ""
