from collections.abc import Callable

import pytest
from meltwatch_schemas.current import CurrentChunk
from meltwatch_schemas.embedding import EmbeddingChunk
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.record import RawRecord, read_current, read_embedding
from meltwatch_schemas.topics import Topic

from tests.support.builders import FURNACE, NOON_NS
from tests.support.hostile_wire import (
    HostileRecord,
    current_fields,
    embedding_fields,
    hostile_records,
)

CORPUS = [
    pytest.param(hostile, id=f"{hostile.topic}-{hostile.name}")
    for hostile in hostile_records(FURNACE, NOON_NS)
]
READ: dict[Topic, Callable[[RawRecord], EmbeddingChunk | CurrentChunk]] = {
    Topic.EMBEDDINGS: read_embedding,
    Topic.CURRENTS: read_current,
}


def refusal_of(hostile: HostileRecord) -> ContractViolation | None:
    try:
        READ[hostile.topic](hostile.raw())
    except ContractViolation as refusal:
        return refusal
    return None


@pytest.mark.parametrize("hostile", CORPUS)
def test_each_hostile_record_gets_the_first_reason_of_the_contract_or_is_accepted(
    hostile: HostileRecord,
) -> None:
    refusal = refusal_of(hostile)

    assert (refusal and refusal.reason) == hostile.expected


def test_what_is_said_of_a_hostile_record_is_one_bounded_line() -> None:
    said = {
        (hostile.topic, hostile.name): getattr(refusal_of(hostile), "detail", "")
        for hostile in hostile_records(FURNACE, NOON_NS)
    }

    assert len(said) == len(CORPUS)
    assert {what: line for what, line in said.items() if "\n" in line or len(line) > 1000} == {}


def test_the_names_of_the_corpus_are_unique() -> None:
    names = [(hostile.topic, hostile.name) for hostile in hostile_records(FURNACE, NOON_NS)]

    assert len(names) == len(set(names))


def test_the_corpus_spoils_every_field_of_the_contract() -> None:
    names = {(hostile.topic, hostile.name) for hostile in hostile_records(FURNACE, NOON_NS)}

    for field in embedding_fields(FURNACE, NOON_NS):
        assert (Topic.EMBEDDINGS, f"{field}_missing") in names
    for field in current_fields(FURNACE, NOON_NS):
        assert (Topic.CURRENTS, f"{field}_missing") in names


def test_event_times_of_an_accepted_chunk_can_always_be_read() -> None:
    accepted = [h for h in hostile_records(FURNACE, NOON_NS) if h.expected is None]

    for hostile in accepted:
        chunk = READ[hostile.topic](hostile.raw())
        assert chunk.event_times_ns[-1] == chunk.last_event_ns
        assert len(chunk.event_times_ns) == len(chunk.data)
