"""Each finding about pictures comes true here, and none on a good one."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_schemas.window import NS_PER_S
from meltwatch_sources.domain.picture import PictureRule, snapshot
from meltwatch_sources.domain.picture_check import PictureReference, PictureWatch
from threadpoolctl import threadpool_limits

from tests.support.examples import examples


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """As every service does: small products are only slowed down by more."""
    with threadpool_limits(1):
        yield


HEIGHT, WIDTH = 112, 192
CROP = (72, 8, 96, 96)
RULE = PictureRule(CROP)
START = 1_800_000_000 * NS_PER_S
Pictures = np.ndarray


def furnace(chance: np.random.Generator, left: int = 84, grey: int = 60) -> Pictures:
    """A dark hall with a bright bath that moves, brightest at its upper left."""
    picture = np.full((HEIGHT, WIDTH, 3), grey, dtype=np.float64)
    slope = np.linspace(90, 0, 30)[:, None] + np.linspace(30, 0, 54)[None]
    bath = 140 + slope + chance.normal(0, 12, (30, 54))
    picture[22:52, left : left + 54] = bath[..., None] * [1.0, 0.8, 0.5]
    return np.clip(picture, 0, 255).astype(np.uint8)


def still(picture: Pictures) -> Callable[[np.random.Generator], Pictures]:
    return lambda _: picture


def watched(
    draw: Callable[[np.random.Generator], Pictures],
    rule: PictureRule = RULE,
    seconds: float = 10,
    change: Callable[[Pictures, float], Iterable[None]] | None = None,
) -> PictureWatch:
    chance = np.random.default_rng(1)
    watch = PictureWatch(rule)
    for number in range(int(seconds * 5)):
        picture = draw(chance)
        if change is not None:
            list(change(picture, number / 5))
        watch.take(picture, START + number * NS_PER_S // 5)
    return watch


def red(watch: PictureWatch, reference: PictureReference | None = None) -> set[str]:
    return {each.code for each in watch.findings(reference) if each.is_checked}


def unknown(watch: PictureWatch, reference: PictureReference | None = None) -> set[str]:
    return {each.code for each in watch.findings(reference) if not each.is_checked}


def test_a_good_picture_has_no_findings_and_what_has_no_reference_is_not_checked() -> None:
    watch = watched(furnace)

    assert red(watch) == set()
    assert unknown(watch) == {"picture_turned", "exposure_drift", "white_balance_drift"}
    assert watch.findings(PictureReference.of(watch.seen)) == []


def grey(value: int) -> Pictures:
    return np.full((HEIGHT, WIDTH, 3), value, dtype=np.uint8)


@pytest.mark.parametrize(
    ("draw", "codes"),
    [
        (still(grey(1)), {"black_picture", "frozen"}),
        (still(grey(254)), {"saturated", "frozen"}),
        (still(furnace(np.random.default_rng(2))), {"frozen"}),
        (lambda chance: chance.integers(0, 4, (HEIGHT, WIDTH, 3)).astype(np.uint8),
         {"black_picture"}),
        (lambda chance: furnace(chance, left=6), {"crop_misses_furnace", "frozen"}),
    ],
)  # fmt: skip
def test_each_finding_of_a_picture_says_what_to_do(draw, codes: set[str]) -> None:
    watch = watched(draw)

    assert red(watch) == codes
    assert all(each.advice for each in watch.findings())


def test_a_crop_outside_is_all_that_is_said() -> None:
    (found,) = watched(furnace, PictureRule((150, 0, 64, 64))).findings()

    assert found.code == "crop_outside"
    assert "got one of 192×112" in found.said


def test_a_short_look_calls_nothing_good() -> None:
    few = watched(furnace, seconds=0.5)
    frozen = watched(still(furnace(np.random.default_rng(2))), seconds=4)

    assert red(few) == set()
    assert {"black_picture", "saturated", "frozen", "crop_misses_furnace"} <= unknown(few)
    assert "frozen" in unknown(frozen)
    assert "overlay_text" in unknown(frozen)


def test_a_hall_without_fire_says_nothing_of_where_the_furnace_is() -> None:
    dark = watched(lambda chance: np.clip(chance.normal(40, 3, (HEIGHT, WIDTH, 3)), 0, 255)
                   .astype(np.uint8))  # fmt: skip

    assert "crop_misses_furnace" in unknown(dark)


def seconds_of(picture: Pictures, now_s: float) -> Iterable[None]:
    """Draw strokes that are other ones each second, as the figures of a clock are."""
    figure = np.random.default_rng(int(now_s)).integers(0, 2, (8, 8)) * 255
    picture[24:40, 88:104] = np.kron(figure, np.ones((2, 2)))[..., None]
    yield


def flicker(picture: Pictures, now_s: float) -> Iterable[None]:
    """Draw strokes that are other ones each time, as sparks are."""
    figure = np.random.default_rng(int(now_s * 5)).integers(0, 2, (8, 8)) * 255
    picture[24:40, 88:104] = np.kron(figure, np.ones((2, 2)))[..., None]
    yield


def sign(picture: Pictures, _: float) -> Iterable[None]:
    """Draw strokes that stay, as a sign at the wall does."""
    picture[24:40, 88:104] = np.kron(np.indices((8, 8)).sum(axis=0) % 2 * 255,
                                      np.ones((2, 2)))[..., None]  # fmt: skip
    yield


def test_a_clock_written_into_the_crop_is_found_and_sparks_and_signs_are_not() -> None:
    assert red(watched(furnace, change=seconds_of)) == {"overlay_text"}
    assert red(watched(furnace, change=flicker)) == set()
    assert red(watched(furnace, change=sign)) == set()


TURNS = st.sampled_from([
    (turns, mirror) for turns in range(4) for mirror in (False, True) if turns or mirror
])  # fmt: skip


@examples(7)
@given(TURNS)
def test_a_camera_that_was_turned_or_mirrored_is_found(turn: tuple[int, bool]) -> None:
    reference = PictureReference.of(watched(furnace, seconds=2).seen)
    turns, mirror = turn
    turned = watched(furnace, PictureRule(CROP, turns * 90, mirror), seconds=2)

    assert red(turned, reference) == {"picture_turned"}


def test_another_picture_is_not_called_turned() -> None:
    reference = PictureReference.of(watched(furnace).seen)
    chance = np.random.default_rng(5)
    other = watched(lambda _: chance.integers(0, 255, (HEIGHT, WIDTH, 3)).astype(np.uint8))

    assert "picture_turned" in unknown(other, reference)


def test_drift_of_exposure_and_white_balance_is_found() -> None:
    reference = PictureReference.of(watched(furnace).seen)
    darker = watched(lambda chance: furnace(chance, grey=30))
    redder = watched(
        lambda chance: np.clip(furnace(chance) * [1.3, 1.0, 1.0], 0, 255).astype(np.uint8)
    )

    assert red(darker, reference) == {"exposure_drift"}
    assert red(redder, reference) == {"white_balance_drift"}


def test_a_picture_of_another_size_begins_anew() -> None:
    watch = watched(furnace)
    watch.take(np.zeros((200, 300, 3), dtype=np.uint8), START + 100 * NS_PER_S)

    assert watch.size == (300, 200)
    assert len(watch.seen) == 1


@examples(20)
@given(
    st.tuples(st.integers(0, 200), st.integers(0, 150), st.integers(8, 200), st.integers(8, 150)),
    st.sampled_from([0, 90, 180, 270]),
)
def test_whatever_the_crop_is_a_check_and_a_snapshot_say_something(crop, turned) -> None:
    rule = PictureRule(crop, turned)
    watch = watched(furnace, rule, seconds=1)
    picture = furnace(np.random.default_rng(3))
    seen = watch.seen[-1] if watch.seen else None
    shown = snapshot(picture, rule, seen)

    assert watch.findings()
    assert shown.dtype == np.uint8
    assert (shown.shape[1] > WIDTH) == (seen is not None)
    left, top, width, height = crop
    if left + width <= WIDTH and top + height <= HEIGHT:
        inside = shown[top : top + height, left : left + width]
        assert np.array_equal(inside, picture[top : top + height, left : left + width]) or (
            left < 4 or top < 4 or left + width > WIDTH - 4 or top + height > HEIGHT - 4
        )
