import json
from collections import Counter
from dataclasses import replace

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_cli.domain.letter_page import as_json_object, fields_of, page, row, totals_line
from meltwatch_cli.domain.letters import UNREADABLE, Filter, Selection, letter_of, select
from meltwatch_schemas.dead_letter import MAX_DETAIL, dead_letter_headers, read_dead_letter
from meltwatch_schemas.errors import ContractViolation, Refusal
from meltwatch_schemas.record import JSON, RawRecord, headers_for
from meltwatch_schemas.text import is_printable

from tests.support.bad_records import BAD_KINDS
from tests.support.builders import NOON_NS
from tests.support.input_records import ORIGIN_NS, frame_record, sample_record

FRAME = frame_record("plant/FMF-03", ORIGIN_NS).at(41, partition=2)
SAMPLE = sample_record("plant/FMF-04", ORIGIN_NS).at(42)
NOON_MS = NOON_NS // 10**6


def letter_record(record: RawRecord, number: int = 0, error=Refusal.MALFORMED, detail="why"):
    headers = dead_letter_headers(record, "somebody", ContractViolation(error, detail))
    return RawRecord(
        "meltwatch.dead-letters.v1", 0, number, NOON_MS, record.key, record.value, tuple(headers)
    )


def changed(name: str, value: bytes | None) -> RawRecord:
    raw = letter_record(FRAME)
    kept = tuple(header for header in raw.headers if header[0] != name)
    return replace(raw, headers=kept if value is None else (*kept, (name, value)))


def test_a_letter_gives_back_the_record_that_was_refused():
    again = read_dead_letter(letter_record(FRAME, error=Refusal.NON_FINITE, detail="d" * 2000))

    assert again.record == FRAME
    assert (again.service, again.error) == ("somebody", "non_finite")
    assert again.detail == "d" * MAX_DETAIL


def test_a_letter_of_a_letter_tells_of_the_last_refusal():
    twice = replace(letter_record(FRAME), topic=FRAME.topic, offset=77)

    assert read_dead_letter(letter_record(twice)).record.offset == 77


@pytest.mark.parametrize("name", ["topic", "partition", "offset", "timestamp", "service", "error"])
@pytest.mark.parametrize("value", [None, b"", b"\xff"])
def test_a_record_without_a_header_is_no_letter(name, value):
    with pytest.raises(ContractViolation, match=f"dlq.{name}"):
        read_dead_letter(changed(f"dlq.{name}", value))


@pytest.mark.parametrize("value", ["-1", "1.5", "x", "٣", "9" * 19, " 1"])
def test_a_number_that_is_none_is_refused(value):
    with pytest.raises(ContractViolation, match="whole number"):
        read_dead_letter(changed("dlq.offset", value.encode()))


def test_a_record_without_a_timestamp_has_a_letter_that_can_be_read():
    timeless = replace(FRAME, timestamp_ms=-1)
    letter = letter_record(timeless)

    assert read_dead_letter(letter).record == timeless
    assert as_json_object(letter_of(letter))["timestamp"] is None
    assert "timestamp  -" in page(letter_of(letter), timeless, None, NOON_MS)
    with pytest.raises(ContractViolation, match="whole number"):
        read_dead_letter(changed("dlq.timestamp", b"-2"))


def test_what_is_no_letter_is_listed_as_unreadable():
    letter = letter_of(changed("dlq.topic", None))

    assert (letter.error, letter.origin) == (UNREADABLE, None)
    assert "dlq.topic" in letter.detail
    assert row(letter)[3] == "-"
    assert as_json_object(letter)["topic"] is None


def test_filters_take_what_they_name():
    frame, sample = letter_of(letter_record(FRAME)), letter_of(letter_record(SAMPLE))
    command = replace(frame, key="plant/FMF-03/OVERHEAT", topic="meltwatch.alarm-commands.v1")

    assert Filter().takes(frame)
    assert Filter(error="malformed").takes(frame)
    assert not Filter(error="too_large").takes(frame)
    assert Filter(topic="embeddings").takes(frame)
    assert Filter(topic="meltwatch.embeddings.v1").takes(frame)
    assert not Filter(topic="embeddings").takes(sample)
    assert Filter(furnace="plant/FMF-03").takes(frame)
    assert Filter(furnace="plant/FMF-03").takes(command)
    assert not Filter(furnace="plant/FMF-0").takes(frame)


def test_the_newest_are_kept_and_all_are_counted():
    errors = [Refusal.MALFORMED, Refusal.TOO_LARGE, Refusal.MALFORMED]
    letters = [letter_of(letter_record(FRAME, n, errors[n % 3])) for n in range(30)]

    found = select(iter(letters), Filter(error="malformed"), limit=4)

    assert [letter.id for letter in found.letters] == [24, 26, 27, 29]
    assert found.by_error == {"malformed": 20}
    assert found.looked_at == 30


def test_the_first_line_says_how_many_of_what():
    selection = Selection((), Counter(malformed=1, too_large=2), looked_at=9)

    assert totals_line(selection, is_cut=False) == "3 dead letters (2 too_large, 1 malformed)"
    assert totals_line(selection, is_cut=True) == (
        "3 dead letters (2 too_large, 1 malformed; of the newest 9, --scan looks further)"
    )
    assert totals_line(Selection((), Counter(), 0), is_cut=False) == "0 dead letters"


def test_nothing_of_a_letter_steers_a_terminal():
    hostile = replace(FRAME, key=b"\x1b[2Jk\xff", headers=(("h\x1b", b"\x1b[0m"),))
    raw = letter_record(hostile, detail="a\x1b]0;b\x07\nc")
    letter = letter_of(raw)

    shown = [*row(letter), *page(letter, hostile, "no\x1b", NOON_MS)]

    assert all(text.isprintable() for text in shown)
    assert any("\\x1b[2Jk\\xff" in text for text in shown)


def test_the_fields_of_embeddings_are_shown():
    frame = fields_of(FRAME) or {}

    assert frame["data"] == "24576 bytes"
    assert frame["ingest_time_ns"] == f"{ORIGIN_NS}  (2025-10-09T08:53:20.000000Z)"
    assert frame["furnace_id"] == "plant/FMF-03"


def test_json_is_shown_field_by_field():
    value = json.dumps({"alarm_id": "f/A", "arguments": {"duration_s": 5, "deep": {}}, "l": [1, 2]})
    command = replace(
        FRAME, value=value.encode(), headers=tuple(headers_for("alarm-command/1.0", JSON))
    )

    assert fields_of(command) == {
        "alarm_id": "f/A",
        "arguments.duration_s": "5",
        "arguments.deep": "dict of 0",
        "l": "[1, 2]",
    }


@pytest.mark.parametrize("value", [None, b"", b"\xc1", b"{not json", msgpack.packb([1, 2])])
def test_what_cannot_be_read_is_dumped(value):
    record = replace(FRAME, value=value)
    shown = page(letter_of(letter_record(record)), record, None, NOON_MS)

    assert fields_of(record) is None
    assert "value (neither a msgpack map nor a JSON object)" in shown


def test_a_dump_shows_the_first_bytes_and_how_many_more_there_are():
    def shown(value: bytes) -> list[str]:
        record = replace(FRAME, value=value)
        lines = page(letter_of(letter_record(record)), record, None, NOON_MS)
        return lines[lines.index("value (neither a msgpack map nor a JSON object)") + 1 :]

    assert shown(b"AB\x00" + bytes(range(14))) == [
        "000000  41 42 00 00 01 02 03 04 05 06 07 08 09 0a 0b 0c  AB..............",
        "000010  0d                                               .",
    ]
    assert shown(bytes(1000))[-1] == "… 744 more bytes"
    assert shown(b"") == []


_NESTED = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(st.text(), _NESTED, max_size=4),
    st.sampled_from(["embedding/1.0", "score/1.0", "?"]),
)
def test_any_map_can_be_shown(fields, schema):
    record = replace(FRAME, value=msgpack.packb(fields), headers=(("schema", schema.encode()),))

    shown = page(letter_of(letter_record(record)), record, None, NOON_MS)

    assert all(map(is_printable, shown))


@given(st.binary())
def test_any_bytes_can_be_shown(value):
    record = replace(FRAME, value=value)
    assert page(letter_of(letter_record(record)), record, None, NOON_MS)


@pytest.mark.parametrize("depth", [50, 400])
def test_deep_nesting_can_be_shown(depth):
    nested = {"": 1}
    for _ in range(depth):
        nested = {"": nested}
    record = replace(FRAME, value=msgpack.packb({"deep": nested, "list": [[[]]]}))

    assert page(letter_of(letter_record(record)), record, None, NOON_MS)


@pytest.mark.parametrize("kind", BAD_KINDS, ids=lambda kind: kind.name)
def test_every_bad_record_can_be_listed_and_shown(kind):
    record = kind.make("plant/FMF-03", ORIGIN_NS).at(5)
    letter = letter_of(letter_record(record, error=kind.reason))

    assert row(letter)[2] == kind.reason.value
    assert page(letter, record, None, NOON_MS)
