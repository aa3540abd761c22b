"""What of Faust and aiokafka is touched though it is private: this fails when they change."""

import inspect
from typing import Any

import aiokafka
import faust
import mode.services
from aiokafka.client import AIOKafkaClient
from aiokafka.consumer.group_coordinator import GroupCoordinator
from faust.transport import drivers
from faust.transport.consumer import ThreadDelegateConsumer
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer
from meltwatch_stream_processor.adapters.faust.app import StatelessApp, build_app, connect

CONNECTION = {"bootstrap_servers": ["127.0.0.1:1"], "security_protocol": "PLAINTEXT"}


async def _nobody(_: object) -> None:
    pass


async def test_beneath_faust_there_is_an_aiokafka_consumer_in_a_thread_with_a_loop() -> None:
    app = build_app(CONNECTION, "group", 6.0)
    connect(app, (), print, _nobody, _nobody)
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
    source = inspect.getsource(Consumer.getmany)
    assert "if not self.flow_active" in source
    assert "new_generation_id != generation_id" in source
    assert "generation_id=self.app.consumer_generation_id" in inspect.getsource(
        Consumer._to_message
    )


def test_faust_waits_for_the_first_of_two_only_where_a_message_is_taken() -> None:
    source = "".join(map(inspect.getsource, (faust.transport.consumer, drivers.aiokafka)))
    calls = [" ".join(call.split()) for call in source.split("self.wait_first(")[1:]]
    assert len(calls) == 1
    assert calls[0].startswith("callback(message), self.suspend_flow.wait() )")
    beneath = inspect.getsource(mode.services).split("self.wait_first(")[1:]
    assert [call.split(")")[0] for call in beneath] == ["coro, timeout=timeout"]
