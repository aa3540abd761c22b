"""What of Faust and aiokafka is touched though it is private: this fails when they change."""

import inspect
from typing import Any

import aiokafka
import faust
from aiokafka.client import AIOKafkaClient
from aiokafka.consumer.group_coordinator import GroupCoordinator
from faust.transport.consumer import ThreadDelegateConsumer
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread
from meltwatch_stream_processor.adapters.faust.app import StatelessApp, build_app

CONNECTION = {"bootstrap_servers": ["127.0.0.1:1"], "security_protocol": "PLAINTEXT"}


async def test_beneath_faust_there_is_an_aiokafka_consumer_in_a_thread_with_a_loop() -> None:
    app = build_app(CONNECTION, "group", 6.0)
    consumer: Any = app.consumer
    assert isinstance(consumer, ThreadDelegateConsumer)
    thread: Any = consumer._thread
    assert isinstance(thread, AIOKafkaConsumerThread)
    assert thread._consumer is None
    assert thread.thread_loop is not app.loop
    transport: Any = app.transport
    beneath = thread._create_worker_consumer(transport)
    assert isinstance(beneath, aiokafka.AIOKafkaConsumer)
    await beneath.stop()
    thread.thread_loop.close()


def test_the_consumer_can_be_paused_committed_and_asked() -> None:
    assert not inspect.iscoroutinefunction(aiokafka.AIOKafkaConsumer.pause)
    assert not inspect.iscoroutinefunction(aiokafka.AIOKafkaConsumer.resume)
    assert inspect.iscoroutinefunction(aiokafka.AIOKafkaConsumer.commit)
    assert inspect.iscoroutinefunction(GroupCoordinator.fetch_committed_offsets)
    assert tuple(inspect.signature(GroupCoordinator.fetch_committed_offsets).parameters) == (
        "self",
        "partitions",
    )


def test_the_group_can_be_told_to_share_out_anew() -> None:
    assert not inspect.iscoroutinefunction(GroupCoordinator.request_rejoin)
    assert inspect.signature(AIOKafkaClient.force_metadata_update).parameters.keys() == {"self"}
    assert "_client" in inspect.getsource(aiokafka.AIOKafkaConsumer.__init__)
    assert "_coordinator" in inspect.getsource(aiokafka.AIOKafkaConsumer.start)


def test_faust_makes_its_folders_where_we_prevent_it() -> None:
    assert "_create_directories" in vars(faust.App)
    assert "_create_directories" in vars(StatelessApp)


def test_faust_still_passes_over_messages_by_generation() -> None:
    """The pipeline relies on it: a message of an earlier assignment is never handed on."""
    source = inspect.getsource(faust.Stream._py_aiter)
    assert "message.generation_id != self.app.consumer_generation_id" in source
