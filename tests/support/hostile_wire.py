"""One corpus of malformed and insane input records, each with what must become of it.

Made by msgpack and NumPy alone, after the contract and not after our codec. Used at codec,
pipeline and broker level::

    for hostile in hostile_embeddings(furnace_id, event_time_ns):
        ...

The alarm manager's topics have theirs in ``hostile_alarms``, built from the same parts.

``expected`` is the ``dlq.error`` of the dead letter, or None for a record that looks odd and must
be accepted. Whatever comes, nothing crashes and healthy records go on.
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import msgpack
import numpy as np
from meltwatch_schemas.record import RawRecord
from meltwatch_schemas.topics import Topic

MS = 1_000_000
S = 1_000_000_000
ENCODER_ID = "dct-192-a375f01fafb8"
TOO_LONG = 256 * 1024 + 1

Fields = dict[str, Any]
Headers = tuple[tuple[str, bytes | None], ...]
NO = object()
"""Marks a field to leave out."""


@dataclass(frozen=True)
class HostileRecord:
    """A record, and the reason that its dead letter must state; None if it must be accepted.

    ``answer`` is the code of the result that a command must get.
    """

    name: str
    topic: Topic
    key: bytes | None
    value: bytes | None
    headers: Headers
    event_time_ns: int
    expected: str | None
    answer: str | None = None

    def raw(self, prefix: str = "meltwatch", partition: int = 0, offset: int = 0) -> RawRecord:
        """Give the record as a consumer would see it."""
        return RawRecord(
            topic=self.topic.under(prefix),
            partition=partition,
            offset=offset,
            timestamp_ms=self.event_time_ns // MS,
            key=self.key,
            value=self.value,
            headers=self.headers,
        )


@dataclass(frozen=True)
class Base:
    """A healthy record of one topic, to be spoilt."""

    topic: Topic
    schema: bytes
    fields: Fields
    event_time_ns: int

    def spoilt(self, name: str, expected: str | None, **changes: Any) -> HostileRecord:
        """Give a record with other fields, or another ``value``, ``key`` or ``headers``."""
        value = changes.pop("value", NO)
        key = changes.pop("key", self.fields["furnace_id"].encode())
        headers = changes.pop("headers", self.headers())
        fields = {k: v for k, v in (self.fields | changes).items() if v is not NO}
        packed = msgpack.packb(fields) if value is NO else value
        return HostileRecord(name, self.topic, key, packed, headers, self.event_time_ns, expected)

    def headers(
        self, schema: bytes | None = None, content_type: bytes = b"application/msgpack"
    ) -> Headers:
        """Give the headers of a healthy record, or others."""
        return (("schema", schema or self.schema), ("content-type", content_type))


def hostile_records(furnace_id: str, event_time_ns: int) -> Iterator[HostileRecord]:
    """Give the whole corpus for one furnace, around one event time (ns UTC)."""
    yield from hostile_embeddings(furnace_id, event_time_ns)
    yield from hostile_currents(furnace_id, event_time_ns)


def hostile_embeddings(furnace_id: str, event_time_ns: int) -> Iterator[HostileRecord]:
    """Give the embedding records of the corpus."""
    base = Base(
        Topic.EMBEDDINGS,
        b"embedding/1.0",
        embedding_fields(furnace_id, event_time_ns),
        event_time_ns,
    )
    yield from envelopes(base)
    yield from _payloads(base)
    yield from _identities(base)
    yield from _frames(base)
    yield from _frame_times(base)


def hostile_currents(furnace_id: str, event_time_ns: int) -> Iterator[HostileRecord]:
    """Give the current records of the corpus."""
    base = Base(
        Topic.CURRENTS,
        b"current/1.0",
        current_fields(furnace_id, event_time_ns),
        event_time_ns + 500 * MS,
    )
    yield from envelopes(base)
    yield from _payloads(base)
    yield from _identities(base)
    yield from _samples(base)


def embedding_fields(furnace_id: str, event_time_ns: int, count: int = 1) -> Fields:
    """Give the fields of a healthy ``EmbeddingChunk``, frames 100 ms apart."""
    times = event_time_ns + 100 * MS * np.arange(count)
    return _identity(furnace_id, "camera-1", int(times[-1])) | {
        "count": count,
        "event_times_ns": times.astype("<i8").tobytes(),
        "encoder_id": ENCODER_ID,
        "patches": 64,
        "dims": 192,
        "data": np.ones((count, 64, 192), "<f2").tobytes(),
    }


def current_fields(furnace_id: str, event_time_ns: int) -> Fields:
    """Give the fields of a healthy ``CurrentChunk`` of two samples."""
    return _identity(furnace_id, "meter-1", event_time_ns + 500 * MS) | {
        "event_time_ns": event_time_ns,
        "period_ns": 500 * MS,
        "count": 2,
        "data": np.full((2, 3), 10_000, "<f4").tobytes(),
    }


def _identity(furnace_id: str, source_id: str, last_event_ns: int) -> Fields:
    return {
        "furnace_id": furnace_id,
        "source_id": source_id,
        "boot_id": "0123456789abcdef",
        "seq": 7,
        "ingest_time_ns": last_event_ns + 20 * MS,
    }


def envelopes(base: Base) -> Iterator[HostileRecord]:
    """Give faults of size, key and headers, alone and with faults that come later in the order."""
    kind = base.schema.partition(b"/")[0]
    other = b"current" if kind == b"embedding" else b"embedding"
    typed = ("content-type", b"application/msgpack")
    yield base.spoilt("too_large", "too_large", value=bytes(TOO_LONG))
    yield base.spoilt("too_large_and_no_headers", "too_large", value=bytes(TOO_LONG), headers=())
    unknown: dict[str, Headers] = {
        "schema_missing": (typed,),
        "no_headers": (),
        "schema_of_another_kind": (("schema", other + b"/1.0"), typed),
        "schema_of_another_major": (("schema", kind + b"/2.0"), typed),
        "schema_without_minor": (("schema", kind + b"/1"), typed),
        "schema_with_tail": (("schema", kind + b"/1.0 "), typed),
        "schema_not_utf8": (("schema", b"\xff\xfe"), typed),
        "schema_null": (("schema", None), typed),
        "schema_empty": (("schema", b""), typed),
        "schema_capitalised": (("Schema", base.schema), typed),
        "schema_in_other_digits": (("schema", kind + "/1.\u0663".encode()), typed),
        "last_schema_wrong": (("schema", base.schema), ("schema", b"x/1.0"), typed),
    }
    for name, headers in unknown.items():
        yield base.spoilt(name, "unknown_schema", headers=headers)
    yield base.spoilt("nothing_at_all", "unknown_schema", key=None, value=None, headers=())
    yield base.spoilt("neither_key_nor_value", "malformed", key=None, value=None)
    yield base.spoilt("unknown_schema_and_garbage", "unknown_schema", value=b"\xc1", headers=())
    schema = ("schema", base.schema)
    violations: dict[str, Headers] = {
        "content_type_missing": (schema,),
        "content_type_json": (schema, ("content-type", b"application/json")),
        "content_type_with_parameter": (schema, ("content-type", b"application/msgpack; v=1")),
        "content_type_null": (schema, ("content-type", None)),
        "last_content_type_wrong": (schema, typed, ("content-type", b"text/plain")),
    }
    for name, headers in violations.items():
        yield base.spoilt(name, "contract_violation", headers=headers)
    keys = {"missing": None, "empty": b"", "of_another_furnace": b"a/b", "not_utf8": b"\xff"}
    for name, key in keys.items():
        yield base.spoilt(f"key_{name}", "contract_violation", key=key)
    accepted: dict[str, Headers] = {
        "later_minor": base.headers(kind + b"/1.999999"),
        "last_schema_right": (("schema", b"x/1.0"), schema, typed),
        "last_content_type_right": (schema, ("content-type", b"text/plain"), typed),
        "strange_headers_beside": (*base.headers(), ("x", None), ("\u00e9", b"\xff"), ("", b"")),
        "headers_in_other_order": (typed, schema),
    }
    for name, headers in accepted.items():
        yield base.spoilt(name, None, headers=headers)


def _payloads(base: Base) -> Iterator[HostileRecord]:
    """Give values that are no message at all, or whose fields have the wrong types."""
    packed = msgpack.packb(base.fields)
    values: dict[str, bytes | None] = {
        "tombstone": None,
        "empty": b"",
        "truncated": packed[:-1],
        "first_byte_only": packed[:1],
        "trailing_byte": packed + b"\x00",
        "two_messages": packed + packed,
        "reserved_byte": b"\xc1",
        "json": b'{"furnace_id": "a/b"}',
        "random_text": b"hello world",
        "nil": msgpack.packb(None),
        "integer": msgpack.packb(5),
        "list": msgpack.packb([base.fields]),
        "integer_keys": msgpack.packb({1: 2}),
        "binary_keys": msgpack.packb({k.encode(): v for k, v in base.fields.items()}),
        "map_as_key": b"\x81\x81\xa1a\x01\x02",
        "map_that_claims_4_billion_entries": b"\xdf" + struct.pack(">I", 2**32 - 1),
        "list_that_claims_4_billion_entries": b"\x81\xa1a\xdd" + struct.pack(">I", 2**32 - 1),
        "bytes_that_claim_4_billion": b"\x81\xa1a\xc6" + struct.pack(">I", 2**32 - 1),
        "text_that_claims_4_billion": b"\x81\xa1a\xdb" + struct.pack(">I", 2**32 - 1),
        "nested_200000_deep": b"\x81\xa1a" + b"\x91" * 200_000 + b"\x01",
        "text_not_utf8": packed.replace(b"camera-1", b"\xff" * 8).replace(b"meter-1", b"\xff" * 7),
        "impossible_timestamp_extension": b"\x81\xa1a\xc7\x0c\xff" + b"\xff" * 12,
    }
    for name, value in values.items():
        yield base.spoilt(name, "malformed", value=value)
    for name in base.fields:
        yield base.spoilt(f"{name}_missing", "malformed", **{name: NO})
        for label, wrong in other_types(base.fields[name]):
            yield base.spoilt(f"{name}_is_{label}", "malformed", **{name: wrong})
    yield base.spoilt("sync_is_text", "malformed", sync="ptp")
    yield base.spoilt("sync_without_error", "malformed", sync={"source": "ptp"})
    yield base.spoilt("sync_error_is_text", "malformed", sync={"source": "ptp", "max_error_ns": ""})
    yield base.spoilt("run_id_is_number", "malformed", run_id=5)
    yield base.spoilt("malformed_and_bad_furnace", "malformed", furnace_id="..", seq="7")
    as_json = base.headers(content_type=b"application/json")
    yield base.spoilt("malformed_and_wrong_content_type", "malformed", seq="7", headers=as_json)
    yield base.spoilt("malformed_and_wrong_key", "malformed", count=1.0, key=b"a/b")
    yield base.spoilt("unknown_fields", None, colour="red", future={"nested": [1, {2: 3}]})
    yield base.spoilt("unknown_field_of_16_KiB", None, note="n" * 16 * 1024)
    yield base.spoilt("unknown_bytes_of_16_KiB", None, note=bytes(16 * 1024))
    yield base.spoilt("nil_in_optional_fields", None, sync=None, run_id=None)
    reverse = msgpack.packb(dict(reversed(base.fields.items())))
    yield base.spoilt("fields_in_other_order", None, value=reverse)


def other_types(value: object) -> Iterator[tuple[str, object]]:
    others = {"text": "7", "integer": 7, "real": 7.0, "boolean": True, "bytes": b"7", "nil": None}
    own = {str: "text", int: "integer", bytes: "bytes"}[type(value)]
    yield from ((label, other) for label, other in others.items() if label != own)
    yield "list", [value]
    yield "map", {"value": 7}


def _identities(base: Base) -> Iterator[HostileRecord]:
    """Give ids and times against the contract, and the oddest ones that it allows."""
    names = {
        "empty": "",
        "dot": ".",
        "dots_inside": "a/../b",
        "empty_level": "a//b",
        "leading_slash": "/a/b",
        "trailing_slash": "a/b/",
        "blank": "a b",
        "line_feed": "a/b\n",
        "umlaut": "werk/\u00f6fen",
        "wildcard": "a/*",
        "level_of_65": "a" * 65,
        "path_of_201": "/".join(["a" * 50] * 3 + ["b" * 48]),
    }
    for name, furnace_id in names.items():
        yield base.spoilt(
            f"furnace_id_{name}",
            "contract_violation",
            furnace_id=furnace_id,
            key=furnace_id.encode(),
        )
    for name, boot_id in {"short": "0" * 15, "capital": "A" * 16, "no_hex": "g" * 16}.items():
        yield base.spoilt(f"boot_id_{name}", "contract_violation", boot_id=boot_id)
    for name, time_ns in {"negative": -1, "beyond_int64": 2**63}.items():
        yield base.spoilt(f"ingest_time_{name}", "contract_violation", ingest_time_ns=time_ns)
    for count in (0, -1, 65, 2**63):
        yield base.spoilt(f"count_{count}", "contract_violation", count=count)
    yield base.spoilt(
        "sync_source_unknown", "contract_violation", sync={"source": "gps", "max_error_ns": 1}
    )
    data = base.fields["data"]
    for name, wrong in {"short": data[:-1], "long": data + b"\0", "empty": b""}.items():
        yield base.spoilt(f"data_{name}", "contract_violation", data=wrong)
    for source in ("ptp", "ntp", "free"):
        yield base.spoilt(f"sync_{source}", None, sync={"source": source, "max_error_ns": 100})
    ahead_ns = base.event_time_ns - 2 * S
    yield base.spoilt("2_s_ahead_of_ingest", None, ingest_time_ns=ahead_ns)
    yield base.spoilt("future", "future_event_time", ingest_time_ns=ahead_ns - 1)
    yield base.spoilt("ingested_in_1970", "future_event_time", ingest_time_ns=0)
    yield base.spoilt("largest_seq", None, seq=2**64 - 1)


def _frames(base: Base) -> Iterator[HostileRecord]:
    """Give shapes, encoders and values of embeddings."""
    for patches in (0, 1, 63, 65, -64):
        yield base.spoilt(f"patches_{patches}", "contract_violation", patches=patches)
    for dims in (0, -1, 193, 191):
        data = np.ones((1, 64, max(dims, 0)), "<f2").tobytes()
        yield base.spoilt(f"dims_{dims}", "contract_violation", dims=dims, data=data)
    ids = {
        "empty": "",
        "without_dims": "dct-a375f01fafb8",
        "short_digest": "dct-192-a375f01fafb",
        "capital_digest": "dct-192-A375F01FAFB8",
        "other_digits": "dct-\u0661\u0669\u0662-a375f01fafb8",
        "other_dims": "dct-64-a375f01fafb8",
    }
    for name, encoder_id in ids.items():
        yield base.spoilt(f"encoder_id_{name}", "contract_violation", encoder_id=encoder_id)
    for name, value in {"nan": np.nan, "infinity": np.inf, "minus_infinity": -np.inf}.items():
        embeddings = np.ones((1, 64, 192), "<f2")
        embeddings[0, 63, 191] = value
        yield from _non_finite(base, name, embeddings.tobytes())
    extremes = np.full((1, 64, 192), -np.finfo("<f2").max, "<f2")
    yield base.spoilt("largest_embeddings", None, data=extremes.tobytes())


def _frame_times(base: Base) -> Iterator[HostileRecord]:
    """Give sequences of event times; ``base`` holds one frame."""
    start = base.event_time_ns
    yield base.spoilt(
        "event_times_short", "contract_violation", event_times_ns=base.fields["event_times_ns"][:7]
    )
    wrong: dict[str, Iterable[int]] = {
        "equal": (start, start),
        "falling": (start, start - 1),
        "span_over_2_s": (start, start + 2 * S + 1),
        "negative": (-1, start),
        "from_int64_end_to_end": (-(2**63), 2**63 - 1),
        "falling_across_int64": (2**63 - 1, -(2**63)),
    }
    for name, times in wrong.items():
        yield base.spoilt(f"event_times_{name}", "contract_violation", **_two_frames(times))
    yield base.spoilt("event_times_span_of_2_s", None, **_two_frames((start, start + 2 * S)))
    late = _two_frames((start, start + 100 * MS)) | {"ingest_time_ns": start - 2 * S}
    yield base.spoilt("last_frame_in_the_future", "future_event_time", **late)


def _two_frames(times: Iterable[int]) -> Fields:
    return {
        "count": 2,
        "event_times_ns": np.array(list(times), "<i8").tobytes(),
        "data": np.ones((2, 64, 192), "<f2").tobytes(),
        "ingest_time_ns": max(0, *times),
    }


def _samples(base: Base) -> Iterator[HostileRecord]:
    """Give periods, times and values of currents."""
    for period_ns in (0, -1, -(2**63), 2 * S + 1, 2**64 - 1):
        yield base.spoilt(f"period_{period_ns}", "contract_violation", period_ns=period_ns)
    for time_ns in (-1, 2**63 - 1, 2**63, 2**64 - 1):
        yield base.spoilt(f"event_time_{time_ns}", "contract_violation", event_time_ns=time_ns)
    for name, value in {"infinity": np.inf, "minus_infinity": -np.inf}.items():
        samples = np.ones((2, 3), "<f4")
        samples[1, 2] = value
        yield from _non_finite(base, name, samples.tobytes())
    nan = np.full((2, 3), np.nan, "<f4").tobytes()
    yield base.spoilt("no_phase_could_be_read", None, data=nan)
    one = np.ones((1, 3), "<f4").tobytes()
    yield base.spoilt("one_sample_of_any_period", None, count=1, data=one, period_ns=2**64 - 1)
    yield base.spoilt("negative_currents", None, data=np.full((2, 3), -1e9, "<f4").tobytes())


def _non_finite(base: Base, name: str, data: bytes) -> Iterator[HostileRecord]:
    """Give a value that is not finite, alone and beside faults before and after it in the order."""
    as_json = base.headers(content_type=b"application/json")
    yield base.spoilt(name, "non_finite", data=data)
    yield base.spoilt(f"{name}_and_future", "non_finite", data=data, ingest_time_ns=0)
    yield base.spoilt(f"{name}_and_content_type", "contract_violation", data=data, headers=as_json)
    yield base.spoilt(f"{name}_and_key", "contract_violation", data=data, key=b"a/b")
    yield base.spoilt(f"{name}_and_wrong_type", "malformed", data=data, seq=None)
