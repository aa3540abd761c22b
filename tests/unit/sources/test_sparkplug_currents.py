"""Currents in Sparkplug B: births, aliases, deaths, and messages of any bytes in any order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_schemas.bounds import MAX_CURRENT_A
from meltwatch_schemas.sparkplug import DataType, Metric, Payload, QualityCode, decode, encode
from meltwatch_schemas.window import NS_PER_MS, NS_PER_S
from meltwatch_sources.domain.messages import TopicMessage
from meltwatch_sources.domain.reading import Wiring
from meltwatch_sources.domain.sparkplug_currents import (
    LONGEST,
    REBIRTH,
    SparkplugCurrents,
    SparkplugPlaces,
)

from tests.support.examples import examples

NOW_NS = 1_764_400_000 * NS_PER_S
NOW_MS = NOW_NS // NS_PER_MS
NAMES = ("Ia", "Ib", "Ic")
OF_DEVICE = SparkplugPlaces("plant", "gw", "f5", NAMES)
OF_NODE = SparkplugPlaces("plant", "gw", None, NAMES)
KINDS = ("NBIRTH", "DBIRTH", "NDATA", "DDATA", "NDEATH", "DDEATH")


def message(kind, *metrics: Metric, places=OF_DEVICE, retained=False, payload=None):
    data = encode(Payload(NOW_MS, metrics)) if payload is None else payload
    return TopicMessage(places.topic(kind), data, retained, NOW_NS)


def born(number=7, kind=DataType.DOUBLE):
    metrics = [Metric(name, kind, 100 + n, NOW_MS - 86_400_000, alias=n) for n, name in
               enumerate(NAMES)]  # fmt: skip
    return [
        message("NBIRTH", Metric("bdSeq", DataType.INT64, number)), message("DBIRTH", *metrics)
    ]  # fmt: skip


def reader_of(*messages: TopicMessage, places=OF_DEVICE, wiring=None):
    reader = SparkplugCurrents(places, wiring or Wiring())
    return reader, [read for each in messages for read in reader.take(each)]


def test_a_birth_tells_what_holds_now_though_it_was_measured_long_ago():
    reader, read = reader_of(*born(), wiring=Wiring(20.0, (0, 2, 1)))

    assert [each.phases for each in read] == [(0,), (2,), (1,)]
    assert [float(each.values[each.phases[0]]) for each in read] == [2000, 2020, 2040]
    assert {each.source_ns for each in read} == {NOW_NS}
    assert reader.is_alive


def test_data_by_alias_is_understood_after_a_birth_and_has_its_own_time():
    reader, _ = reader_of(*born())

    (read,) = reader.take(message("DDATA", Metric("", DataType.FLOAT, 5.5, NOW_MS - 40, alias=1)))

    assert (read.phases, read.values[1], read.source_ns) == ((1,), 5.5, NOW_NS - 40 * NS_PER_MS)


def test_an_alias_that_no_birth_has_told_asks_for_one_once():
    reader, read = reader_of(message("DDATA", Metric("", None, 5.5, alias=1)))

    assert read == []
    topic, command = reader.request()
    assert topic == "spBv1.0/plant/NCMD/gw"
    assert [(m.name, m.value) for m in decode(command).metrics] == [(REBIRTH, True)]
    assert reader.request() is None
    assert "birth" in reader.why


def test_names_are_as_good_as_a_birth():
    reader, (read,) = reader_of(message("DDATA", Metric("Ib", DataType.FLOAT, 5.5)))

    assert read.values[1] == 5.5
    assert reader.request() is None
    assert not reader.is_alive


@pytest.mark.parametrize("death", ["NDEATH", "DDEATH"])
def test_a_death_ends_all_values_until_the_next_birth(death):
    reader, _ = reader_of(*born())

    (read,) = reader.take(message(death, Metric("bdSeq", DataType.INT64, 7)))

    assert np.isnan(read.values).all()
    assert read.phases == (0, 1, 2)
    assert "died" in read.quality
    assert not reader.is_alive
    assert reader.take(message("DDATA", Metric("Ia", DataType.DOUBLE, 1.0))) == []
    assert reader.request() is not None
    assert [len(reader.take(each)) for each in born(8)] == [0, 3]
    assert reader.is_alive


def test_the_death_of_an_earlier_session_ends_nothing():
    reader, _ = reader_of(*born(8))

    assert reader.take(message("NDEATH", Metric("bdSeq", DataType.INT64, 7))) == []
    assert reader.is_alive


@pytest.mark.parametrize(
    "metric",
    [
        Metric("Ia", DataType.DOUBLE, None), Metric("Ia", DataType.DOUBLE, float("inf")),
        Metric("Ia", DataType.DOUBLE, 1e30), Metric("Ia", DataType.STRING, "5"),
        Metric("Ia", DataType.BOOLEAN, True),
        *(Metric("Ia", DataType.DOUBLE, 5.0, quality=code)
          for code in QualityCode if code is not QualityCode.GOOD),
    ],
)  # fmt: skip
def test_what_is_no_good_number_of_amperes_is_no_value(metric):
    _, (read,) = reader_of(message("DDATA", metric))

    assert read.phases == (0,)
    assert np.isnan(read.values[0])
    assert read.quality


def test_values_of_the_past_and_retained_messages_are_passed_over():
    past = Metric("Ia", DataType.DOUBLE, 5.0, NOW_MS - 3_600_000, is_historical=True)
    _, read = reader_of(
        message("DDATA", past), message("DDATA", Metric("Ia", None, 5.0), retained=True)
    )

    assert read == []


@pytest.mark.parametrize(("kind", "width"), [(DataType.INT16, 16), (DataType.INT32, 32)])
def test_a_negative_integer_of_data_has_the_type_of_its_birth(kind, width):
    reader, _ = reader_of(*born(kind=kind))

    (read,) = reader.take(message("DDATA", Metric("", None, -5 % 2**width, alias=0)))

    assert read.values[0] == -5


def test_a_node_may_have_the_metrics_itself():
    metrics = [Metric(name, DataType.DOUBLE, 1.0, alias=n) for n, name in enumerate(NAMES)]
    reader, read = reader_of(message("NBIRTH", *metrics, places=OF_NODE), places=OF_NODE)

    assert len(read) == 3
    assert set(reader.topics) == {f"spBv1.0/plant/{kind}/gw" for kind in KINDS if kind[0] == "N"}


def test_a_birth_without_our_names_says_so():
    reader, read = reader_of(message("DBIRTH", Metric("I1", DataType.DOUBLE, 1.0, alias=1)))

    assert read == []
    assert reader.why == "expected metric 'Ia', the birth has none of that name"


def test_a_death_whose_bytes_cannot_be_read_is_a_death_and_what_is_too_long_is_not_read():
    reader, _ = reader_of(*born())

    assert reader.take(message("DDATA", payload=bytes(LONGEST + 1))) == []
    assert "expected at most" in reader.why
    (read,) = reader.take(message("NDEATH", payload=b"\xff"))
    assert np.isnan(read.values).all()


METRICS = st.builds(
    Metric,
    st.sampled_from(["", *NAMES, "other", "bdSeq"]),
    st.none() | st.sampled_from(DataType),
    st.none() | st.integers(0, 2**31 - 1),
    st.none() | st.integers(0, 2**64 - 1),
    st.none() | st.sampled_from(QualityCode),
    st.none() | st.integers(0, 4),
    st.booleans(),
)
PAYLOADS = st.lists(METRICS, max_size=4).map(
    lambda metrics: encode(
        Payload(
            NOW_MS,
            tuple(m for m in metrics if m.kind not in {DataType.FLOAT, DataType.DOUBLE}),
        )
    )
)


@examples(200)
@given(st.lists(st.tuples(st.sampled_from(KINDS), PAYLOADS | st.binary(max_size=30),
                          st.booleans()), max_size=8))  # fmt: skip
def test_whatever_comes_in_whatever_order_is_finite_amperes_or_no_value(sent):
    reader = SparkplugCurrents(OF_DEVICE)
    for kind, payload, retained in sent:
        for read in reader.take(message(kind, payload=payload, retained=retained)):
            assert (np.isnan(read.values) | (np.abs(read.values) <= MAX_CURRENT_A)).all()
            assert read.has_value or read.quality
            told = set(np.flatnonzero(np.isfinite(read.values)).tolist())
            assert told <= set(read.phases)
        if kind.endswith("DEATH") and not retained and not reader.is_alive:
            assert reader.why
