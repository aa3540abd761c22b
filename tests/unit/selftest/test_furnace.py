import numpy as np
from meltwatch_schemas.embedding import EmbeddingChunk
from meltwatch_schemas.encoder import default_encoder
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC
from meltwatch_selftest.domain.furnace import SyntheticFurnace

from tests.support.builders import NOON_NS

FURNACE = "selftest/0badcafe/F-1"


def furnace() -> SyntheticFurnace:
    return SyntheticFurnace(FURNACE, "0123456789abcdef", NOON_NS)


def contents(chunks):
    return [(c.identity, c.last_event_ns, c.data.tobytes()) for c in chunks]


def frames(chunks):
    return np.concatenate([c.data for c in chunks if isinstance(c, EmbeddingChunk)])


def red(chunks) -> np.ndarray:
    return default_encoder().decode(frames(chunks))[..., 0].astype(int)


def test_the_history_fills_the_first_live_window():
    chunks = furnace().due(NOON_NS)
    frame_times = [c.last_event_ns for c in chunks if isinstance(c, EmbeddingChunk)]
    sample_times = [t for c in chunks if hasattr(c, "period_ns") for t in c.event_times_ns]

    end_ns = PUBLISHED_SPEC.first_end_after(FURNACE, NOON_NS - PUBLISHED_SPEC.hop_ns)
    slots = [end_ns - i * PUBLISHED_SPEC.frame_stride_ns for i in range(PUBLISHED_SPEC.clip_frames)]
    assert set(slots) <= set(frame_times)
    points = PUBLISHED_SPEC.lookback_ns // PUBLISHED_SPEC.sample_period_ns
    assert len([t for t in sample_times if t > end_ns - PUBLISHED_SPEC.lookback_ns]) >= points - 2


def test_chunks_are_the_same_however_often_one_asks():
    whole, pieces = furnace(), furnace()
    end_ns = NOON_NS + 5 * NS_PER_S

    found = []
    while pieces.position_ns < end_ns:
        found += pieces.due(min(end_ns, pieces.position_ns + 1_700_000_001))

    assert contents(found) == contents(whole.due(end_ns))
    assert [c.last_event_ns for c in found] == sorted(c.last_event_ns for c in found)


def test_a_furnace_that_overheats_glows_and_stops_when_it_calms_down():
    hot, calm = furnace(), furnace()
    hot.due(NOON_NS)
    calm.due(NOON_NS)
    hot.overheat(NOON_NS)
    until_ns = NOON_NS + 20 * NS_PER_S
    glow = red(hot.due(until_ns)) - red(calm.due(until_ns))

    assert glow[0].max() < 10
    assert glow[-1].max() > 60

    hot.calm_down()
    until_ns += 10 * NS_PER_S
    assert contents(hot.due(until_ns)) == contents(calm.due(until_ns))


def test_its_looks_depend_neither_on_its_name_nor_on_the_hour():
    later = SyntheticFurnace("selftest/1/F-1", "0" * 16, NOON_NS + 7 * PUBLISHED_SPEC.hop_ns)
    step_ns = PUBLISHED_SPEC.frame_stride_ns
    shift_ns = (
        PUBLISHED_SPEC.phase_ns(later.furnace_id) - PUBLISHED_SPEC.phase_ns(FURNACE)
    ) % step_ns
    one = furnace()
    one.started_ns, later.started_ns = NOON_NS, NOON_NS + 7 * PUBLISHED_SPEC.hop_ns + shift_ns
    one.calm_down()
    later.calm_down()

    assert frames(one.due(NOON_NS)).tobytes() == frames(later.due(later.started_ns)).tobytes()
