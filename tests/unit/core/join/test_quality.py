"""What is wrong with pictures, currents and clocks, and what is not."""

from collections.abc import Callable, Iterable

import numpy as np
import pytest
from meltwatch_core.join.frames import Clip, HeldFrame
from meltwatch_core.join.quality import FeatureExtractor, QualityCheck, SourceWatch, Usable
from meltwatch_core.join.rules import PUBLISHED_RULES, QualityLimits
from meltwatch_core.join.samples import CurrentGrid
from meltwatch_core.join.source_clock import clock_words, followed
from meltwatch_schemas.chunk import ChunkIdentity
from meltwatch_schemas.encoder import default_encoder
from meltwatch_schemas.score import Modality, SourceState
from meltwatch_simulator.scenario import Scenario, furnace_ids
from numpy.typing import NDArray

ENCODER = default_encoder()
FEATURES = FeatureExtractor(ENCODER.basis)
LIMITS = QualityLimits()
REACH_NS = PUBLISHED_RULES.reach_ns(Modality.CURRENT)
CHECK = QualityCheck(LIMITS)
S = 10**9
END_NS = 1_760_000_000 * S
NOTHING = CurrentGrid(None, 0.0, None)
Amperes = NDArray[np.float32]


def noise() -> np.random.Generator:
    return np.random.default_rng(8)


def pictures(level: float, deviation: float = 2.0) -> NDArray[np.float16]:
    """A clip of ten even pictures as a camera with noise gives them."""
    grey = noise().normal(level, deviation, (10, 64, 64, 3))
    return ENCODER.encode(np.clip(np.rint(grey), 0, 255).astype(np.uint8))


def frames_of(clip: NDArray[np.float16]) -> list[HeldFrame]:
    greys = FEATURES.greys(clip)
    return [
        HeldFrame(place, *each, place) for place, each in enumerate(zip(clip, greys, strict=True))
    ]


def video_words(clip: NDArray[np.float16]) -> list[str]:
    greys = FEATURES.greys(clip)
    findings = CHECK.video(frames_of(clip), greys, FEATURES.features(greys, None))
    assert all(finding.unusable for finding in findings)
    return [finding.word for finding in findings]


def live_currents() -> Amperes:
    """Two minutes as a meter gives them."""
    return noise().normal(40_000.0, 1_000.0, (240, 3)).astype(np.float32)


def current_words(values_a: Amperes) -> dict[str, bool]:
    found = CHECK.current(CurrentGrid(values_a, 1.0, values_a))
    return {finding.word: finding.unusable for finding in found}


def test_a_frozen_picture_is_told_by_its_missing_noise() -> None:
    clip = pictures(90.0)
    assert video_words(clip) == []
    assert video_words(np.repeat(clip[:1], 10, axis=0)) == ["frozen_video"]
    one_alive = np.concatenate([np.repeat(clip[:1], 9, axis=0), clip[1:2]])
    assert video_words(one_alive) == []


@pytest.mark.parametrize(
    ("level", "words"),
    [(0.0, ["black_video"]), (2.5, ["black_video"]), (6.0, []), (16.0, []), (245.0, []),
     (255.0, ["saturated_video"])],
)  # fmt: skip
def test_a_capped_camera_is_black_and_a_dark_hall_is_not(level: float, words: list[str]) -> None:
    assert video_words(pictures(level)) == words


def test_a_time_stamp_in_a_black_picture_does_not_make_it_a_good_one() -> None:
    frames = np.zeros((10, 64, 64, 3), np.uint8)
    frames[:, :8, :24] = 255
    assert video_words(ENCODER.encode(frames)) == ["frozen_video", "black_video"]
    frames[:, :8, :32] = 255
    assert video_words(ENCODER.encode(frames)) == ["frozen_video"]


def test_one_lit_frame_of_ten_is_a_picture() -> None:
    clip = pictures(1.0)
    clip[4] = pictures(60.0)[4]
    assert video_words(clip) == []


def test_numbers_that_are_no_picture_are_not_taken_for_a_black_one() -> None:
    clip = noise().normal(0.0, 1.0, (10, 64, 192)).astype(np.float16)
    assert video_words(clip) == []


def test_live_currents_and_a_furnace_that_is_off_are_fine() -> None:
    assert current_words(live_currents()) == {}
    assert current_words(np.zeros((240, 3), np.float32)) == {}
    rest = noise().normal(0.0, 20.0, (240, 3)).astype(np.float32)
    assert current_words(rest) == {}


@pytest.mark.parametrize(
    ("points", "phases", "words"),
    [
        (59, [0, 1, 2], {}),
        (60, [0], {"stuck_current": False}),
        (60, [0, 1], {"stuck_current": False}),
        (60, [0, 1, 2], {"stuck_current": True}),
        (240, [0, 1, 2], {"stuck_current": True}),
    ],
)
def test_currents_that_stand_for_30_s_are_stuck(
    points: int, phases: list[int], words: dict[str, bool]
) -> None:
    values_a = live_currents()
    # Below the level of the others, so that they are not clipped, too.
    values_a[-points:, phases] = 35_000.0
    assert current_words(values_a) == words


@pytest.mark.parametrize(
    ("points", "words"), [(19, {}), (20, {"lost_phase": False}), (60, {"lost_phase": True})]
)
@pytest.mark.parametrize("reading", [0.0, 300.0, np.nan])
def test_a_phase_is_lost_while_another_carries_current(
    points: int, words: dict[str, bool], reading: float
) -> None:
    values_a = live_currents()
    values_a[40 : 40 + points, 1] = reading + noise().random(points)
    assert current_words(values_a) == words
    values_a[40 : 40 + points] = 0.0
    assert current_words(values_a) == {}


def test_a_phase_that_drops_or_burns_badly_is_not_lost() -> None:
    values_a = live_currents()
    values_a[:, 1] *= 0.1
    assert current_words(values_a) == {}


@pytest.mark.parametrize(
    ("share", "words"),
    [(0.05, {}), (0.15, {"clipped_current": False}), (0.4, {"clipped_current": True})],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_values_that_pile_up_at_the_extreme_are_clipped(
    share: float, words: dict[str, bool], sign: int
) -> None:
    values_a = live_currents()
    values_a[:, 2] = np.minimum(values_a[:, 2], np.quantile(values_a[:, 2], 1 - share)) * sign
    assert current_words(values_a) == words


def test_a_coarse_meter_is_neither_clipped_nor_stuck() -> None:
    steady = noise().normal(6_000.0, 150.0, (240, 3))
    coarse = (np.rint(steady / 100.0) * 100.0).astype(np.float32)
    assert current_words(coarse) == {}


def test_a_phase_that_cannot_be_read_is_named_also_when_coverage_decides() -> None:
    own_a = live_currents()
    own_a[100:200, 0] = np.nan
    found = CHECK.current(CurrentGrid(None, 620 / 720, own_a))
    assert [finding.word for finding in found] == ["lost_phase"]
    own_a[100:200] = np.nan
    assert CHECK.current(CurrentGrid(None, 420 / 720, own_a)) == []
    assert CHECK.current(NOTHING) == []


Sent = tuple[ChunkIdentity, tuple[int, int]]


def sent(event_s: float, ingest_s: float, seq: int, boot: str = "0" * 16) -> Sent:
    """A record of two samples that ends at ``event_s``, seconds from an hour after the epoch."""
    last_ns, ingest_ns = (round((3600 + s) * S) for s in (event_s, ingest_s))
    identity = ChunkIdentity(
        furnace_id="a/b", source_id="meter", boot_id=boot, seq=seq, ingest_time_ns=ingest_ns
    )
    return identity, (last_ns - S // 2, last_ns)


def words_after(records: Iterable[Sent], end_s: float) -> tuple[str, ...]:
    """What the clock shows after some records in a window that ends at ``end_s``."""
    state: SourceState | None = None
    for identity, span_ns in records:
        state = followed(state, identity, span_ns, LIMITS, REACH_NS)
    assert state is not None
    return clock_words(state, Modality.CURRENT, round((3600 + end_s) * S), PUBLISHED_RULES)


def steady(from_s: int, until_s: int, ahead_s: float = 0.0) -> list[Sent]:
    return [sent(s + ahead_s, s + 0.2, 2 * s) for s in range(from_s, until_s)]


STEP = ("clock_step_current",)


def test_a_clock_that_goes_on_is_fine() -> None:
    assert words_after(steady(0, 300), 300) == ()


def test_a_step_back_is_told_until_no_window_reaches_back_to_it() -> None:
    records = [*steady(0, 100), *steady(100, 260, ahead_s=-5.0)]
    assert words_after(records[:100], 99) == ()
    assert words_after(records[:101], 99) == STEP
    assert words_after(records, 99 + 120.2) == STEP
    assert words_after(records, 99 + 120.25) == ()


def test_a_clock_an_hour_behind_is_told_until_it_is_where_it_was() -> None:
    records = [*steady(0, 100), *steady(100, 4000, ahead_s=-3600.0)]
    assert words_after(records[:3000], 3000) == STEP
    assert words_after(records, 4000) == ()


def test_a_slow_clock_that_is_set_right_is_told() -> None:
    records = [*steady(0, 100, ahead_s=-30.0), *steady(100, 150)]
    assert words_after(records, 150) == STEP
    assert words_after(records, 300) == ()


@pytest.mark.parametrize(
    "records",
    [
        # The link was away for a minute; what was kept comes at once.
        [*steady(0, 50), *(sent(s, 110 + s / 1000, 2 * s) for s in range(50, 110))],
        # It kept only a part of it.
        [*steady(0, 50), *(sent(s, 110 + s / 1000, 2 * s) for s in range(80, 110))],
        # A producer starts again and sends the last two minutes first.
        [*steady(0, 50), *(sent(s - 120, 60 + s / 1000, 2 * s, "1" * 16) for s in range(120))],
        # The source was switched off for a minute.
        [*steady(0, 50), *steady(110, 150)],
        # Records are sent again.
        [*steady(0, 50), *steady(20, 50), *steady(50, 60)],
    ],
    ids=["delay", "loss", "restart", "pause", "repetition"],
)
def test_delivery_is_not_taken_for_a_step(records: list[Sent]) -> None:
    for index in range(1, len(records) + 1):
        assert words_after(records[:index], 110) == ()


def test_a_clock_that_stands_is_told_and_then_its_step() -> None:
    standing = [sent(49, s + 0.2, 2 * s) for s in range(50, 60)]
    assert words_after([*steady(0, 50), *standing[:2]], 55) == ()
    assert words_after([*steady(0, 50), *standing], 60) == ("frozen_clock_current",)
    going = steady(60, 61)
    assert words_after([*steady(0, 50), *standing, *going], 61) == STEP


Watching = Callable[[NDArray[np.float16] | None, Amperes | None], Usable]


@pytest.fixture
def watching() -> Watching:
    """A watch of a furnace whose sources have spoken."""
    state = followed(None, *sent(0, 0, 0), LIMITS, REACH_NS)
    watch = SourceWatch(PUBLISHED_RULES, FEATURES, dict.fromkeys(Modality, state))

    def inspect(clip: NDArray[np.float16] | None, currents_a: Amperes | None) -> Usable:
        seen = Clip(None, 0.0, ()) if clip is None else Clip(frames_of(clip), 1.0, ())
        grid = NOTHING if currents_a is None else CurrentGrid(currents_a, 1.0, currents_a)
        return watch.inspect(END_NS, seen, grid)

    return inspect


def shows(usable: Usable, clip: NDArray[np.float16]) -> bool:
    """Whether a clip may be used, whole."""
    return np.array_equal([frame.embedding for frame in usable.frames or ()], clip)


CONSTANT = np.full((240, 3), 40_000.0, np.float32)


def still(level: float) -> NDArray[np.float16]:
    return np.repeat(pictures(level)[:1], 10, axis=0)


@pytest.mark.parametrize(
    ("clip", "currents_a"),
    [
        (still(90.0), CONSTANT),
        (np.zeros((10, 64, 192), np.float16), CONSTANT * np.array([1, 1, 0], np.float32)),
        (pictures(255.0), np.minimum(live_currents(), np.float32(39_000.0))),
    ],
)
def test_a_source_that_never_gave_live_data_is_marked_and_used(
    watching: Watching, clip: NDArray[np.float16], currents_a: Amperes
) -> None:
    for _ in range(3):
        usable = watching(clip, currents_a)
        assert shows(usable, clip)
        assert usable.currents_a is currents_a
        assert set(usable.irregularities) == set(Modality)


def test_a_step_from_one_still_picture_to_another_proves_nothing(watching: Watching) -> None:
    for shown in range(11):
        clip = np.concatenate([still(90.0)[shown:], still(120.0)[:shown]])
        assert shows(watching(clip, None), clip)


def test_a_live_source_that_stops_is_not_used_until_it_is_live_again(watching: Watching) -> None:
    live, currents_a = pictures(90.0), live_currents()
    assert watching(live, currents_a).irregularities == {}
    stopped = watching(still(90.0), CONSTANT)
    assert stopped.frames is stopped.currents_a is None
    assert stopped.features.video_mean is stopped.features.imbalance is None
    assert stopped.irregularities == {
        Modality.VIDEO: ("frozen_video",),
        Modality.CURRENT: ("stuck_current",),
    }
    camera_alone = watching(live, CONSTANT)
    assert shows(camera_alone, live)
    assert camera_alone.features == FEATURES.features(FEATURES.greys(live), None)
    again = watching(live, currents_a)
    assert shows(again, live)
    assert again.currents_a is currents_a


def test_nothing_is_wrong_with_simulated_furnaces_on_any_day() -> None:
    """Flares, heavy mist, lamps, electrode moves, drop-outs and faults mean nothing here."""
    names, chance = furnace_ids(6), noise()
    for seed, name in enumerate(names):
        furnace = Scenario(seed, names, END_NS, None).furnace(name)
        for end_s in chance.integers(0, 86_400, 12):
            end_ns = END_NS + int(end_s) * S
            clip = ENCODER.encode(furnace.frames(end_ns - np.arange(10)[::-1] * 720_000_000))
            currents_a = furnace.currents(end_ns - np.arange(240)[::-1] * (S // 2))
            assert video_words(clip) == []
            assert current_words(currents_a) == {}
            assert CHECK.is_live_video(FEATURES.greys(clip))
            assert CHECK.is_live_current(currents_a)


def begun_s(*pauses: tuple[int, int]) -> float | None:
    """Where a source began, of which seconds ``[from, until)`` came one after the other."""
    state: SourceState | None = None
    for from_s, until_s in pauses:
        for identity, span_ns in steady(from_s, until_s):
            state = followed(state, identity, span_ns, LIMITS, REACH_NS)
    assert state is not None
    assert state.begun_ns is not None
    return (state.begun_ns - steady(0, 1)[0][1][0]) / S


def test_a_source_begins_with_its_first_record_and_again_after_a_silence_beyond_a_window() -> None:
    reach_s = REACH_NS // S + 1
    assert begun_s((0, 300)) == 0
    assert begun_s((0, 10), (10 + reach_s - 2, 300)) == 0
    assert begun_s((0, 10), (10 + reach_s, 300)) == 10 + reach_s
