from dataclasses import fields, replace
from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from meltwatch_schemas.bounds import MAX_LOGIT, MAX_SURPRISE
from meltwatch_schemas.errors import ContractViolation, Refusal
from meltwatch_schemas.novelty import (
    UNUSUAL_BITS,
    FollowedLevels,
    Novelty,
    novelty_message,
)
from meltwatch_schemas.record import read_score
from meltwatch_schemas.score import (
    Cut,
    Features,
    Modality,
    ScoreStatus,
    ScoreTimes,
    Sources,
    SourceState,
    WindowScore,
    decode_score,
    encode_score,
)
from meltwatch_schemas.score_topics import GapCause, HistoryGap, NewestFrame
from meltwatch_schemas.text import is_printable

from tests.support.builders import NOON_NS, novelty, raw_record, window_score

NUMBERS = st.floats(-MAX_LOGIT, MAX_LOGIT)
TRIPLES = st.none() | st.tuples(NUMBERS, NUMBERS, NUMBERS)
TIMES = st.integers(0, 2**63 - 1)
OFFSETS = st.none() | st.integers(0, 2**62)
STATES = st.builds(
    SourceState,
    proven=st.booleans(),
    boot_id=st.from_regex(r"[0-9a-f]{16}", fullmatch=True),
    seq=TIMES,
    event_ns=TIMES,
    ingest_ns=TIMES,
    standing_since_ns=TIMES,
    stepped_from_ns=st.none() | TIMES,
    begun_ns=st.none() | TIMES,
)
LETTERS = st.characters(exclude_categories=("C", "Z"), include_characters=" ")
NAMES = st.text(LETTERS, min_size=1, max_size=30).filter(is_printable)
SOURCES = st.none() | NAMES
GAPS = st.builds(HistoryGap, st.sampled_from(GapCause) | NAMES, st.none() | st.integers(0, 2**62))


def followed(places: int) -> st.SearchStrategy[FollowedLevels | None]:
    levels = arrays(np.float16, places, elements=st.floats(-50, 50, width=16))
    return st.none() | st.builds(FollowedLevels, TIMES, levels)


SURPRISES = st.none() | st.floats(0, MAX_SURPRISE)
NOVELTIES = st.builds(
    Novelty,
    portrait=st.from_regex(r"[0-9a-f]{64}", fullmatch=True),
    video=SURPRISES,
    current=SURPRISES,
    peak=st.none() | st.tuples(st.integers(0, 7), st.integers(0, 7)),
    followed_video=followed(64),
    followed_current=followed(1),
    unusual=st.integers(0, 2**UNUSUAL_BITS - 1),
)


@st.composite
def scores(draw: st.DrawFn) -> WindowScore:
    unscored = draw(st.booleans())
    score = window_score(logit=None if unscored else draw(NUMBERS.map(lambda x: x % 700)))
    if not unscored:
        members = tuple(draw(st.lists(NUMBERS, min_size=1, max_size=5)))
        picture = draw(st.none() | arrays(np.uint8, (64, 64), fill=st.integers(0, 255)))
        status = draw(st.sampled_from([ScoreStatus.SCORED, ScoreStatus.DEGRADED]))
        score = replace(score, member_logits=members, anomaly_map=picture, status=status)
    return replace(
        score,
        modalities=tuple(draw(st.lists(st.sampled_from(Modality), unique=True))),
        features=Features(*draw(st.tuples(TRIPLES, TRIPLES, *[st.none() | NUMBERS] * 3))),
        times=ScoreTimes(*draw(st.tuples(TIMES, TIMES, TIMES, st.none() | TIMES, TIMES))),
        sources=Sources(*draw(st.tuples(SOURCES, SOURCES))),
        encoder_id=draw(SOURCES),
        reasons=tuple(draw(st.lists(NAMES, max_size=3))),
        inputs=draw(
            st.dictionaries(NAMES, st.builds(Cut, st.integers(0, 99), OFFSETS, OFFSETS), max_size=8)
        ),
        source_states=draw(st.dictionaries(st.sampled_from(Modality), STATES)),
        unregistered=draw(st.booleans()),
        run_id=draw(SOURCES),
        topic_ids=draw(st.dictionaries(NAMES, NAMES, max_size=8)),
        gaps=draw(st.dictionaries(NAMES, GAPS, max_size=8)),
        frames=tuple(draw(st.lists(st.builds(NewestFrame, TIMES, TIMES), max_size=4))),
        novelty=draw(st.none() | NOVELTIES),
    )


def wire(score: WindowScore) -> dict[str, Any]:
    return dict(msgpack.unpackb(encode_score(score)))


def refusal_of(**changes: Any) -> Refusal:
    with pytest.raises(ContractViolation) as refusal:
        decode_score(msgpack.packb(wire(window_score()) | changes))
    return refusal.value.reason


def novelty_of(score: WindowScore) -> dict[str, Any] | None:
    return None if score.novelty is None else novelty_message(score.novelty)


@given(scores())
def test_a_score_comes_back_as_it_was_sent(score: WindowScore) -> None:
    back = decode_score(encode_score(score))

    for field in fields(WindowScore):
        if field.name not in ("anomaly_map", "novelty"):
            assert getattr(back, field.name) == getattr(score, field.name), field.name
    assert novelty_of(back) == novelty_of(score)
    np.testing.assert_array_equal(back.anomaly_map, score.anomaly_map)


def test_the_wire_has_the_fields_of_the_contract() -> None:
    message = wire(window_score())

    assert message.keys() == {
        "furnace_id", "window_end_ns", "window_id", "spec_id", "status", "modalities",
        "video_coverage", "current_coverage", "logit", "probability", "member_logits",
        "disagreement", "anomaly_map", "features", "model", "encoder_id", "sources", "reasons",
        "times", "inputs",
    }  # fmt: skip
    assert message["features"].keys() == {
        "current_mean_a", "current_std_a", "imbalance", "video_mean", "video_motion",
    }  # fmt: skip
    assert message["model"].keys() == {"name", "version", "digest"}
    assert message["sources"].keys() == {"video", "current"}
    assert message["times"].keys() == {
        "last_event_ns", "last_ingest_ns", "joined_ns", "scored_ns", "published_ns",
    }  # fmt: skip
    assert message["inputs"]["meltwatch.embeddings.v1"] == [3, 100, 110]


def test_optional_fields_are_absent_unless_they_say_something() -> None:
    assert wire(window_score(unregistered=True, run_id="r1")).keys() - wire(window_score()) == {
        "unregistered",
        "run_id",
    }


def test_an_unscored_window_has_no_verdict() -> None:
    message = wire(window_score(logit=None))

    assert message["status"] == "unscored"
    for name in ("logit", "probability", "member_logits", "disagreement", "anomaly_map"):
        assert message[name] is None


@pytest.mark.parametrize("verdict", ["logit", "probability", "member_logits", "disagreement"])
def test_a_scored_window_without_a_part_of_its_verdict_is_refused(verdict: str) -> None:
    assert refusal_of(**{verdict: None}) is Refusal.CONTRACT_VIOLATION


def test_an_unscored_window_with_a_logit_is_refused() -> None:
    assert refusal_of(status="unscored") is Refusal.CONTRACT_VIOLATION


@pytest.mark.parametrize(
    ("name", "value"),
    [("logit", np.nan), ("probability", np.inf), ("member_logits", [0.0, -np.inf])],
)
def test_a_verdict_that_is_not_finite_is_refused(name: str, value: object) -> None:
    assert refusal_of(**{name: value}) is Refusal.NON_FINITE
    assert refusal_of(**{name: value}, anomaly_map=b"1") is Refusal.CONTRACT_VIOLATION


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("status", "guessed"),
        ("modalities", ["video", "sound"]),
        ("anomaly_map", bytes(4095)),
        ("window_end_ns", -1),
        ("furnace_id", "a//b"),
        ("frames", [[-1, 5]]),
        ("frames", [[5, -1]]),
        ("frames", [[5, 2**63]]),
        ("frames", [[2**63, 5]]),
        ("frames", [[5, 5]] * 17),
    ],
)
def test_a_value_against_the_contract_is_refused(name: str, value: object) -> None:
    assert refusal_of(**{name: value}) is Refusal.CONTRACT_VIOLATION
    assert refusal_of(**{name: value}, unregistered=5) is Refusal.MALFORMED


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("status", 5),
        ("modalities", "video"),
        ("modalities", [5]),
        ("reasons", None),
        ("logit", "3"),
        ("logit", True),
        ("member_logits", [None]),
        ("anomaly_map", "text"),
        ("features", []),
        ("features", {"imbalance": "0"}),
        ("model", {"name": "fmformer"}),
        ("times", {}),
        ("inputs", None),
        ("inputs", {"t": [0, 1]}),
        ("inputs", {"t": [None, 1, 2]}),
        ("inputs", {"t": [0, 1.0, 2]}),
        ("inputs", {"t": [0, 1, False]}),
        ("inputs", {"t": {}}),
        ("topic_ids", {"t": 5}),
        ("gaps", {"t": []}),
        ("gaps", {"t": ["moved"]}),
        ("gaps", {"t": [5, None]}),
        ("gaps", {"t": ["moved", True]}),
        ("gaps", {"t": ["moved", 1.0]}),
        ("gaps", {"t": ["moved", 1, 2]}),
        ("frames", {"t": [1, 2]}),
        ("frames", [1, 2]),
        ("frames", [[1]]),
        ("frames", [[1, 2, 3]]),
        ("frames", [[1, 2.0]]),
        ("frames", [[True, 2]]),
        ("frames", [[1, None]]),
    ],
)
def test_a_wrong_type_is_malformed(name: str, value: object) -> None:
    assert refusal_of(**{name: value}) is Refusal.MALFORMED


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"portrait": 5}, Refusal.MALFORMED),
        ({"portrait": None}, Refusal.MALFORMED),
        ({"portrait": "A" * 64}, Refusal.CONTRACT_VIOLATION),
        ({"portrait": "a" * 63}, Refusal.CONTRACT_VIOLATION),
        ({"video": "1"}, Refusal.MALFORMED),
        ({"video": True}, Refusal.MALFORMED),
        ({"video": np.nan}, Refusal.NON_FINITE),
        ({"current": np.inf}, Refusal.NON_FINITE),
        ({"video": -0.5}, Refusal.CONTRACT_VIOLATION),
        ({"current": 12.5}, Refusal.CONTRACT_VIOLATION),
        ({"peak": [1]}, Refusal.MALFORMED),
        ({"peak": [True, 1]}, Refusal.MALFORMED),
        ({"peak": [0.0, 1]}, Refusal.MALFORMED),
        ({"peak": [-1, 1]}, Refusal.CONTRACT_VIOLATION),
        ({"peak": [0, 8]}, Refusal.CONTRACT_VIOLATION),
        ({"followed": None}, Refusal.MALFORMED),
        ({"followed": {"video": 1}}, Refusal.MALFORMED),
        ({"followed": {"video": {"judged_ns": 1}}}, Refusal.MALFORMED),
        ({"followed": {"video": {"judged_ns": 1.0, "levels": bytes(128)}}}, Refusal.MALFORMED),
        ({"followed": {"video": {"judged_ns": 1, "levels": bytes(2)}}}, Refusal.CONTRACT_VIOLATION),
        ({"followed": {"current": {"judged_ns": -1, "levels": bytes(2)}}},
         Refusal.CONTRACT_VIOLATION),
        ({"followed": {"current": {"judged_ns": 1, "levels": b"\x00\x7c"}}}, Refusal.NON_FINITE),
        ({"unusual": 5}, Refusal.MALFORMED),
        ({"unusual": bytes(11) + b"\x02"}, Refusal.CONTRACT_VIOLATION),
    ],
)  # fmt: skip
def test_a_wrong_novelty_is_refused(changes: dict[str, Any], reason: Refusal) -> None:
    assert refusal_of(novelty=novelty_message(novelty()) | changes) is reason


def test_a_whole_number_is_a_number() -> None:
    back = decode_score(msgpack.packb(wire(window_score()) | {"logit": 3}))

    assert back.logit == 3.0


def test_a_score_under_the_key_of_another_furnace_is_refused() -> None:
    with pytest.raises(ContractViolation, match="key: expected the furnace_id") as refusal:
        read_score(raw_record(encode_score(window_score()), "score/1.0", key=b"a/b"))

    assert refusal.value.reason is Refusal.CONTRACT_VIOLATION


def test_a_score_record_is_read() -> None:
    score = read_score(raw_record(encode_score(window_score()), "score/1.7"))

    assert score.window_end_ns > NOON_NS
