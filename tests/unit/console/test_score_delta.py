import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_console.domain.delta import REPEATED_AFTER_MS, ScoreDelta
from meltwatch_console.domain.flags import BACK_FILL, NO_CURRENT, NO_VIDEO, UNSCORED, flags_of
from meltwatch_console.domain.limits import Agreement, agreement_of
from meltwatch_schemas.score import Modality, ScoreStatus, ScoreTimes
from meltwatch_schemas.window import NS_PER_S

from tests.support.builders import window_score
from tests.support.examples import examples

NOTES = st.tuples(
    st.integers(0, 3), st.none() | st.floats(-1e6, 1e6), st.integers(0, 15), st.booleans()
)


@examples(60)
@given(st.lists(NOTES))
def test_who_follows_the_deltas_knows_what_a_snapshot_says(notes):
    delta, page = ScoreDelta(), {}
    for step, (index, score, flags, drains) in enumerate(notes):
        delta.note(index, score, flags, step * 1_440)
        if drains:
            page |= {row[0]: row[1:] for row in json.loads(delta.drain() or b"[]")}
    page |= {row[0]: row[1:] for row in json.loads(delta.drain() or b"[]")}
    for index, end_ms, tenths, flags in json.loads(delta.snapshot()):
        assert page[index][:2] == [tenths, flags]
        assert end_ms - page[index][2] < REPEATED_AFTER_MS + 1_440
    assert delta.drain() == b""


def test_a_furnace_that_looks_the_same_is_told_every_five_seconds():
    delta, told = ScoreDelta(), []
    for step in range(20):
        delta.note(0, -3.01, 0, step * 1_000)
        told += json.loads(delta.drain() or b"[]")
    assert [row[3] for row in told] == [0, 5_000, 10_000, 15_000]


def test_an_older_window_says_nothing():
    delta = ScoreDelta()
    delta.note(0, 9.7, 0, 2_000)
    delta.note(0, -3.0, 0, 1_000)
    assert json.loads(delta.drain()) == [[0, 97, 0, 2_000]]


def test_a_score_beyond_all_eyes_is_a_number_of_json():
    delta = ScoreDelta()
    delta.note(0, 1e6, 0, 1)
    assert json.loads(delta.drain()) == [[0, 9_999, 0, 1]]


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ((2.9, 3.0), Agreement.ALL_ABOVE),
        ((2.8, -1.0), Agreement.ALL_BELOW),
        ((2.9, 2.89), Agreement.SPLIT),
        ((), Agreement.UNKNOWN),
        (None, Agreement.UNKNOWN),
    ],
)
def test_agreement_is_about_the_limit(members, said: Agreement):
    assert agreement_of(members, 2.9) is said


def test_flags_say_what_a_number_does_not():
    assert flags_of(window_score()) == 0
    blind = window_score(status=ScoreStatus.DEGRADED, modalities=(Modality.CURRENT,))
    assert flags_of(blind) == NO_VIDEO
    assert flags_of(window_score(logit=None, modalities=())) == NO_VIDEO | NO_CURRENT | UNSCORED
    end_ns = window_score().window_end_ns
    late = end_ns + 15 * NS_PER_S
    for published_ns, said in ((late, 0), (late + 1, BACK_FILL)):
        times = ScoreTimes(end_ns, end_ns, end_ns, end_ns, published_ns)
        assert flags_of(window_score(times=times)) == said
