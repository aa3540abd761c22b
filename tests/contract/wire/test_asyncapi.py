"""The AsyncAPI document and the JSON Schemas are what the code says, and what is on the wire."""

import json
from collections.abc import Callable, Iterator
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import msgpack
import pytest
import yaml
from jsonschema import Draft7Validator, validators
from meltwatch_schemas.current import decode_current
from meltwatch_schemas.embedding import decode_embedding
from meltwatch_schemas.portrait import decode_portrait
from meltwatch_schemas.score import decode_score
from meltwatch_schemas.topics import Topic

from tests.support.asyncapi import DOCUMENT, FLOWS, files, kind
from tests.support.golden import GOLDEN
from tests.support.packed_schemas import PACKED, Schema

OFFICIAL = Path(__file__).parents[2] / "support" / "asyncapi_schema" / "3.0.0.json"
GOLDENS = sorted(GOLDEN.glob("*/v1/*"))
DECODERS: dict[Topic, Callable[[bytes], Any]] = {
    Topic.EMBEDDINGS: decode_embedding,
    Topic.CURRENTS: decode_current,
    Topic.SCORES: decode_score,
    Topic.PORTRAITS: decode_portrait,
}
# msgpack's binary stands for a string.
PACKED_TYPES = Draft7Validator.TYPE_CHECKER.redefine(
    "string", lambda _, value: isinstance(value, str | bytes)
)
WireValidator = validators.extend(Draft7Validator, type_checker=PACKED_TYPES)


def schema_of(path: Path) -> Schema:
    name = kind(FLOWS[Topic(path.parts[-3])].message)
    schema: Schema = json.loads((DOCUMENT.parent / "json" / f"{name}.json").read_text())
    return schema


def fields_of(path: Path) -> dict[str, Any]:
    value = path.read_bytes()
    fields: dict[str, Any] = json.loads(value) if path.suffix == ".json" else msgpack.unpackb(value)
    return fields


def faults_of(document: dict[str, Any]) -> list[str]:
    official = Draft7Validator(json.loads(OFFICIAL.read_text()))
    return [error.json_path for error in official.iter_errors(document)]


def test_the_generated_files_are_what_the_code_says() -> None:
    made = files()

    stale = [path.name for path, text in made.items() if path.read_text() != text]
    assert stale == [], "run python -m tests.support.asyncapi"
    assert set((DOCUMENT.parent / "json").iterdir()) | {DOCUMENT} == set(made)


def test_the_document_is_asyncapi_3() -> None:
    document = yaml.safe_load(DOCUMENT.read_text())

    assert faults_of(document) == []
    document["channels"]["alarms"]["bindings"]["kafka"]["partitions"] = 0
    assert faults_of(document) == ["$.channels.alarms"]


def references_in(node: Any) -> Iterator[str]:
    children = node.items() if isinstance(node, dict) else enumerate(node)
    for name, child in children:
        if name == "$ref":
            yield child
        elif isinstance(child, dict | list):
            yield from references_in(child)


def test_every_reference_of_the_document_leads_somewhere() -> None:
    document = yaml.safe_load(DOCUMENT.read_text())
    references = set(references_in(document))
    outside = {each for each in references if not each.startswith("#/")}

    assert {kind(flow.message) for flow in FLOWS.values()} == {
        "",
        *(Path(it).stem for it in outside),
    }
    for path in outside:
        Draft7Validator.check_schema(json.loads((DOCUMENT.parent / path).read_text()))
    for reference in references - outside:
        reduce(getitem, reference.removeprefix("#/").split("/"), document)


@pytest.mark.parametrize("path", GOLDENS, ids=lambda path: str(path.relative_to(GOLDEN)))
def test_a_golden_is_valid_by_the_schema_of_its_message(path: Path) -> None:
    schema, fields = schema_of(path), fields_of(path)

    WireValidator(schema, format_checker=WireValidator.FORMAT_CHECKER).validate(fields)
    assert set(fields) <= set(schema["properties"])


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*/v1/*.msgpack")), ids=lambda path: path.stem)
def test_a_packed_message_is_read_without_what_its_schema_does_not_require(path: Path) -> None:
    schema = schema_of(path)
    required = {key: value for key, value in fields_of(path).items() if key in schema["required"]}
    faulty = required | {next(iter(required)): 7}

    DECODERS[Topic(path.parts[-3])](msgpack.packb(required))
    assert not WireValidator(schema).is_valid(faulty)


def test_every_property_of_a_packed_message_stands_in_some_golden() -> None:
    seen: dict[str, set[str]] = {kind(schema): set() for schema in PACKED}
    for path in GOLDENS:
        seen.get(kind(FLOWS[Topic(path.parts[-3])].message), set()).update(fields_of(path))

    assert seen == {kind(name): set(schema["properties"]) for name, schema in PACKED.items()}
