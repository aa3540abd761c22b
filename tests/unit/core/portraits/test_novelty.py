"""What a score says of a portrait: the same in one go, after a restart, and as in the study."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_core.join.window import AlignedWindow
from meltwatch_core.portraits import (
    CURRENT_RISE_PER_S,
    JUDGED_EVERY,
    JUDGED_EVERY_NS,
    PATCH_RISE_PER_S,
    KnownPortrait,
    current_features,
    fit_side,
    is_judged,
    is_stale,
    novelty_of,
    patch_features,
)
from meltwatch_core.portraits.modes import fit_modes
from meltwatch_core.portraits.novelty import GAP_NS, STALE_FROM, UNUSUAL_FROM
from meltwatch_schemas.novelty import UNUSUAL_BITS, Novelty, novelty_message
from meltwatch_schemas.portrait import (
    LEAST_SCALE,
    MAX_EXPONENT,
    MAX_LEVEL,
    MAX_NUMBER,
    MAX_SHAPE,
    PackedMode,
    PackedSide,
    PackedTail,
    decode_portrait,
    encode_portrait,
    portrait_id,
)
from meltwatch_schemas.score import Features, Modality, Sources, decode_score, encode_score
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC

from tests.support.builders import FURNACE, NOON_NS, packed_side, portrait, window_score
from tests.support.examples import examples

HOP_NS = PUBLISHED_SPEC.hop_ns
FITTED, SEEN = 360, 120
"""Windows that the portrait is made of, and those that it is asked about."""
ENCODER = portrait().encoder_id
Seen = tuple[np.ndarray, np.ndarray]


def drawn(seed: int, count: int) -> Seen:
    """Embeddings of five frames a window, and currents: of no furnace, but never twice alike."""
    rng = np.random.default_rng(seed)
    clips = rng.normal(0, 20, size=(count, 5, 64, 24)).astype(np.float16)
    grids = rng.normal(50_000, 500, size=(count, 240, 3)).astype(np.float32)
    return clips, grids


@cache
def known() -> KnownPortrait:
    clips, grids = drawn(1, FITTED)
    times_s = np.arange(FITTED) * JUDGED_EVERY_NS / NS_PER_S
    gap_s = GAP_NS / NS_PER_S
    sides = {
        Modality.VIDEO: fit_side(patch_features(clips), times_s, gap_s, PATCH_RISE_PER_S, 2),
        Modality.CURRENT: fit_side(
            current_features(grids)[:, None], times_s, gap_s, CURRENT_RISE_PER_S, 3
        ),
    }
    value = encode_portrait(portrait(sides={m: side.packed() for m, side in sides.items()}))
    return KnownPortrait.of(decode_portrait(value), portrait_id(value))


def ends_ns(count: int, every: int = JUDGED_EVERY) -> list[int]:
    """Ends of windows that follow each other, the first one judged."""
    first = PUBLISHED_SPEC.first_end_after(FURNACE, NOON_NS)
    while not is_judged(FURNACE, first):
        first += HOP_NS
    return [first + number * every * HOP_NS for number in range(count)]


def window(
    end_ns: int, clip: np.ndarray | None, grid: np.ndarray | None, encoder_id: str = ENCODER
) -> AlignedWindow:
    return AlignedWindow(
        furnace_id=FURNACE,
        window_end_ns=end_ns,
        window_id=PUBLISHED_SPEC.window_id(FURNACE, end_ns),
        embeddings=None if clip is None else tuple(clip),
        currents_a=grid,
        video_coverage=1.0,
        current_coverage=1.0,
        encoder_id=None if clip is None else encoder_id,
        sources=Sources("camera", "meter"),
        last_event_ns=end_ns,
        last_ingest_ns=end_ns,
        features=Features(),
        reasons=(),
        cuts={},
    )


def windows(seen: Seen, times: Iterable[int]) -> Iterator[AlignedWindow]:
    for end_ns, clip, grid in zip(times, *seen, strict=True):
        yield window(end_ns, clip, grid)


def told(
    run: Iterable[AlignedWindow], before: Novelty | None = None, logit: float | None = -3.0
) -> list[Novelty]:
    said = []
    for each in run:
        before = novelty_of(each, logit, known(), before)
        said.append(before)
    return said


def as_published(novelty: Novelty) -> Novelty | None:
    return decode_score(encode_score(window_score(novelty=novelty))).novelty


@cache
def usual() -> Seen:
    return drawn(2, SEEN)


def unusual(count: int = SEEN) -> Seen:
    """Windows whose left half is brighter, and whose first phase is lower."""
    clips, grids = (values[:count].copy() for values in usual())
    clips[:, :, np.arange(64) % 8 < 4, 0] += 150
    grids[:, -120:, 0] *= 0.8
    return clips, grids


def test_it_is_the_surprise_of_the_study() -> None:
    clips, grids = unusual()
    clips[:60], grids[:60] = (values[:60] for values in usual())
    times_s = np.arange(SEEN) * JUDGED_EVERY_NS / NS_PER_S

    said = told(windows((clips, grids), ends_ns(SEEN)))

    for features, modality in (
        (patch_features(clips), Modality.VIDEO),
        (current_features(grids)[:, None], Modality.CURRENT),
    ):
        expected = known().sides[modality].surprises(features, times_s, GAP_NS / NS_PER_S)
        found = [getattr(each, modality.value) for each in said]
        np.testing.assert_allclose(found, expected, atol=0.02)
        assert expected[:60].max() < 4 < expected[-1]
    assert said[-1].peak is not None
    assert said[-1].peak[1] < 4


@given(cut=st.integers(1, SEEN - 1), seed=st.integers(0, 99))
@examples(10)
def test_who_takes_over_goes_on_from_the_last_score_bit_by_bit(cut: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    sides = rng.integers(0, 4, SEEN)
    run = [
        window(end, clip if side != 1 else None, grid if side != 2 else None)
        for end, clip, grid, side in zip(ends_ns(SEEN, 3), *unusual(), sides, strict=True)
    ]

    whole = told(run)
    rest = told(run[cut:], as_published(whole[cut - 1]))

    assert list(map(novelty_message, rest)) == list(map(novelty_message, whole[cut:]))


def test_each_seventh_window_is_judged_and_the_others_say_what_it_said() -> None:
    times = ends_ns(JUDGED_EVERY * 3, every=1)
    run = list(windows(tuple(values[: len(times)] for values in usual()), times))

    said = told(run)

    assert [is_judged(FURNACE, end) for end in times] == 3 * ([True] + 6 * [False])
    for first in range(0, len(times), JUDGED_EVERY):
        assert len({id(each) for each in said[first : first + JUDGED_EVERY]}) == 1
    assert said[0].video != said[JUDGED_EVERY].video


def test_before_the_first_judged_window_it_names_the_portrait_alone() -> None:
    (end_ns,) = ends_ns(1)
    clip, grid = usual()[0][0], usual()[1][0]

    (said,) = told([window(end_ns + HOP_NS, clip, grid)])

    assert (said.surprise, said.peak, said.followed_video) == (None, None, None)
    assert said.portrait == known().portrait_id


def test_another_portrait_begins_anew() -> None:
    before = told(windows(unusual(), ends_ns(SEEN)))[-1]
    other = replace(known(), portrait_id="f" * 64)
    end_ns = ends_ns(SEEN + 1)[-1]
    now = window(end_ns, usual()[0][0], usual()[1][0])

    said = novelty_of(now, -3.0, other, before)

    assert novelty_message(said) == novelty_message(novelty_of(now, -3.0, other, None))
    assert (before.unusual.bit_count(), said.unusual.bit_count()) == (UNUSUAL_BITS, 0)


@pytest.mark.parametrize("missing", [1, 2, 3])
def test_a_side_is_followed_on_over_a_short_pause_and_anew_after_a_long_one(missing: int) -> None:
    seen, times = unusual(60), ends_ns(60)
    run = list(windows(seen, times))
    run[40 : 40 + missing] = [
        replace(each, embeddings=None, encoder_id=None) for each in run[40 : 40 + missing]
    ]

    said = told(run)

    assert [each.video is None for each in said[38:48]] == [
        40 <= number < 40 + missing for number in range(38, 48)
    ]
    assert all(each.peak is None for each in said[40 : 40 + missing])
    back = said[40 + missing].video
    assert back is not None
    assert (back > 4) == (missing < 2)
    assert said[40].current is not None


def test_a_portrait_of_one_side_judges_that_one() -> None:
    one = replace(known(), sides={Modality.CURRENT: known().sides[Modality.CURRENT]})
    said = novelty_of(next(windows(unusual(1), ends_ns(1))), None, one, None)

    assert said.video is None
    assert said.current is not None
    assert said.surprise == said.current


def test_it_is_stale_once_most_of_a_quarter_of_an_hour_is_unusual() -> None:
    run = list(windows(unusual(), ends_ns(SEEN)))
    said = told(run)

    stale = [is_stale(each, known(), novelty) for each, novelty in zip(run, said, strict=True)]
    unusual_so_far = np.cumsum([(each.surprise or 0) > UNUSUAL_FROM for each in said])

    assert stale == list(unusual_so_far >= STALE_FROM)
    assert 0 < stale.index(True) < 70
    assert said[-1].unusual < 1 << UNUSUAL_BITS


def test_it_is_not_stale_any_more_once_most_is_usual() -> None:
    seen = [np.concatenate(pair) for pair in zip(unusual(), usual(), strict=True)]
    run = list(windows((seen[0], seen[1]), ends_ns(2 * SEEN)))
    said = told(run)

    assert is_stale(run[SEEN], known(), said[SEEN])
    assert not is_stale(run[-1], known(), said[-1])


def test_what_the_ensemble_takes_for_a_hot_spot_ages_nothing() -> None:
    run = list(windows(unusual(), ends_ns(SEEN)))

    assert told(run, logit=0.0)[-1].unusual == 0
    assert told(run, logit=None)[-1].unusual.bit_count() == told(run)[-1].unusual.bit_count() > 0


def test_what_was_unusual_before_a_long_pause_is_forgotten() -> None:
    before = told(windows(unusual(), ends_ns(SEEN)))[-1]
    clip, grid = usual()[0][0], usual()[1][0]
    last_ns = ends_ns(SEEN)[-1]
    soon, late = (
        novelty_of(window(last_ns + judged * JUDGED_EVERY_NS, clip, grid), -3.0, known(), before)
        for judged in (11, 12)
    )

    assert (soon.unusual.bit_count(), late.unusual.bit_count()) == (UNUSUAL_BITS - 1, 0)


def test_a_portrait_of_another_encoder_or_spec_judges_nothing_and_is_stale() -> None:
    (end_ns,) = ends_ns(1)
    clip, grid = usual()[0][0], usual()[1][0]
    of_other = window(end_ns, clip, grid, encoder_id="dct-24-aaaaaaaaaaaa")
    own = window(end_ns, clip, grid)
    other_spec = replace(known(), spec_id="f" * 12)

    for each, by in ((of_other, known()), (own, other_spec)):
        said = novelty_of(each, -3.0, by, None)
        assert (said.surprise, said.unusual) == (None, 0)
        assert is_stale(each, by, said)
    assert not is_stale(own, known(), novelty_of(own, -3.0, known(), None))


def test_embeddings_too_coarse_for_a_portrait_judge_nothing() -> None:
    (end_ns,) = ends_ns(1)
    coarse = window(end_ns, usual()[0][0][..., :23], usual()[1][0])

    said = novelty_of(coarse, -3.0, known(), None)

    assert said.surprise is None
    assert is_stale(coarse, known(), said)


EXTREMES = st.sampled_from([-MAX_NUMBER, -1e3, -1e-6, 0.0, 1e-6, 1e3, MAX_NUMBER])
LEVELS = st.sampled_from([-MAX_LEVEL, -1.0, 0.0, 1.0, MAX_LEVEL])


@st.composite
def hostile_sides(draw: st.DrawFn, modality: Modality) -> PackedSide:
    """A side whose numbers lie where its message just allows them."""
    mean, factor, median = draw(EXTREMES), draw(EXTREMES), draw(LEVELS)
    exponent = draw(st.sampled_from([-MAX_EXPONENT, 0, MAX_EXPONENT]))
    mode = packed_side(modality).modes[0]
    mode = PackedMode(
        np.full_like(mode.mean, mean),
        np.full_like(mode.exponents, exponent),
        np.full_like(mode.factor, np.clip(factor, -65_504, 65_504)),
    )
    tail = PackedTail(
        draw(LEVELS),
        draw(st.sampled_from([0.0, 1e-12, 1.0, MAX_SHAPE])),
        draw(st.sampled_from([LEAST_SCALE, 1.0, MAX_NUMBER])),
        draw(st.sampled_from([0.0, 1e-300, 0.5, 1.0])),
    )
    return replace(
        packed_side(modality),
        modes=(mode,),
        median=np.full_like(packed_side(modality).median, median),
        rise_per_s=abs(draw(EXTREMES)),
        reached=np.sort(np.float32([draw(LEVELS), draw(LEVELS)])),
        tail=tail,
    )


@given(video=hostile_sides(Modality.VIDEO), current=hostile_sides(Modality.CURRENT))
@examples(40)
def test_whatever_portrait_can_be_read_a_score_can_say_it(
    video: PackedSide, current: PackedSide
) -> None:
    value = encode_portrait(portrait(sides={Modality.VIDEO: video, Modality.CURRENT: current}))
    hostile = KnownPortrait.of(decode_portrait(value), portrait_id(value))
    before = None
    for each in windows(unusual(3), ends_ns(3)):
        before = as_published(novelty_of(each, -3.0, hostile, before))

    assert before is not None
    assert before.video is not None
    assert before.current is not None


@given(exponent=st.integers(-12, 12), seed=st.integers(0, 99))
@examples(20)
def test_what_a_message_rounds_is_little(exponent: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    scales = 10.0 ** rng.uniform(-1.5, 1.5, size=(3, 27)) * 2.0**exponent
    features = rng.normal(size=(400, 3, 27)) * scales

    law = fit_modes(features, 1)

    np.testing.assert_allclose(law.rounded().levels(features), law.levels(features), atol=0.01)
    again, twice = law.rounded(), law.rounded().rounded()
    np.testing.assert_array_equal(again.levels(features), twice.levels(features))
