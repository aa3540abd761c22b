"""Every field of every message that is read, spoilt in every way, through the whole pipeline."""

from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import msgpack
import pytest
from meltwatch_core.join.entry import read
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.record import RawRecord, header, headers_for, read_score
from meltwatch_schemas.score import SCHEMA, Sources, WindowScore, encode_score
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_MS, NS_PER_S, PUBLISHED_SPEC
from structlog.testing import capture_logs

from tests.support.builders import window_score
from tests.support.examples import is_long
from tests.support.input_records import ORIGIN_NS, InputRecord, frame_record, live, sample_record
from tests.support.mutations import mutants, pairs
from tests.unit.core.scoring.fakes import ENCODER, TOPICS, FakeScorer
from tests.unit.stream_processor.pipeline.fakes import Life, MemoryBroker, contents

NEIGHBOURS = ("melt/a", "melt/b")
AT_NS = ORIGIN_NS + 10 * NS_PER_S


def healthy(topic: Topic, furnace_id: str) -> InputRecord:
    if topic is Topic.EMBEDDINGS:
        return frame_record(furnace_id, AT_NS, encoder=ENCODER)
    return sample_record(furnace_id, AT_NS)


def spoilt(topic: Topic) -> Iterator[InputRecord]:
    """Give a record for each change, each of a furnace of its own."""
    fields = msgpack.unpackb(healthy(topic, "x").value or b"")
    # As a producer may send it: with what is optional, so that this is spoilt too.
    fields |= {"sync": {"source": "ptp", "max_error_ns": 5}, "run_id": "night"}
    changed = [*mutants(fields), *pairs(fields, 300, seed=12)]
    for number, (_, made) in enumerate(changed):
        if made.get("furnace_id") == "x":
            made["furnace_id"] = f"spoilt/{topic}-{number}"
        record, key = healthy(topic, "x"), made.get("furnace_id")
        yield replace(
            record,
            key=key.encode() if isinstance(key, str) else b"spoilt",
            value=msgpack.packb(made),
        )


def neighbours_of(broker: MemoryBroker) -> dict[str, tuple[object, ...]]:
    """What was published of the neighbours, but for offsets, which others move."""
    scores = [score for score in broker.scores() if score.furnace_id in NEIGHBOURS]
    found = contents(scores)
    assert len(found) == len(scores)
    return {window_id: what[:-1] for window_id, what in found.items()}


async def read_through(broker: MemoryBroker) -> list[dict[str, Any]]:
    """Read everything; return what was logged."""
    with capture_logs() as said:
        async with Life(broker, FakeScorer()) as life:
            await life.read_all()
            await life.commit()
    return [dict(line) for line in said]


@pytest.fixture(scope="module")
def given() -> list[InputRecord]:
    return live(NEIGHBOURS, 20.0, encoder=ENCODER)


@pytest.fixture
async def undisturbed(given: list[InputRecord]) -> dict[str, tuple[object, ...]]:
    broker = MemoryBroker()
    broker.produce(*given)
    await read_through(broker)
    return neighbours_of(broker)


@pytest.mark.parametrize("topic", [Topic.EMBEDDINGS, Topic.CURRENTS])
async def test_whatever_stands_in_a_field_is_read_or_set_aside_and_harms_no_neighbour(
    given: list[InputRecord], undisturbed: dict[str, tuple[object, ...]], topic: Topic
) -> None:
    broker, bad = MemoryBroker(), list(spoilt(topic))
    middle = next(n for n, r in enumerate(given) if r.timestamp_ms >= AT_NS // NS_PER_MS)
    broker.produce(*given[:middle], *bad, *given[middle:])
    said = await read_through(broker)

    assert neighbours_of(broker) == undisturbed
    assert not [line for line in said if line["event"] == "record_failed"]
    full = topic.under(TOPICS.prefix)
    modality = TOPICS.modalities[full]
    refused = {
        record.offset: content.reason.value
        for record in broker.logs[full]
        if isinstance(content := read(record, modality).content, ContractViolation)
    }
    letters = {
        int(header(letter.headers, "dlq.offset") or -1): header(letter.headers, "dlq.error")
        for letter in broker.letters()
    }
    assert len(letters) == len(broker.letters())
    assert refused.items() <= letters.items()
    assert len(bad) > len(refused) > 200
    assert {letters[offset] for offset in letters.keys() - refused.keys()} <= {"unknown_encoder"}


class WithHistory(MemoryBroker):
    """Reads its scores as the adapter does: what is no score of ours is passed over."""

    async def since(self, partition: int, time_ns: int) -> AsyncIterator[WindowScore]:
        for record in self.logs[TOPICS.scores]:
            with suppress(ContractViolation):
                yield read_score(record)

    def scores(self) -> list[WindowScore]:
        found = []
        for record in self.logs[TOPICS.scores]:
            with suppress(ContractViolation):
                found.append(read_score(record))
        return found


def score_record_of(fields: dict[str, Any]) -> RawRecord:
    key = fields.get("furnace_id")
    return RawRecord(
        TOPICS.scores, 0, 0, AT_NS // NS_PER_MS,
        key.encode() if isinstance(key, str) else b"x", msgpack.packb(fields),
        tuple(headers_for(SCHEMA)),
    )  # fmt: skip


def told() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Give scores with spoilt fields: those that can be read all the same, and the others."""
    states = {"proven": True, "boot_id": "0" * 16, "seq": 3, "event_ns": AT_NS, "ingest_ns": AT_NS}
    states |= {"standing_since_ns": AT_NS, "stepped_from_ns": AT_NS}
    score = window_score(ORIGIN_NS, "x", sources=Sources("camera", "meter"))
    fields = msgpack.unpackb(encode_score(score))
    fields |= {"run_id": "night", "anomaly_map": bytes(4096), "unregistered": True}
    fields |= {"source_states": {"video": states, "current": states}}
    fields["inputs"] = {topic: [0, 0, 5] for topic in TOPICS.inputs.values()}
    sound, unsound = [], []
    for _, made in [*mutants(fields), *pairs(fields, 60, seed=12)]:
        (sound if is_readable(made) else unsound).append(made)
    return sound, unsound


def is_readable(fields: dict[str, Any]) -> bool:
    try:
        read_score(score_record_of(fields))
    except ContractViolation:
        return False
    return fields["furnace_id"] == "x"


@pytest.mark.wide
async def test_whatever_stands_in_a_published_score_a_restart_goes_on_from_it(
    given: list[InputRecord], undisturbed: dict[str, tuple[object, ...]]
) -> None:
    sound, unsound = told()
    sound = sound if is_long() else sound[::3]
    names = [f"told/{number}" for number in range(len(sound))]
    strangers = live(names, 9.0, start_ns=AT_NS - 9 * NS_PER_S, encoder=ENCODER)
    middle = next(n for n, r in enumerate(given) if r.timestamp_ms >= AT_NS // NS_PER_MS)
    first, again = WithHistory(), WithHistory()
    first.produce(*given[:middle], *strangers)
    await read_through(first)
    cuts = {score.furnace_id: score for score in first.scores()}
    read = [len(first.logs[topic]) for topic in TOPICS.inputs.values()]
    again.logs[TOPICS.scores] = [
        *(r for r in first.logs[TOPICS.scores] if (r.key or b"").decode() in NEIGHBOURS),
        *(score_record_of(fields) for fields in unsound),
        *(_published_of(cuts[name], made, read) for name, made in zip(names, sound, strict=True)),
    ]
    # The camera says no more: what is known of it is what the score told, or nothing.
    later = [r for r in live(names, 8.0, start_ns=AT_NS) if r.topic is Topic.CURRENTS]
    rest = sorted([*later, *given[middle:]], key=lambda r: (r.timestamp_ms, r.topic.value))
    again.produce(*given[:middle], *strangers, *rest)
    said = await read_through(again)

    assert len(sound) > 50
    assert len(unsound) > 300
    assert neighbours_of(again) == undisturbed
    assert not [line for line in said if line["event"] == "record_failed"]


def _published_of(last: WindowScore, made: dict[str, Any], read: list[int]) -> RawRecord:
    """Give a spoilt score in place of a furnace's last three, resting on all it has sent."""
    if made.get("window_end_ns") == ORIGIN_NS:
        made["window_end_ns"] = last.window_end_ns - 2 * PUBLISHED_SPEC.hop_ns
    if made.get("inputs") == {topic: [0, 0, 5] for topic in TOPICS.inputs.values()}:
        ends = zip(TOPICS.inputs.values(), read, strict=True)
        made["inputs"] = {topic: [0, 0, end - 1] for topic, end in ends}
    return score_record_of(made | {"furnace_id": last.furnace_id})
