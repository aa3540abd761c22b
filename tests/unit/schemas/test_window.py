import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_schemas.window import PUBLISHED_SPEC, Grid, WindowSpec

FURNACES = st.from_regex(r"[A-Za-z0-9._-]{1,20}(/[A-Za-z0-9._-]{1,20})?", fullmatch=True)
TIMES = st.integers(0, 2**62)
GRIDS = st.integers(10**7, 10**10).flatmap(
    lambda step: st.builds(Grid, st.integers(0, step - 1), st.just(step))
)


def sha256(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def test_the_spec_id_is_that_of_the_contract() -> None:
    text = (
        '{"clip_frames":10,"frame_stride_ns":720000000,"hop_ns":1440000000,'
        '"lookback_samples":240,"sample_period_ns":500000000}'
    )

    assert PUBLISHED_SPEC.spec_id == sha256(text).hex()[:12]


def test_the_published_window_reaches_7_2_s_and_120_s_into_the_past() -> None:
    assert PUBLISHED_SPEC.clip_span_ns == 7_200_000_000
    assert PUBLISHED_SPEC.lookback_ns == 120_000_000_000


def test_a_hop_that_is_no_multiple_of_the_stride_is_refused() -> None:
    with pytest.raises(ValueError, match="multiple of frame_stride_ns, got 1000 and 720000000"):
        WindowSpec(hop_ns=1000)


@given(FURNACES)
def test_the_phase_is_hashed_from_the_furnace_id(furnace_id: str) -> None:
    expected = int.from_bytes(sha256(furnace_id)[:8], "big") % 1_440_000_000

    assert PUBLISHED_SPEC.phase_ns(furnace_id) == expected
    assert PUBLISHED_SPEC.window_end_ns(furnace_id, 1000) == expected + 1_440_000_000_000


@given(FURNACES, TIMES)
def test_the_window_id_hashes_furnace_end_and_spec(furnace_id: str, end_ns: int) -> None:
    text = f"{furnace_id}|{end_ns}|{PUBLISHED_SPEC.spec_id}"

    assert PUBLISHED_SPEC.window_id(furnace_id, end_ns) == sha256(text).hex()[:32]


@given(FURNACES, TIMES)
def test_the_first_end_after_a_time_is_the_next_window_end(furnace_id: str, time_ns: int) -> None:
    end_ns = PUBLISHED_SPEC.first_end_after(furnace_id, time_ns)

    assert 0 < end_ns - time_ns <= PUBLISHED_SPEC.hop_ns
    assert (end_ns - PUBLISHED_SPEC.phase_ns(furnace_id)) % PUBLISHED_SPEC.hop_ns == 0


@given(FURNACES, TIMES)
def test_window_ends_are_among_the_instants_of_frames(furnace_id: str, time_ns: int) -> None:
    end_ns = PUBLISHED_SPEC.first_end_after(furnace_id, time_ns)
    slots = [end_ns - i * PUBLISHED_SPEC.frame_stride_ns for i in range(10)]
    instants = PUBLISHED_SPEC.frame_instants(furnace_id).between(
        end_ns - PUBLISHED_SPEC.clip_span_ns, end_ns
    )

    assert list(instants) == sorted(slots)


@given(GRIDS, TIMES)
def test_the_first_instant_after_a_time_is_strictly_later_and_on_the_grid(
    grid: Grid, time_ns: int
) -> None:
    instant = grid.first_after(time_ns)

    assert time_ns < instant <= time_ns + grid.step_ns
    assert (instant - grid.phase_ns) % grid.step_ns == 0


@given(GRIDS, TIMES, st.integers(0, 10**11), st.integers(0, 10**11))
def test_successive_spans_hold_each_instant_once(
    grid: Grid, start_ns: int, first_ns: int, second_ns: int
) -> None:
    middle_ns, end_ns = start_ns + first_ns, start_ns + first_ns + second_ns
    parts = [*grid.between(start_ns, middle_ns), *grid.between(middle_ns, end_ns)]

    assert parts == list(grid.between(start_ns, end_ns))
