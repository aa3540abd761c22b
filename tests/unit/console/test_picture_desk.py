"""Frames, maps and currents of a furnace: what is fetched, what is kept, what cannot be shown."""

import numpy as np
import pytest
from meltwatch_console.errors import NoPicture
from meltwatch_console.pipeline import pictures
from meltwatch_console.pipeline.pictures import STRIP_MS, PictureDesk
from meltwatch_schemas.window import NS_PER_MS

from tests.support.builders import FURNACE
from tests.support.png import pixels_of
from tests.unit.console.archive import ArchiveOfOne, book_of, pixels_at, scores

WINDOWS = scores(8)
LAST_MS = WINDOWS[-1].window_end_ns // NS_PER_MS


@pytest.fixture
def archive() -> ArchiveOfOne:
    return ArchiveOfOne(WINDOWS)


@pytest.fixture
def desk(archive) -> PictureDesk:
    return PictureDesk(book_of(WINDOWS), archive)


async def test_a_film_is_of_the_newest_window_or_of_the_one_that_is_asked_for(desk):
    newest = await desk.film(FURNACE, None)
    assert [place.offset for place in newest] == list(range(6, 16))
    # What the book does not hold is asked of the archive.
    assert [place.offset for place in await desk.film(FURNACE, LAST_MS - 8_600)] == [0, 1, 2, 3]
    assert await desk.film(FURNACE, 1) == []


async def test_without_a_window_there_is_no_film(archive):
    with pytest.raises(NoPicture, match="no window"):
        await PictureDesk(book_of([]), archive).film(FURNACE, None)


async def test_where_scores_do_not_name_frames_they_are_looked_for(archive):
    old = scores(8, names_frames=False)
    (place,) = await PictureDesk(book_of(old), archive).film(FURNACE, LAST_MS)
    assert place[:2] == (3, 7), "the other one is of later"


async def test_a_frame_is_fetched_once_and_comes_back_to_the_pixel(desk, archive, monkeypatch):
    for _ in range(2):
        picture = await desk.frame(FURNACE, 3, 5, None)
        np.testing.assert_array_equal(pixels_of(picture), pixels_at(2))
    assert archive.asked == 1
    monkeypatch.setattr(pictures, "_KEPT", 1)
    await desk.frame(FURNACE, 3, 6, None)
    await desk.frame(FURNACE, 3, 5, None)
    assert archive.asked == 3, "of many the oldest is let go"


async def test_what_is_no_frame_of_the_furnace_is_said(desk, archive):
    with pytest.raises(NoPicture, match="no longer"):
        await desk.frame(FURNACE, 0, 5, None)
    with pytest.raises(NoPicture, match="of this instant"):
        await desk.frame(FURNACE, 3, 5, 17)
    archive.encoder_id = "pca-192-000000000000"
    with pytest.raises(NoPicture, match="unknown encoder 'pca"):
        await desk.frame(FURNACE, 3, 4, None)


async def test_a_map_is_that_of_the_book_or_of_the_archive(desk, archive):
    held = await desk.map_of(FURNACE, LAST_MS)
    other = PictureDesk(book_of([]), archive)
    np.testing.assert_array_equal(await other.map_of(FURNACE, LAST_MS), held)
    assert (await desk.spot(FURNACE, LAST_MS)).place == "lower middle"
    np.testing.assert_array_equal(pixels_of(await desk.map_picture(FURNACE, LAST_MS)), held)
    with pytest.raises(NoPicture, match="no map"):
        await other.map_of(FURNACE, 1)


async def test_a_strip_has_each_window_with_its_own_frame_and_spot(desk):
    strip = await desk.strip(FURNACE, LAST_MS - 3_000, LAST_MS)
    assert [each.frame.offset for each in strip] == [11, 13, 15]
    assert {each.spot.place for each in strip} == {"lower middle"}
    for length in (0, STRIP_MS + 1):
        with pytest.raises(ValueError, match="expected 1"):
            await desk.strip(FURNACE, LAST_MS, LAST_MS + length)


async def test_currents_have_a_value_for_each_half_second_that_was_measured(desk):
    trace = await desk.currents(FURNACE, 1_000, 2_500)
    assert trace.phases == ([1.0, 4.0, None], [2.0, 5.0, None], [None, 6.0, None])
    for until_ms in (1_000, 1_000 + 3_600_001):
        with pytest.raises(ValueError, match="expected 1"):
            await desk.currents(FURNACE, 1_000, until_ms)


async def test_what_costs_too_much_is_not_fetched(desk, archive):
    archive.is_dear = True
    with pytest.raises(NoPicture, match="too dear"):
        await desk.currents(FURNACE, 1_000, 2_000)
