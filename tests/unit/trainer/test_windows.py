import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_schemas.window import NS_PER_S
from meltwatch_trainer.data.windows import NEAR_NS, Split, window_ends

SPAN_NS = (1_000 * NS_PER_S, 5_000 * NS_PER_S)
FAULTS_NS = np.array([[1_200, 1_290], [3_000, 3_100]], dtype=np.int64) * NS_PER_S


def shares(anomalous: float, near: float, alike: float) -> Split:
    return Split("any", furnaces=2, windows=40, anomalous=anomalous, near=near, alike=alike)


def drawn(split: Split, alike_ns: np.ndarray, seed: int = 0) -> np.ndarray:
    return window_ends(np.random.default_rng(seed), split, SPAN_NS, FAULTS_NS, alike_ns)


@given(
    seed=st.integers(0, 1_000),
    parts=st.tuples(*[st.sampled_from([0.0, 0.1, 0.25, 0.3])] * 3),
    alike_s=st.lists(st.integers(1_000, 4_999), max_size=5),
)
def test_every_share_is_drawn_from_where_it_says(
    seed: int, parts: tuple[float, float, float], alike_s: list[int]
) -> None:
    split = shares(*parts)
    alike_ns = np.array(alike_s, dtype=np.int64) * NS_PER_S
    ends = drawn(split, alike_ns, seed)
    assert ends.shape == (split.windows,)
    counts = [round(split.windows * part) for part in parts]
    if not alike_s:
        counts[2] = 0
    inside, beside, alike, anywhere = np.split(ends, np.cumsum(counts))
    starts, stops = FAULTS_NS.T
    assert all(((starts <= end) & (end < stops)).any() for end in inside)
    for end in beside:
        before, after = starts - end, end - stops
        assert (((before >= 0) & (before < NEAR_NS)) | ((after >= 0) & (after < NEAR_NS))).any()
    assert set(alike) <= set(alike_ns)
    assert all(SPAN_NS[0] <= end < SPAN_NS[1] for end in anywhere)


@pytest.mark.parametrize("glows", [True, False])
def test_what_cannot_be_drawn_from_look_alikes_ends_anywhere(glows: bool) -> None:
    alike_ns = np.array([1_100], dtype=np.int64) * NS_PER_S if glows else np.empty(0, np.int64)
    ends = drawn(shares(0.0, 0.0, 0.5), alike_ns)
    assert np.sum(ends == 1_100 * NS_PER_S) == (20 if glows else 0)
