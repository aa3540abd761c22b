"""The rules of the skew as docs/clocks.md tells them, number by number.

The oracle is written once more from that page, plainly: no sum over columns, no transform. What
noise allows, and what real signals do, stands in ``test_skew``.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_core.join import synchrony
from meltwatch_core.join.quality import FeatureExtractor
from meltwatch_core.join.synchrony import (
    SignalTrace,
    SkewLevel,
    SkewWatch,
    Synchrony,
    cross_correlation,
    level_of,
)
from meltwatch_core.join.window import Outcome
from meltwatch_schemas.current import CurrentChunk
from meltwatch_schemas.embedding import EmbeddingChunk
from meltwatch_schemas.encoder import default_encoder
from meltwatch_schemas.score import Modality
from numpy.typing import NDArray
from structlog.testing import capture_logs

from tests.support.builders import current_chunk, embedding_chunk
from tests.support.examples import examples

Floats = NDArray[np.float64]
Signal = tuple[Sequence[float], Sequence[float]]
NOW_S = 10_000.0
BEGIN_S = NOW_S - 600
NS = 10**9
MINUTE_NS = 60 * NS
ABOVE, BELOW = math.inf, -math.inf


def traced(signal: Signal) -> SignalTrace:
    """Return the trace of events at seconds behind the beginning of the span."""
    trace = SignalTrace()
    for time_s, value in zip(*signal, strict=True):
        trace.add_value(round((BEGIN_S + time_s) * NS), value)
    return trace


def found(video: Signal, current: Signal) -> Floats | None:
    return cross_correlation(traced(video), traced(current), round(NOW_S * NS))


def mean_around(values: Floats, width: int) -> Floats:
    """Mean of so many points around each; beyond the ends stands the last one."""
    places = np.arange(values.size)[:, None] + np.arange(width) - width // 2
    means: Floats = values[np.clip(places, 0, values.size - 1)].mean(axis=1)
    return means


def changes(signal: Signal) -> Floats | None:
    """What is left of a signal: 0.1 s grid, nothing faster than 0.5 s, nothing slower than 8 s."""
    times_s, values = np.array(signal[0]), np.array(signal[1])
    grid_s = np.arange(6000) / 10
    covered = np.array(
        [
            (before := times_s[times_s < point_s]).size > 0
            and (after := times_s[times_s >= point_s]).size > 0
            and after[0] - before[-1] <= 2.2
            for point_s in grid_s
        ]
    )
    if covered.sum() < 4800:
        return None
    smooth = mean_around(np.interp(grid_s, times_s, values), 5)
    band = smooth - mean_around(smooth, 80)
    limit = 4 * 1.4826 * float(np.median(np.abs(band[covered])))
    limited = np.minimum(np.maximum(band, -limit), limit)
    limited -= limited[covered].mean()
    limited[~covered] = 0
    left: Floats = limited / math.sqrt((limited**2).sum())
    return left


def expected(video: Signal, current: Signal) -> Floats | None:
    light, load = changes(video), changes(current)
    if light is None or load is None:
        return None
    apart = np.concatenate([np.zeros(50), light, np.zeros(50)])
    return np.array([apart[50 + lag : 6050 + lag] @ load for lag in range(-50, 51)])


def signal(seed: int, period_s: float, *, flares: int = 0, hole_s: float = 0.0) -> Signal:
    """A wandering signal with white noise, some flares, and a hole from the 200th second on."""
    rng = np.random.default_rng(seed)
    times_s = np.round(np.arange(rng.uniform(0, period_s), 600, period_s), 9)
    values = np.cumsum(rng.standard_normal(times_s.size)) + rng.standard_normal(times_s.size)
    values[rng.integers(0, times_s.size, flares)] += 60
    there = (times_s < 200) | (times_s > 200 + hole_s)
    return times_s[there].tolist(), values[there].tolist()


@examples(10)
@given(
    seed=st.integers(0, 2**32 - 1),
    frame_s=st.sampled_from([0.3, 0.72, 2.1]),
    flares=st.sampled_from([0, 20]),
    hole_s=st.sampled_from([0.0, 1.8, 2.6, 60.0]),
)
def test_the_correlation_is_that_of_the_page(
    seed: int, frame_s: float, flares: int, hole_s: float
) -> None:
    video = signal(seed, frame_s, flares=flares)
    current = signal(seed + 1, 0.5, flares=flares, hole_s=hole_s)
    known = expected(video, current)
    assert known is not None
    np.testing.assert_allclose(found(video, current), known, atol=1e-9)


@pytest.mark.parametrize(("last_s", "is_told"), [(480.1, True), (480.0, True), (479.9, False)])
def test_eight_tenths_of_the_span_must_be_covered(last_s: float, is_told: bool) -> None:
    """The point at which the first event stands has none before it, and is not covered."""
    rng = np.random.default_rng(1)
    times_s = [*np.round(np.arange(0, last_s - 0.3, 0.5), 1).tolist(), last_s]
    half: Signal = times_s, rng.standard_normal(len(times_s)).tolist()
    whole = signal(2, 0.5)
    assert (changes(half) is not None) == is_told
    for correlation in (found(half, whole), found(whole, half)):
        assert (correlation is not None) == is_told


def test_a_hole_of_two_and_a_fifth_seconds_is_bridged() -> None:
    rest = np.round(np.arange(2.2, 600, 0.5), 1).tolist()
    video: Signal = [0.0, *rest], np.random.default_rng(3).standard_normal(len(rest) + 1).tolist()
    current = signal(4, 0.5)
    np.testing.assert_allclose(found(video, current), expected(video, current), atol=1e-9)


def test_a_change_that_is_a_millionth_of_the_level_is_no_signal() -> None:
    times_s, values = signal(5, 0.5)
    video = signal(6, 0.72)
    band = np.array(values) / np.abs(values).max()
    for share, is_told in ((3e-7, False), (3e-5, True)):
        assert (found(video, (times_s, (1 + share * band).tolist())) is not None) == is_told


def correlation_of(tops: dict[int, float]) -> Floats:
    """Return a correlation of 101 places with summits, each with both its sides at a half."""
    values = np.full(101, -0.5)
    for place, height in tops.items():
        values[place] = height
    return values


@pytest.mark.parametrize(
    ("tops", "place"),
    [
        ({60: 0.9}, 60.0),
        ({1: 0.9}, 1.0),
        ({99: 0.9}, 99.0),
        ({0: 0.9}, None),
        ({100: 0.9}, None),
        ({60: 0.3}, None),
        ({60: np.nextafter(0.3, ABOVE)}, 60.0),
        ({60: 0.5, 30: 0.8 * 0.5}, None),
        ({60: 0.5, 30: np.nextafter(0.8 * 0.5, BELOW)}, 60.0),
        ({60: 0.5, 0: 0.45}, None),
        ({60: 0.5, 100: 0.45}, None),
        # What rises towards the top is no second one.
        ({58: 0.7, 59: 0.8, 60: 0.9, 61: 0.8, 62: 0.7}, 60.0),
        ({59: 0.5, 60: 0.9, 61: 0.8}, 60.3),
        ({59: 0.8, 60: 0.9, 61: 0.5}, 59.7),
    ],
)
def test_one_top_stands_out_between_grid_points_by_a_parabola(
    tops: dict[int, float], place: float | None
) -> None:
    assert synchrony._outstanding_peak(correlation_of(tops)) == pytest.approx(place, abs=1e-12)


def test_a_trace_keeps_four_means_a_second_of_ten_minutes() -> None:
    trace = SignalTrace()
    for number in range(2 * 2401):
        trace.add_value(number * NS // 4, float(number))
    times_s, values = trace.since(0)
    assert (times_s.size, values[0], values[-1]) == (2401, 2401.0, 4801.0)

    trace = SignalTrace()
    for time_ns in (0, 249_999_999, 250_000_000, 499_999_999):
        trace.add_value(time_ns, float(time_ns >= 250_000_000))
    # An earlier cell is over.
    trace.add_value(249_999_999, 7.0)
    assert trace.since(0)[1].tolist() == [0.0, 1.0]
    assert trace.since(375_000_000)[1].size == 0
    assert trace.since(374_999_999)[1].tolist() == [1.0]


def test_an_event_at_the_beginning_of_the_span_counts() -> None:
    trace = SignalTrace()
    trace.add_value(5, 1.0)
    assert trace.since(5)[0].tolist() == [0.0]


def scripted(monkeypatch: pytest.MonkeyPatch, lags_s: dict[int, float | None]) -> list[int]:
    """Let estimates tell what stands for each minute; return the minutes that were asked for."""
    asked: list[int] = []

    def estimate(video: SignalTrace, current: SignalTrace, now_ns: int) -> float | None:
        asked.append(now_ns // NS)
        return lags_s.get(now_ns // MINUTE_NS)

    monkeypatch.setattr(synchrony, "estimate_skew", estimate)
    return asked


def seconds_of(furnace: Synchrony, until_s: int) -> dict[int, float | None]:
    """Let a signal run; return the skew at each second at which it became another one."""
    skews_s: dict[int, float | None] = {0: None}
    for second in range(until_s + 1):
        furnace.note(Modality.VIDEO, second * NS, 0.0)
        # A modality that is behind the other does not turn the time back.
        furnace.note(Modality.CURRENT, max(0, second - 30) * NS, 0.0)
        furnace.update()
        if furnace.skew_s != list(skews_s.values())[-1]:
            skews_s[second] = furnace.skew_s
    return skews_s


def test_an_estimate_is_made_each_minute_and_holds_for_ten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = scripted(monkeypatch, {1: 0.5, 3: 0.75})
    skews_s = seconds_of(Synchrony(0.25), 840)
    assert asked == list(range(60, 841, 60))
    assert skews_s == {0: None, 60: 0.25, 180: 0.5, 780: None}


def test_levels_begin_and_end_at_the_limits_of_the_page() -> None:
    for on_s, off_s, level in ((0.25, 0.20, SkewLevel.ALARM), (0.10, 0.08, SkewLevel.WARNING)):
        lower = SkewLevel(level - 1)
        assert level_of(on_s, lower) is level
        assert level_of(np.nextafter(on_s, BELOW), lower) is lower
        assert level_of(off_s, level) is level
        assert level_of(np.nextafter(off_s, BELOW), level) is lower


FURNACE = "melt/F"
GREYS_OF = FeatureExtractor(default_encoder().basis).greys


def frame_at(second: int) -> EmbeddingChunk:
    chunk = embedding_chunk([second * NS])
    return replace(chunk, identity=replace(chunk.identity, furnace_id=FURNACE))


def sample_at(second: int, amperes: Sequence[float] = (1.0, 1.0, 1.0)) -> CurrentChunk:
    chunk = current_chunk(second * NS, [amperes])
    return replace(chunk, identity=replace(chunk.identity, furnace_id=FURNACE))


def test_a_warning_is_told_and_no_word_and_its_end_is_told_as_news(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scripted(monkeypatch, {2: 0.0, 3: 0.12345, 4: -0.3, 5: 0.0, 6: 0.0})
    watch, words = SkewWatch({}), []
    with capture_logs() as lines:
        for second in range(60, 420, 30):
            watch.take(frame_at(second), Outcome(), GREYS_OF)
            watch.take(sample_at(second), Outcome(), GREYS_OF)
            words.append(bool(watch.reasons(FURNACE)))
    assert words == [False] * 6 + [True] * 2 + [False] * 4
    told = [(line["log_level"], line["skew_level"], line["skew_s"]) for line in lines]
    assert told == [
        ("warning", "warning", 0.123),
        ("warning", "alarm", -0.3),
        ("info", "fine", 0.0),
    ]


def test_what_the_currents_say_is_the_sum_of_their_magnitudes_where_all_are_known() -> None:
    watch = SkewWatch({})
    watch.take(frame_at(1), Outcome(), GREYS_OF)
    for second, amperes in ((1, (1.0, -2.0, 4.0)), (2, (1.0, math.nan, 1.0)), (3, (-1.0, 0, 0))):
        watch.take(sample_at(second, amperes), Outcome(), GREYS_OF)
    times_s, values = watch._furnaces[FURNACE]._traces[Modality.CURRENT].since(0)
    assert (times_s.tolist(), values.tolist()) == ([1.0, 3.0], [7.0, 1.0])


def test_a_furnace_that_is_retired_before_its_meter_spoke_begins_anew() -> None:
    watch = SkewWatch({})
    watch.take(frame_at(1), Outcome(), GREYS_OF)
    watch.forget([FURNACE])
    watch.take(sample_at(200), Outcome(), GREYS_OF)
    assert watch.size_bytes == 0
    watch.take(frame_at(201), Outcome(), GREYS_OF)
    assert watch.size_bytes > 0
