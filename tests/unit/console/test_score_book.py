"""What a console keeps of the scores, beside the traces."""

from meltwatch_console.pipeline.score_book import RECENT, ScoreBook
from meltwatch_schemas.score import Cut
from meltwatch_schemas.score_topics import NewestFrame
from meltwatch_schemas.window import NS_PER_MS, PUBLISHED_SPEC

from tests.support.builders import FURNACE, NOON_NS, window_score

HOP_NS = PUBLISHED_SPEC.hop_ns
FIRST_NS = PUBLISHED_SPEC.first_end_after(FURNACE, NOON_NS)
TOPIC = "meltwatch.embeddings.v1"


def score(number: int):
    return window_score(
        FIRST_NS + number * HOP_NS, inputs={TOPIC: Cut(3, 100, 110)},
        frames=(NewestFrame(number, 1),), topic_ids={TOPIC: "nFZ0u8mPSa2qkqGMwZ0v9A"},
    )  # fmt: skip


def test_the_newest_score_is_whole_and_those_before_it_still_name_their_frames():
    book = ScoreBook("meltwatch", lambda _: 0)
    book.take_scores(score(number) for number in range(3))
    book.take_scores([score(1)])

    newest = book.newest(FURNACE)
    assert newest is not None
    assert newest.topic_ids
    first_ms = FIRST_NS // NS_PER_MS
    held = book.recent_scores(FURNACE, first_ms, first_ms + 10_000)
    assert held is not None
    assert [bool(each.topic_ids) for each in held] == [False, False, True]
    assert [book.frames_of(each)[0].offset for each in held] == [0, 1, 2]


def test_no_more_than_half_a_minute_is_held():
    book = ScoreBook("meltwatch", lambda _: 0)
    book.take_scores(score(number) for number in range(RECENT + 2))
    first_ms = FIRST_NS // NS_PER_MS
    assert book.recent_scores(FURNACE, first_ms, first_ms + 10_000) is None
