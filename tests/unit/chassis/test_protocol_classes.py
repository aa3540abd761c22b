"""Threads that use kafka-python for the first time at once: what it makes of that stays usable."""

import threading
import weakref
from typing import Any

import pytest
from kafka.protocol import api_header, api_message
from kafka.protocol.metadata import MetadataResponse
from meltwatch_chassis.kafka.config import connection_arguments, guard_protocol_classes
from meltwatch_chassis.settings import KafkaSettings

REGISTRY = api_header.ResponseClassRegistry
LOOKUP = api_message.VersionSubscriptable


@pytest.fixture
def unguarded(monkeypatch):
    """As kafka-python is imported; what the process had is put back."""
    found = LOOKUP.__getitem__
    monkeypatch.setattr(LOOKUP, "__getitem__", getattr(found, "__wrapped__", found))
    monkeypatch.setattr(MetadataResponse, "_VERSIONS", {})
    monkeypatch.setattr(REGISTRY, "_response_class_registry", {})


def known_after_two_threads(monkeypatch: Any) -> bool:
    """Have a second thread make the class while the first one does; is the known one the kept?"""
    register = REGISTRY.register_response_class
    first_has_begun, second_is_done = threading.Event(), threading.Event()
    registered: list[Any] = []

    def registering(made: Any) -> None:
        register(made)
        registered.append(made)
        if len(registered) == 1:
            first_has_begun.set()
            second_is_done.wait(0.3)  # in vain, where it waits for us

    monkeypatch.setattr(REGISTRY, "register_response_class", registering)

    def second() -> None:
        first_has_begun.wait(10)
        MetadataResponse[1]
        second_is_done.set()

    beside = threading.Thread(target=second)
    beside.start()
    kept = MetadataResponse[1]
    beside.join(10)
    known = REGISTRY._response_class_registry[MetadataResponse.API_KEY]
    return any(reference is known for reference in weakref.getweakrefs(kept))


@pytest.mark.usefixtures("unguarded")
def test_without_the_guard_it_knows_a_class_that_it_does_not_keep(monkeypatch):
    """If this fails, kafka-python has mended it, and the guard may go."""
    assert not known_after_two_threads(monkeypatch)


@pytest.mark.usefixtures("unguarded")
def test_with_it_each_class_is_made_once(monkeypatch):
    guard_protocol_classes()
    guard_protocol_classes()
    assert known_after_two_threads(monkeypatch)


@pytest.mark.usefixtures("unguarded")
def test_who_connects_has_it():
    connection_arguments(KafkaSettings())
    assert hasattr(LOOKUP.__getitem__, "__wrapped__")
