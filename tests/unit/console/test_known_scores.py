"""What is known of scores: of this plant alone, the newest of them, and no more than fits."""

from dataclasses import replace

from meltwatch_console.pipeline import score_book
from meltwatch_console.pipeline.score_book import ScoreBook

from tests.support.builders import FURNACE
from tests.unit.console.archive import HOP_NS, VIDEO, book_of, scores

WINDOWS = scores(4)
ENDS_MS = [each.window_end_ns // 1_000_000 for each in WINDOWS]


def test_scores_of_a_replay_and_of_one_furnace_too_many_say_nothing():
    book = ScoreBook("meltwatch", lambda name: 0 if name == FURNACE else None)
    book.take_scores([replace(WINDOWS[0], run_id="bt-1"), replace(WINDOWS[1], furnace_id="a/b/c")])
    assert book.oldest_ms() is None
    assert book.newest(FURNACE) is None
    assert book.rings() == []


def test_a_window_that_comes_late_is_in_the_trace_and_is_not_the_newest():
    book = book_of([WINDOWS[0], WINDOWS[2]])
    book.take_scores([replace(WINDOWS[1], anomaly_map=None)])
    assert book.newest(FURNACE) is WINDOWS[2]
    assert [row.end_ms for row in book.trace(FURNACE, ENDS_MS[0], ENDS_MS[3], 0)] == ENDS_MS[:3]
    assert book.oldest_ms() == ENDS_MS[0]
    assert book.anomaly_map(FURNACE, ENDS_MS[1]) is None


def test_a_ring_that_was_kept_goes_on_with_what_comes():
    (kept,) = (ring for _, ring in book_of(WINDOWS[:2]).rings())
    book = ScoreBook("meltwatch", lambda _: 0)
    book.put_ring(FURNACE, kept)
    assert book.since_ms(FURNACE) == ENDS_MS[0]
    assert book.oldest_ms() is None, "it is no furnace of now yet"
    book.take_scores(WINDOWS[2:])
    assert [row.end_ms for row in book.trace(FURNACE, 0, ENDS_MS[3] + 1, 0)] == ENDS_MS
    assert book.trace("a/b/c", 0, ENDS_MS[3], 0) == []


def test_a_score_that_names_no_frames_has_none_and_of_many_maps_the_oldest_goes(monkeypatch):
    monkeypatch.setattr(score_book, "_MAPS", 1)
    book = book_of(WINDOWS)
    assert book.anomaly_map(FURNACE, ENDS_MS[2]) is None
    assert book.anomaly_map(FURNACE, ENDS_MS[3]) is WINDOWS[3].anomaly_map
    assert book.frames_of(replace(WINDOWS[0], inputs={})) == []
    (older, own) = book.frames_of(WINDOWS[0])
    assert (own.offset, own.event_ns - older.event_ns) == (1, HOP_NS // 2)
    assert WINDOWS[0].inputs[VIDEO].partition == own.partition
