"""Which letters go back, and what their records say then: pure, without Kafka."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_cli.domain.letters import claimed, objection
from meltwatch_schemas.codec import MAX_RECORD_BYTES
from meltwatch_schemas.dead_letter import REDRIVE_AT, REDRIVE_BY, REDRIVE_OF, dead_letter_headers
from meltwatch_schemas.errors import ContractViolation, Refusal
from meltwatch_schemas.record import RawRecord

from tests.support.bad_records import BAD_KINDS
from tests.support.input_records import ORIGIN_NS, sample_record
from tests.support.timed_records import NOON

RECORD = sample_record("plant/FMF-03", ORIGIN_NS).at(5, prefix="plant", partition=1)


def letter_of(record: RawRecord, number: int = 7) -> RawRecord:
    refusal = ContractViolation(Refusal.MALFORMED, "why")
    headers = tuple(dead_letter_headers(record, "somebody", refusal))
    return replace(
        record, topic="plant.dead-letters.v1", partition=0, offset=number, headers=headers
    )


def test_a_record_goes_back_as_it_was_and_says_whose_it_is():
    again = claimed(letter_of(RECORD), "li", NOON)

    assert replace(again, headers=RECORD.headers) == RECORD
    assert again.headers[: len(RECORD.headers)] == RECORD.headers
    assert again.headers[len(RECORD.headers) :] == (
        (REDRIVE_OF, b"plant.dead-letters.v1/0/7"),
        (REDRIVE_BY, b"li"),
        (REDRIVE_AT, f"{NOON:%FT%T.%fZ}".encode()),
    )


def test_a_record_that_is_refused_again_tells_of_its_last_letter_alone():
    first = claimed(letter_of(RECORD, 7), "li", NOON)
    second = claimed(letter_of(first, 8), "wang", NOON)

    assert len(second.headers) == len(first.headers)
    assert dict(second.headers)[REDRIVE_OF] == b"plant.dead-letters.v1/0/8"
    assert dict(second.headers)[REDRIVE_BY] == b"wang"


def test_what_is_no_letter_is_refused():
    with pytest.raises(ContractViolation, match=r"dlq\.topic"):
        claimed(replace(letter_of(RECORD), headers=()), "li", NOON)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"topic": "somebody.elses.v1"}, "expected a topic of plant.*"),
        ({"topic": "plantx.currents.v1"}, "expected a topic of plant.*"),
        ({"topic": "plant.scores.v1"}, "which only services write"),
        ({"topic": "plant.dead-letters.v1"}, "which only services write"),
        ({"value": b"\0" * (MAX_RECORD_BYTES + 1)}, "too_large"),
    ],
)
def test_some_letters_are_never_sent_whatever_is_forced(change, expected):
    assert expected in (objection(replace(RECORD, **change), "plant", force=True) or "")


@pytest.mark.parametrize("kind", BAD_KINDS, ids=lambda kind: kind.name)
def test_what_would_be_refused_again_is_sent_by_force_alone(kind):
    record = kind.make("plant/FMF-03", ORIGIN_NS).at(5, prefix="plant")
    said, forced = (objection(record, "plant", force=force) for force in (False, True))

    assert said is None or forced is not None or "(--force sends it)" in said
    assert forced is None or forced.startswith("too_large")


def test_what_the_reader_of_today_takes_is_sent():
    assert objection(RECORD, "plant", force=False) is None


@given(st.text(), st.none() | st.binary(), st.none() | st.binary())
def test_nothing_goes_to_a_topic_that_is_not_ours(topic, key, value):
    record = replace(RECORD, topic=f"x{topic}", key=key, value=value)

    assert objection(record, "plant", force=True) is not None
