"""What embedding and current chunks share: identity, clock quality, limits."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from meltwatch_schemas.bounds import MAX_OFFSET, MAX_WHOLE, check_text, check_whole
from meltwatch_schemas.codec import (
    Fields,
    Want,
    check_time,
    integers_named,
    optional_texts_named,
    texts_named,
)
from meltwatch_schemas.errors import ContractViolation, Refusal, violation
from meltwatch_schemas.identifiers import check_boot_id, check_furnace_id
from meltwatch_schemas.window import NS_PER_MS, NS_PER_S

MAX_COUNT: Final = 64
MAX_SPAN_NS: Final = 2 * NS_PER_S
MAX_AHEAD_NS: Final = 2 * NS_PER_S
MAX_AHEAD_OF_RECORD_NS: Final = 10 * NS_PER_S
"""What the broker lets a record's own timestamp be ahead of its clock."""


class Modality(StrEnum):
    """A kind of input."""

    VIDEO = "video"
    CURRENT = "current"


class SyncSource(StrEnum):
    """Where a producer's clock gets its time from."""

    PTP = "ptp"
    NTP = "ntp"
    FREE = "free"


@dataclass(frozen=True, slots=True)
class Sync:
    """Clock quality of a source.

    Attributes
    ----------
    source
        A value of ``SyncSource``.
    max_error_ns
        Bound of the clock's offset from UTC, ns.
    """

    source: str
    max_error_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkIdentity:
    """Who sent a chunk and when.

    Attributes
    ----------
    furnace_id
        ISA-95 path; also the record's key.
    source_id
        The camera or meter.
    boot_id
        16 hex digits, new at each start of the producer.
    seq
        Number of the first item; +1 per item of a source and boot.
    ingest_time_ns
        Wall clock at sending, ns UTC.
    sync
        Clock quality, if known.
    run_id
        Present in replays only.
    """

    furnace_id: str
    source_id: str
    boot_id: str
    seq: int
    ingest_time_ns: int
    sync: Sync | None = None
    run_id: str | None = None


_IDENTITY: Final = (
    *texts_named("furnace_id", "source_id", "boot_id"),
    *integers_named("seq", "ingest_time_ns"),
    *optional_texts_named("run_id"),
)


def read_chunk(fields: Fields, content: tuple[Want, ...]) -> tuple[ChunkIdentity, list[Any]]:
    """Read the identity and the fields of a chunk's own kind.

    Types alone are judged: ``malformed`` precedes every other refusal.
    """
    sync = fields.optional_map("sync")
    clock = None if sync is None else Sync(sync.text("source"), sync.integer("max_error_ns"))
    furnace_id, source_id, boot_id, seq, ingest_time_ns, run_id, *rest = fields.read(
        *_IDENTITY, *content
    )
    identity = ChunkIdentity(
        furnace_id=furnace_id,
        source_id=source_id,
        boot_id=boot_id,
        seq=seq,
        ingest_time_ns=ingest_time_ns,
        sync=clock,
        run_id=run_id,
    )
    return identity, rest


def check_identity(identity: ChunkIdentity) -> None:
    """Refuse an identity with a value against the contract (``contract_violation``)."""
    check_furnace_id(identity.furnace_id)
    check_text("source_id", identity.source_id)
    check_boot_id(identity.boot_id)
    check_whole("seq", identity.seq, MAX_WHOLE)
    check_time("ingest_time_ns", identity.ingest_time_ns)
    if identity.run_id is not None:
        check_text("run_id", identity.run_id)
    if identity.sync is not None:
        _check_sync(identity.sync)


def _check_sync(sync: Sync) -> None:
    if sync.source not in set(SyncSource):
        raise violation(f"sync.source: expected ptp, ntp or free, got {sync.source[:80]!r}")
    check_whole("sync.max_error_ns", sync.max_error_ns, MAX_OFFSET)


def identity_fields(identity: ChunkIdentity) -> dict[str, object]:
    """Return the identity as wire fields, optional ones only where present."""
    fields: dict[str, object] = {
        "furnace_id": identity.furnace_id,
        "source_id": identity.source_id,
        "boot_id": identity.boot_id,
        "seq": identity.seq,
        "ingest_time_ns": identity.ingest_time_ns,
    }
    if identity.sync is not None:
        fields["sync"] = {
            "source": str(identity.sync.source),
            "max_error_ns": identity.sync.max_error_ns,
        }
    if identity.run_id is not None:
        fields["run_id"] = identity.run_id
    return fields


def check_count(count: int) -> None:
    """Refuse a chunk of anything but 1..64 items."""
    if not 1 <= count <= MAX_COUNT:
        raise violation(f"count: expected 1..{MAX_COUNT}, got {count}")


def check_span(first_ns: int, last_ns: int) -> None:
    """Refuse a chunk that spans more than 2 s of event time."""
    if last_ns - first_ns > MAX_SPAN_NS:
        raise violation(f"span: expected at most {MAX_SPAN_NS} ns, got {last_ns - first_ns}")


def check_not_future(last_event_ns: int, ingest_time_ns: int) -> None:
    """Refuse a chunk whose newest event lies more than 2 s after its own ingest time."""
    if last_event_ns - ingest_time_ns > MAX_AHEAD_NS:
        raise ContractViolation(
            Refusal.FUTURE_EVENT_TIME,
            f"expected events at most {MAX_AHEAD_NS} ns after ingest_time_ns, "
            f"got {last_event_ns - ingest_time_ns}",
        )


def check_not_after_record(last_event_ns: int, timestamp_ms: int) -> None:
    """Refuse a chunk whose newest event lies more than 10 s after its record's own timestamp.

    The broker bounds that timestamp by its clock; the times within a message are only said.

    Raises
    ------
    ContractViolation
        ``future_event_time``.
    """
    ahead_ns = last_event_ns - timestamp_ms * NS_PER_MS
    if timestamp_ms >= 0 and ahead_ns > MAX_AHEAD_OF_RECORD_NS:
        raise ContractViolation(
            Refusal.FUTURE_EVENT_TIME,
            f"expected events at most {MAX_AHEAD_OF_RECORD_NS} ns after the record's timestamp, "
            f"got {ahead_ns}",
        )


def accept_any_envelope(furnace_id: str) -> None:
    """Check nothing: for values that travel without a Kafka record around them."""
