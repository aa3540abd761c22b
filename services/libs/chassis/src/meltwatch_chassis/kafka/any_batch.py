r"""Batches of records as anybody may have written them, read by both of Kafka's clients.

The broker takes what the clients stumble over: batches that unpack to gigabytes, compressed
streams and records in odd forms, headers in any number and with names in any bytes. Any of them
would stop its partition for ever or end the process. Here a batch is unpacked within bounds and
handed to the client's own reader, and one record stands for what cannot be read; it is refused
like any other. Bytes of a header's name that are no UTF-8 become escapes like ``\xff``.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from meltwatch_schemas.bounds import MAX_HEADERS
from meltwatch_schemas.errors import ContractViolation, Refusal, malformed
from meltwatch_schemas.unread import UnreadBatch

from meltwatch_chassis.kafka.unpacking import MOST_BYTES, unpack

MOST_RECORDS: Final = 64 * 1024
"""Records in a batch; the client needs some 500 bytes for each, even an empty one."""
_HEAD: Final = 61
_FORMAT_AT: Final = 16
_OLD_CODEC_AT: Final = 17
_CODEC_AT: Final = 22
_CODEC: Final = 0x07
_COUNT: Final = slice(57, 61)
_OFFSET: Final = slice(0, 8)
Reader = Callable[[Any], Any]


class AnyName(bytearray):
    """A buffer whose parts decode whatever they hold."""

    def __getitem__(self, place: Any) -> Any:
        part = super().__getitem__(place)
        return AnyName(part) if isinstance(place, slice) else part

    def decode(self, encoding: str = "utf-8", errors: str = "backslashreplace") -> str:
        """Return the text; bytes that are not UTF-8 become escapes."""
        return super().decode(encoding, errors)


@dataclass(frozen=True, slots=True)
class Record:
    """A record in the form of both clients."""

    offset: int
    timestamp: int | None
    timestamp_type: int | None
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]
    size_in_bytes: int = 0
    checksum: int | None = None

    def validate_crc(self) -> bool:
        """Accept the record: its batch was checked as a whole."""
        return True


@dataclass(slots=True)
class Allowance:
    """How much of one answer of the broker may still be unpacked; the rest is fetched again.

    Attributes
    ----------
    size_bytes, records
        What is left.
    """

    size_bytes: int = MOST_BYTES
    records: int = MOST_RECORDS

    def is_left(self) -> bool:
        """Tell whether another batch may be read."""
        return self.size_bytes > 0 and self.records > 0

    def spend(self, size_bytes: int, records: int) -> None:
        """Note what was unpacked."""
        self.size_bytes -= size_bytes
        self.records -= records


class AnyBatch:
    """A batch in the client's form.

    Parameters
    ----------
    content
        Its bytes.
    fast
        The client's reader, which also checks the sum and knows transactions.
    lenient
        A reader that takes headers of any name; asked for what the fast one fails at.
    allowance
        Of the answer that it came in.
    """

    def __init__(
        self, content: memoryview, fast: Reader, lenient: Reader, allowance: Allowance
    ) -> None:
        self._content = content
        self._fast, self._lenient = fast, lenient
        self._allowance = allowance
        self._head = fast(content)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._head, name)

    def __next__(self) -> Any:
        """Return a control batch's record."""
        return next(self._head)

    def __iter__(self) -> Iterator[Any]:
        following, stop = self._head.base_offset, self._head.next_offset
        try:
            for record in self._read(self._unpacked()):
                _check_offset(record.offset, range(following, stop))
                following = record.offset + 1
                yield _bounded(record)
        except Exception as error:  # noqa: BLE001 - whatever it holds, what comes behind it is read
            if following < stop:
                time = self._head.max_timestamp, self._head.timestamp_type
                yield _stand_in(self._content, range(following, stop), time, error)

    def _unpacked(self) -> bytes | memoryview:
        """Return the batch as if it had come without a codec."""
        count = int.from_bytes(self._content[_COUNT], "big", signed=True)
        if count > MOST_RECORDS:
            self._allowance.spend(MOST_BYTES, MOST_RECORDS)
            raise ContractViolation(
                Refusal.TOO_LARGE, f"expected at most {MOST_RECORDS} records, got {count}"
            )
        codec = self._content[_CODEC_AT] & _CODEC
        if not codec:
            self._allowance.spend(0, count)
            return self._content
        try:
            records = unpack(codec, self._content[_HEAD:])
        except ContractViolation:
            self._allowance.spend(MOST_BYTES, MOST_RECORDS)
            raise
        self._allowance.spend(len(records), count)
        head = bytearray(self._content[:_HEAD])
        head[_CODEC_AT] &= ~_CODEC
        return b"".join((head, records))

    def _read(self, plain: bytes | memoryview) -> Iterator[Any]:
        done = 0
        try:
            for record in self._fast(plain):
                done += 1
                yield record
        except Exception:  # noqa: BLE001 - the clients name it differently
            yield from islice(self._lenient(plain), done, None)


class OldBatch:
    """A compressed batch of Kafka's formats before 0.11, which nobody unpacks.

    Its records have no headers, so that each would be refused.

    Parameters
    ----------
    content
        Its bytes.
    head
        The client's reader, which also checks the sum.
    """

    def __init__(self, content: memoryview, head: Any) -> None:
        self._content = content
        self._head = head

    def __getattr__(self, name: str) -> Any:
        return getattr(self._head, name)

    def __iter__(self) -> Iterator[Record]:
        offset = int.from_bytes(self._content[_OFFSET], "big", signed=True)
        said = "expected a format with headers, got a compressed one of Kafka before 0.11"
        refusal = ContractViolation(Refusal.UNKNOWN_SCHEMA, said)
        yield _stand_in(self._content, range(offset, offset + 1), (-1, 0), refusal)


def any_batch(
    content: memoryview, batch: Any, fast: Reader, lenient: Reader, allowance: Allowance
) -> Any:
    """Return what reads a batch within bounds.

    Parameters
    ----------
    content
        Its bytes.
    batch
        What the client would read it with.
    fast, lenient, allowance
        Of ``AnyBatch``.
    """
    if content[_FORMAT_AT] > 1:
        return AnyBatch(content, fast, lenient, allowance)
    return OldBatch(content, batch) if content[_OLD_CODEC_AT] & _CODEC else batch


def _check_offset(offset: int, expected: range) -> None:
    if offset not in expected:
        raise malformed(f"expected an offset {expected.start}..{expected.stop - 1}, got {offset}")


def _bounded(record: Any) -> Any:
    """Return a record without headers beyond those by which it is refused."""
    if len(record.headers) <= MAX_HEADERS + 1:
        return record
    last = record.headers[-MAX_HEADERS - 1 :]
    return Record(
        record.offset, record.timestamp, record.timestamp_type, record.key, record.value, last
    )


def _stand_in(
    content: memoryview, offsets: range, time: tuple[int | None, int | None], error: Exception
) -> Record:
    """Return the record that stands for offsets that nobody can read, at the last of them.

    A reader that commits it is past the batch.
    """
    refusal = error if isinstance(error, ContractViolation) else malformed(repr(error)[:200])
    value = UnreadBatch.of(bytes(content), offsets, refusal.reason, refusal.detail)
    return Record(offsets.stop - 1, *time, None, value, [], len(value))
