"""Released bytes: each decodes, and what is encoded again means the same."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack
import pytest
from meltwatch_schemas.alarm import AlarmRecord, Heartbeat
from meltwatch_schemas.alarm_command import AlarmCommand, CommandResult
from meltwatch_schemas.alarm_point import AlarmPoint
from meltwatch_schemas.current import decode_current, encode_current
from meltwatch_schemas.embedding import decode_embedding, encode_embedding
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.json_message import Message
from meltwatch_schemas.outside import AlarmReceipt, FurnaceState
from meltwatch_schemas.portrait import decode_portrait, encode_portrait
from meltwatch_schemas.record import read_current, read_embedding
from meltwatch_schemas.score import decode_score, encode_score
from meltwatch_schemas.topics import Topic

from tests.support.builders import raw_record
from tests.support.golden import GOLDEN, MALFORMED, REASONS, write_missing

Again = Callable[[bytes], bytes]


def of(model: type[Message]) -> Again:
    return lambda value: model.from_json(value).to_json()


AGAIN: dict[Topic, Again] = {
    Topic.EMBEDDINGS: lambda value: encode_embedding(decode_embedding(value)),
    Topic.CURRENTS: lambda value: encode_current(decode_current(value)),
    Topic.SCORES: lambda value: encode_score(decode_score(value)),
    Topic.ALARM_POINTS: of(AlarmPoint),
    Topic.ALARMS: of(AlarmRecord),
    Topic.ALARM_COMMANDS: of(AlarmCommand),
    Topic.ALARM_RESULTS: of(CommandResult),
    Topic.ALARM_RECEIPTS: of(AlarmReceipt),
    Topic.HEARTBEATS: of(Heartbeat),
    Topic.FURNACE_STATES: of(FurnaceState),
    Topic.PORTRAITS: lambda value: encode_portrait(decode_portrait(value)),
}
VALID = sorted(path for path in GOLDEN.glob("*/v1/*"))
SPOILT: dict[str, str] = json.loads(REASONS.read_text())


def meaning(path: Path, value: bytes) -> dict[str, Any]:
    return dict(json.loads(value) if path.suffix == ".json" else msgpack.unpackb(value))


def without_new(again: Any, released: Any) -> Any:
    """Return what is encoded again without the fields that came later; each must be null."""
    if not (isinstance(again, dict) and isinstance(released, dict)):
        return again
    later = again.keys() - released.keys()
    assert {name for name in later if again[name] is not None} == set()
    return {
        name: without_new(again[name], released.get(name)) for name in again if name not in later
    }


@pytest.mark.parametrize("path", VALID, ids=lambda path: str(path.relative_to(GOLDEN)))
def test_a_golden_decodes_and_means_the_same_when_encoded_again(path: Path) -> None:
    value = path.read_bytes()
    again = meaning(path, AGAIN[Topic(path.parts[-3])](value))

    assert without_new(again, meaning(path, value)) == meaning(path, value)


@pytest.mark.parametrize("path", SPOILT)
def test_a_spoilt_golden_is_refused_with_its_reason(path: str) -> None:
    value = (MALFORMED / path).read_bytes()
    if path.startswith(Topic.EMBEDDINGS):
        with pytest.raises(ContractViolation) as refusal:
            read_embedding(raw_record(value, "embedding/1.0"))
    else:
        with pytest.raises(ContractViolation) as refusal:
            read_current(raw_record(value, "current/1.0"))

    assert refusal.value.reason.value == SPOILT[path]


def test_every_topic_but_copies_of_others_has_a_golden() -> None:
    copies = {Topic.SHADOW_SCORES, Topic.LATE, Topic.DEAD_LETTERS}

    assert {Topic(path.parts[-3]) for path in VALID} == set(Topic) - copies


def test_every_spoilt_golden_has_a_reason_and_every_reason_a_golden() -> None:
    found = {str(path.relative_to(MALFORMED)) for path in MALFORMED.glob("*/*.bin")}

    assert found == SPOILT.keys()


def test_the_goldens_are_complete_and_writing_them_touches_none() -> None:
    before = {path: path.stat().st_mtime_ns for path in GOLDEN.rglob("*")}

    assert write_missing() == 0
    assert {path: path.stat().st_mtime_ns for path in GOLDEN.rglob("*")} == before
