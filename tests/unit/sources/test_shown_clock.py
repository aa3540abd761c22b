"""A clock that a camera is shown: drawn, read, and what its delay is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_schemas.window import NS_PER_MS, NS_PER_S
from meltwatch_sources.adapters.qr_code import code_lines, drawn_code, read_code
from meltwatch_sources.domain.shown_clock import LEAST, STEP_NS, ShownClock, shown_text

NOON_NS = 1_790_000_000 * NS_PER_S
USUAL_NS = 150 * NS_PER_MS


def picture_of(text: str, zoom: int, grey: int = 120) -> np.ndarray:
    """A picture of a hall, with a code in it."""
    dark = drawn_code(text).repeat(zoom, 0).repeat(zoom, 1)
    picture = np.full((360, 640, 3), grey, dtype=np.uint8)
    picture[20 : 20 + len(dark), 300 : 300 + len(dark)] = np.where(dark, 16, 235)[..., None]
    return picture


@given(st.integers(NOON_NS, NOON_NS + 10**18), st.sampled_from([2, 5, 10]))
def test_what_is_drawn_is_read(now_ns: int, zoom: int) -> None:
    assert read_code(picture_of(shown_text(now_ns), zoom)) == shown_text(now_ns)


def test_no_code_and_long_codes_are_nothing() -> None:
    assert read_code(np.full((360, 640, 3), 90, dtype=np.uint8)) is None
    assert read_code(picture_of("x" * 100, 4)) is None


def test_in_a_terminal_two_modules_stand_in_a_character() -> None:
    lines = code_lines(shown_text(NOON_NS)).split("\n")
    dark = drawn_code(shown_text(NOON_NS))
    assert {len(line) for line in lines} == {len(dark)}
    for row, line in enumerate(lines):
        upper = np.array([char in "▀█" for char in line])
        assert (upper == ~dark[2 * row]).all()


@given(
    st.integers(20, 2_000),
    st.integers(0, 2_000),
    st.lists(st.integers(0, 10 * NS_PER_S), min_size=LEAST, max_size=30),
)
def test_the_delay_is_found_whatever_was_taken_for_it(
    true_ms: int, counted_ms: int, moments_ns: list[int]
) -> None:
    shown = ShownClock(counted_ms * NS_PER_MS)
    for moment_ns in moments_ns:
        light_ns = NOON_NS + moment_ns
        arrival_ns = light_ns + true_ms * NS_PER_MS
        text = shown_text(light_ns - light_ns % STEP_NS)
        shown.take(text, arrival_ns - counted_ms * NS_PER_MS)
    assert shown.camera_delay_s is not None
    assert shown.camera_delay_s == pytest.approx(true_ms / 1000, abs=STEP_NS / NS_PER_S / 2 + 0.001)
    assert shown.spread_s is not None
    assert 0 <= shown.spread_s <= STEP_NS / NS_PER_S + 0.001


@given(st.lists(st.none() | st.text() | st.from_regex(r"MW[0-9]{0,20}"), max_size=20))
def test_what_is_no_clock_counts_for_nothing(texts: list[str | None]) -> None:
    shown = ShownClock(USUAL_NS)
    for text in texts:
        shown.take(text, NOON_NS)
    ours = sum(
        text is not None
        and len(text.strip("\n")) == 15 == len(text)
        and text[:2] == "MW"
        and text[2:].isascii()
        and text[2:].isdigit()
        for text in texts
    )
    assert shown.count == ours
    if ours < LEAST:
        assert shown.camera_delay_s is None
