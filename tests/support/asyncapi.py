"""The contract for other languages: ``python -m tests.support.asyncapi``.

Writes ``schemas/asyncapi.yaml`` (AsyncAPI 3.0) and a JSON Schema of each message under
``schemas/json``, from the topic catalogue and the message models. The document is written from the
side of an application that talks to Meltwatch: it sends frames, currents, commands and receipts.
"""

from dataclasses import dataclass
from importlib.metadata import version
from json import dumps
from pathlib import Path
from typing import Any, Final

import yaml
from meltwatch_schemas import current, embedding, portrait, score
from meltwatch_schemas.alarm import AlarmRecord, Heartbeat
from meltwatch_schemas.alarm_command import AlarmCommand, CommandResult
from meltwatch_schemas.alarm_point import AlarmPoint
from meltwatch_schemas.codec import MAX_RECORD_BYTES
from meltwatch_schemas.errors import Refusal
from meltwatch_schemas.json_message import ALARM_ID_SCHEMA, FURNACE_ID_SCHEMA, KeyedMessage
from meltwatch_schemas.outside import AlarmReceipt, FurnaceState
from meltwatch_schemas.record import JSON, MSGPACK
from meltwatch_schemas.topics import DEFAULT_PREFIX, Topic, TopicSpec, catalogue

from tests.support.packed_schemas import PACKED, Schema

FOLDER: Final = Path(__file__).parents[2] / "schemas"
DOCUMENT: Final = FOLDER / "asyncapi.yaml"
SCHEMA_FORMAT: Final = "application/schema+json;version=draft-07"
_DIALECT: Final = "http://json-schema.org/draft-07/schema#"
_BINDING: Final = "0.5.0"
_MODELS: Final[tuple[type[KeyedMessage], ...]] = (
    AlarmRecord,
    AlarmPoint,
    AlarmCommand,
    CommandResult,
    AlarmReceipt,
    Heartbeat,
    FurnaceState,
)
_SERVICE: Final = {"type": "string", "description": "Name of the service, alarm_manager."}
_ANY_KEY: Final = {"type": "string", "description": "Key of the original record."}
_REASONS: Final[dict[str, Schema]] = {
    "dlq.error": {"enum": [word.value for word in Refusal]},
    **{
        f"dlq.{name}": {"type": "string"}
        for name in ("topic", "partition", "offset", "timestamp", "service", "detail")
    },
}


@dataclass(frozen=True, slots=True)
class Flow:
    """What goes through a topic.

    Attributes
    ----------
    message
        Value of the ``schema`` header; empty where records of others are copied.
    key
        Schema of the record's key.
    action
        What the other application does: ``send`` or ``receive``.
    summary
        One sentence.
    """

    message: str
    key: Schema
    action: str
    summary: str


_SENDS, _RECEIVES = "send", "receive"
FLOWS: Final[dict[Topic, Flow]] = {
    Topic.EMBEDDINGS: Flow(
        embedding.SCHEMA, FURNACE_ID_SCHEMA, _SENDS, "Embedded frames of a furnace's camera."
    ),
    Topic.CURRENTS: Flow(
        current.SCHEMA, FURNACE_ID_SCHEMA, _SENDS, "Phase currents of a furnace's meter."
    ),
    Topic.SCORES: Flow(
        score.SCHEMA, FURNACE_ID_SCHEMA, _RECEIVES, "One verdict a window, in window order."
    ),
    Topic.SHADOW_SCORES: Flow(
        score.SCHEMA, FURNACE_ID_SCHEMA, _RECEIVES, "Verdicts of models that are only watched."
    ),
    Topic.LATE: Flow("", FURNACE_ID_SCHEMA, _RECEIVES, "Copies of records that came too late."),
    Topic.DEAD_LETTERS: Flow("", _ANY_KEY, _RECEIVES, "Records that were refused, and why."),
    Topic.ALARM_POINTS: Flow(
        AlarmPoint.schema_id, ALARM_ID_SCHEMA, _SENDS, "The master alarm list."
    ),
    Topic.ALARMS: Flow(
        AlarmRecord.schema_id, ALARM_ID_SCHEMA, _RECEIVES, "Every transition of every alarm."
    ),
    Topic.ALARM_COMMANDS: Flow(
        AlarmCommand.schema_id, ALARM_ID_SCHEMA, _SENDS, "What operators ask for."
    ),
    Topic.ALARM_RESULTS: Flow(
        CommandResult.schema_id, ALARM_ID_SCHEMA, _RECEIVES, "The answer to each command."
    ),
    Topic.ALARM_RECEIPTS: Flow(
        AlarmReceipt.schema_id, ALARM_ID_SCHEMA, _SENDS, "An adapter says what it delivered."
    ),
    Topic.HEARTBEATS: Flow(
        Heartbeat.schema_id,
        _SERVICE,
        _RECEIVES,
        "Signs of life of its key, each 5 s; three misses: stale.",
    ),
    Topic.FURNACE_STATES: Flow(
        FurnaceState.schema_id, FURNACE_ID_SCHEMA, _SENDS, "What a furnace is doing."
    ),
    Topic.PORTRAITS: Flow(
        portrait.SCHEMA, FURNACE_ID_SCHEMA, _SENDS, "What a furnace's own normal operation is."
    ),
}


def kind(schema_id: str) -> str:
    """Return the name of a message without its version: ``alarm/1.0`` is ``alarm``."""
    return schema_id.partition("/")[0]


def message_schemas() -> dict[str, Schema]:
    """Return the JSON Schema of each message by its name."""
    packed = {kind(schema_id): schema for schema_id, schema in PACKED.items()}
    models = {
        kind(model.schema_id): _without_titles(model.model_json_schema(by_alias=True))
        for model in _MODELS
    }
    return {
        name: {"$schema": _DIALECT, "title": name, **schema}
        for name, schema in (packed | models).items()
    }


def _without_titles(node: Any) -> Any:
    """Drop the titles that pydantic makes of names; a field called title is no text."""
    if isinstance(node, list):
        return [_without_titles(child) for child in node]
    if not isinstance(node, dict):
        return node
    kept = {name: child for name, child in node.items() if name != "title" or _is_field(child)}
    return {name: _without_titles(child) for name, child in kept.items()}


def _is_field(title: Any) -> bool:
    return not isinstance(title, str)


def document() -> dict[str, Any]:
    """Return the AsyncAPI document."""
    return {
        "asyncapi": "3.0.0",
        "info": _info(),
        "defaultContentType": JSON,
        "servers": {"plant": _server()},
        "channels": {spec.topic.value: _channel(spec) for spec in catalogue()},
        "operations": {
            f"{flow.action}-{topic}": {
                "action": flow.action,
                "channel": {"$ref": f"#/channels/{topic}"},
                "summary": flow.summary,
            }
            for topic, flow in FLOWS.items()
        },
        "components": {
            "messages": {topic.value: _message(topic, flow) for topic, flow in FLOWS.items()},
            "securitySchemes": {
                "tls": {"type": "X509", "description": "Client certificate (security SSL)."},
                "plain": {"type": "plain", "description": "SASL/PLAIN, over TLS."},
                "scram256": {"type": "scramSha256", "description": "SASL/SCRAM-SHA-256."},
                "scram512": {"type": "scramSha512", "description": "SASL/SCRAM-SHA-512."},
            },
        },
    }


def _info() -> dict[str, Any]:
    return {
        "title": "Meltwatch",
        "version": version("meltwatch-schemas"),
        "description": "Records are partitioned by Kafka's murmur2 of the key (Java's default; "
        "librdkafka: partitioner=murmur2_random). Readers ignore fields that they do not know. "
        f"No value is over {MAX_RECORD_BYTES // 1024} KiB. See docs/scada.md for alarms.",
        "license": {"name": "Apache-2.0"},
    }


def _server() -> dict[str, Any]:
    schemes = ("tls", "plain", "scram256", "scram512")
    return {
        "host": "{bootstrap}",
        "protocol": "kafka",
        "variables": {"bootstrap": {"default": "localhost:9092", "description": "A broker."}},
        "security": [{"$ref": f"#/components/securitySchemes/{name}"} for name in schemes],
    }


def _channel(spec: TopicSpec) -> dict[str, Any]:
    name = spec.topic.value
    return {
        "address": spec.topic.under("{prefix}"),
        "title": name,
        "summary": FLOWS[spec.topic].summary,
        "parameters": {
            "prefix": {"default": DEFAULT_PREFIX, "description": "MELTWATCH_TOPIC_PREFIX"}
        },
        "messages": {name: {"$ref": f"#/components/messages/{name}"}},
        "bindings": {
            "kafka": {
                "partitions": spec.partitions,
                "topicConfiguration": _configuration(spec.config),
                "bindingVersion": _BINDING,
            }
        },
    }


def _configuration(config: dict[str, str]) -> dict[str, Any]:
    numbers = {name: int(text) for name, text in config.items() if text.lstrip("-").isdecimal()}
    return {"cleanup.policy": [config["cleanup.policy"]], **numbers}


def _message(topic: Topic, flow: Flow) -> dict[str, Any]:
    reasons = _REASONS if topic is Topic.DEAD_LETTERS else {}
    message = _own_message(flow) if flow.message else _copied_message(reasons)
    return message | {"bindings": {"kafka": {"key": flow.key, "bindingVersion": _BINDING}}}


def _own_message(flow: Flow) -> dict[str, Any]:
    name = kind(flow.message)
    content_type = MSGPACK if flow.message in PACKED else JSON
    return {
        "name": name,
        "title": flow.summary,
        "contentType": content_type,
        "headers": _headers(
            {
                "schema": {"type": "string", "pattern": rf"^{name}/1\.[0-9]+$"},
                "content-type": {"const": content_type},
            }
        ),
        "payload": {
            "schemaFormat": SCHEMA_FORMAT,
            "schema": {"$ref": f"./json/{name}.json"},
        },
    }


def _copied_message(reasons: dict[str, Schema]) -> dict[str, Any]:
    return {
        "name": "copy",
        "title": "Key, bytes and headers of the original record.",
        "contentType": "application/octet-stream",
        "headers": _headers(reasons),
        "payload": {"type": "string", "format": "binary", "description": "The original bytes."},
    }


def _headers(required: dict[str, Schema]) -> Schema:
    trace = {"type": "string", "description": "W3C trace context, when tracing is on."}
    return {
        "type": "object",
        "properties": required | {"traceparent": trace},
        "required": list(required),
    }


def files() -> dict[Path, str]:
    """Return the text of every generated file by its path."""
    schemas = {
        FOLDER / "json" / f"{name}.json": dumps(schema, indent=2, ensure_ascii=False) + "\n"
        for name, schema in message_schemas().items()
    }
    text = yaml.dump(document(), Dumper=_Plain, sort_keys=False, allow_unicode=True, width=100)
    return schemas | {DOCUMENT: f"# Generated by python -m tests.support.asyncapi\n{text}"}


class _Plain(yaml.SafeDumper):
    """Writes everything out: anchors are hard to read and not every parser knows them."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True


if __name__ == "__main__":
    for path, text in files().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
