import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_console.adapters.http.static_files import FOLDER
from meltwatch_console.domain.delta import HOP_MS, REPEATED_AFTER_MS, ScoreDelta
from meltwatch_console.domain.flags import BACK_FILL, NO_CURRENT, NO_VIDEO, UNSCORED, flags_of
from meltwatch_console.domain.limits import Agreement, agreement_of
from meltwatch_schemas.score import Modality, ScoreStatus, ScoreTimes
from meltwatch_schemas.window import NS_PER_S

from tests.support.builders import window_score
from tests.support.examples import examples

NOTES = st.tuples(
    st.integers(0, 3), st.none() | st.floats(-1e6, 1e6), st.integers(0, 15), st.booleans()
)


Page = dict[int, list[int | None]]


def take(page: Page, rows: bytes) -> None:
    """Follow the rows as the browser does."""
    for index, *seen in json.loads(rows or b"[]"):
        if len(seen) < len(("tenths", "flags", "end_ms")):
            seen.append(page[index][2] + HOP_MS)
        page[index] = seen


def opened(delta: ScoreDelta) -> Page:
    """Return what a browser knows that has just come."""
    rows = json.loads(delta.snapshot())
    return {index: [tenths, flags, end_ms] for index, end_ms, tenths, flags in rows}


@examples(60)
@given(st.lists(NOTES), st.integers(0, 40))
def test_who_follows_the_deltas_knows_what_a_snapshot_says(notes, comes_at):
    delta, page, late = ScoreDelta(), {}, None
    newest = {}
    for step, (index, score, flags, drains) in enumerate(notes):
        if step == comes_at:
            late = opened(delta)
        newest[index] = step * HOP_MS
        delta.note(index, score, flags, newest[index])
        if drains:
            rows = delta.drain()
            take(page, rows)
            if late is not None:
                take(late, rows)
            assert page == opened(delta)
            assert late in (None, page)
    take(page, delta.drain())
    assert page == opened(delta)
    for index, end_ms in newest.items():
        assert end_ms - page[index][2] < REPEATED_AFTER_MS + HOP_MS
    assert delta.drain() == b""


def test_a_window_right_after_the_one_told_needs_no_time():
    delta, told = ScoreDelta(), []
    for number, tenths in ((0, 1), (1, 2), (3, 3), (4, 4)):
        delta.note(0, tenths / 10, 0, number * HOP_MS)
        told += json.loads(delta.drain())
    assert told == [[0, 1, 0, 0], [0, 2, 0], [0, 3, 0, 3 * HOP_MS], [0, 4, 0]]


@pytest.mark.parametrize("told_each", [1, 2, 3])
def test_a_thousand_furnaces_stay_within_ten_kilobytes_a_second(told_each: int):
    """Each furnace looks different in each, or each second or third, of its windows."""
    delta, seconds, told_bytes = ScoreDelta(), 0, 0
    first_ms = 1_764_000_000_000
    windows = (
        (first_ms + number * HOP_MS + furnace * HOP_MS // 1_000, number, furnace)
        for number in range(30)
        for furnace in range(1_000)
    )
    for end_ms, number, furnace in windows:
        if end_ms - first_ms >= (seconds + 1) * 1_000:
            rows = delta.drain()
            seconds += 1
            told_bytes += len(f"id: 0123456789abcdef.{seconds}\nevent: scores\ndata: \n\n")
            told_bytes += len(rows) if seconds > 2 else 0
        delta.note(furnace, -10.1 - number // told_each % 2, 0, end_ms)
    assert 7_000 / told_each < told_bytes / (seconds - 2) < 10_000


def test_a_page_goes_on_by_the_same_hop():
    state = (FOLDER / "app/state.js").read_text()
    assert f"const HOP_MS = {HOP_MS:_};" in state


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
