"""Currents in JSON: whatever a publisher writes, a value is its own or there is none."""

import json
import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from meltwatch_schemas.bounds import MAX_CURRENT_A
from meltwatch_schemas.window import NS_PER_S
from meltwatch_sources.domain.json_currents import LONGEST, JsonCurrents, JsonPlaces, time_of
from meltwatch_sources.domain.messages import TopicMessage
from meltwatch_sources.domain.reading import Wiring

from tests.support.examples import examples

NOW_NS = 1_764_400_000 * NS_PER_S
TOPIC = "plant/f5"
PLACES = JsonPlaces((TOPIC,), ("/data/0", "/data/1", "/b~1c/~0"), "/ts")


def message(document, topic=TOPIC, *, retained=False):
    payload = document if isinstance(document, bytes) else json.dumps(document).encode()
    return TopicMessage(topic, payload, retained, NOW_NS)


def told(a=1.0, b=2.0, c=3.0, ts=NOW_NS // 10**6):
    return {"data": [a, b], "b/c": {"~": c}, "ts": ts}


def test_values_stand_where_their_pointers_say_and_are_wired():
    reader = JsonCurrents(PLACES, Wiring(20.0, (0, 2, 1)))

    (read,) = reader.take(message(told()))

    assert read.values.tolist() == [20, 60, 40]
    assert read.phases == (0, 2, 1)
    assert (read.source_ns, read.answered_ns, read.quality) == (NOW_NS, NOW_NS, "")
    assert reader.why == ""


def test_a_topic_for_each_value_tells_of_its_phase_alone():
    places = JsonPlaces(("f5/a", "f5/b", "f5/c"), ("", "", ""))
    reader = JsonCurrents(places)

    (read,) = reader.take(message(b"123.5", "f5/b"))

    assert read.phases == (1,)
    assert read.values[1] == 123.5
    assert np.isnan(read.values[[0, 2]]).all()
    assert reader.topics == ("f5/a", "f5/b", "f5/c")


@pytest.mark.parametrize(
    ("stamp", "ns"),
    [
        (1_764_400_000, NOW_NS), (1_764_400_000.5, NOW_NS + NS_PER_S // 2),
        (1_764_400_000_000, NOW_NS), (1_764_400_000_000_000, NOW_NS), (NOW_NS, NOW_NS),
        ("2025-11-29T07:06:40Z", NOW_NS), ("2025-11-29T15:06:40.25+08:00", NOW_NS + NS_PER_S // 4),
    ],
)  # fmt: skip
def test_a_time_stamp_says_its_unit_by_its_size(stamp, ns):
    assert time_of(stamp) == ns


@pytest.mark.parametrize(
    "stamp", ["2025-11-29T07:06:40", "yesterday", "", True, None, -1, math.nan, math.inf, 10**400,
              [], {}, 2**63],
)  # fmt: skip
def test_a_value_whose_time_cannot_be_read_is_none(stamp):
    reader = JsonCurrents(PLACES)
    payload = json.dumps(told()).replace(str(NOW_NS // 10**6), json.dumps(stamp))

    assert reader.take(message(payload.encode())) == []
    assert "expected a time with its zone at '/ts', got" in reader.why
    assert len(reader.why) < 200


@pytest.mark.parametrize("value", [None, "5", True, [], {}, math.nan, -math.inf, 1e30, 10**400])
def test_what_is_no_number_of_amperes_is_no_value_and_its_neighbours_stay(value):
    reader = JsonCurrents(PLACES)
    text = json.dumps(told(b="@")).replace('"@"', json.dumps(value))

    (read,) = reader.take(message(text.encode()))

    assert np.isnan(read.values[1])
    assert read.values[[0, 2]].tolist() == [1, 3]
    assert read.has_value


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (b"", "expected JSON"), (b"\xff\xfe", "expected JSON"), (b"[" * 60_000, "expected JSON"),
        (b" " * (LONGEST + 1), "expected at most 65536 bytes"),
        (b'{"ts": 1764400000}', "expected a value at '/data/0', '/data/1', '/b~1c/~0'"),
    ],
)  # fmt: skip
def test_a_message_without_a_value_says_why(payload, said):
    reader = JsonCurrents(PLACES)

    assert reader.take(message(payload)) == []
    assert said in reader.why


@pytest.mark.parametrize(("age_s", "counts"), [(0, True), (1.9, True), (2.1, False), (-3, False)])
def test_a_retained_message_counts_if_its_own_time_says_that_it_is_of_now(age_s, counts):
    stamped, bare = JsonCurrents(PLACES), JsonCurrents(JsonPlaces((TOPIC,), PLACES.values))
    document = told(ts=NOW_NS // 10**6 - int(age_s * 1000))

    assert bool(stamped.take(message(document, retained=True))) is counts
    assert bare.take(message(document, retained=True)) == []
    assert "retained" in bare.why


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["data", "b/c", "~", "ts", "0"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@examples(200)
@example(b'{"data": [1e999, 2], "ts": 1}', False)
@given(st.binary(max_size=40) | JSON.map(lambda each: json.dumps(each).encode()), st.booleans())
def test_whatever_comes_is_a_reading_of_finite_amperes_or_none(payload, retained):
    reader = JsonCurrents(PLACES, Wiring(20.0))

    for read in reader.take(message(payload, retained=retained)):
        told_of = read.values[list(read.phases)]
        assert (np.isnan(told_of) | (np.abs(told_of) <= MAX_CURRENT_A)).all()
        assert read.source_ns is not None
        assert read.has_value or read.quality
    assert reader.why.isprintable()


@given(st.floats(-1e4, 1e4), st.integers(0, 2))
def test_each_value_is_given_as_it_was_written(value, place):
    values = [1.0, 2.0, 3.0]
    values[place] = value

    (read,) = JsonCurrents(PLACES).take(message(told(*values)))

    assert read.values.tolist() == np.float32(values).tolist()
