"""Records out of their time: words for the next scores of their furnace alone."""

from meltwatch_core.join.window import Outcome
from meltwatch_schemas.errors import ContractViolation, Refusal
from meltwatch_schemas.score import Modality
from meltwatch_stream_processor.pipeline.furnace_log import UntimelyRecords

from tests.support.builders import raw_record

LATE = Outcome(late=True)
FUTURE = Outcome(refusal=ContractViolation(Refusal.FUTURE_EVENT_TIME, "an hour ahead"))
OTHER = Outcome(refusal=ContractViolation(Refusal.MALFORMED, "noise"))


def test_a_word_stands_for_some_windows_after_the_last_such_record() -> None:
    records = UntimelyRecords()
    records.take(raw_record(b"", key=b"a/b"), Modality.VIDEO, LATE, "a/b".__eq__)
    records.take(raw_record(b"", key=b"a/b"), Modality.CURRENT, FUTURE, "a/b".__eq__)
    assert records.reasons("a/b") == ("late_video", "future_current")
    assert records.reasons("a/c") == ()
    records.take(raw_record(b"", key=b"a/b"), Modality.VIDEO, LATE, "a/b".__eq__)
    words = [records.reasons("a/b") for _ in range(5)]
    assert words == [("late_video", "future_current")] * 3 + [("late_video",), ()]


def test_names_that_no_window_has_are_not_kept() -> None:
    records = UntimelyRecords()
    for key in (b"x/y", b"\xff", None):
        records.take(raw_record(b"", key=key), Modality.VIDEO, FUTURE, "a/b".__eq__)
    records.take(raw_record(b"", key=b"a/b"), Modality.VIDEO, OTHER, "a/b".__eq__)
    assert records.reasons("x/y") == records.reasons("a/b") == ()


def test_a_retired_furnace_is_forgotten() -> None:
    records = UntimelyRecords()
    records.take(raw_record(b"", key=b"a/b"), Modality.VIDEO, LATE, "a/b".__eq__)
    records.forget(["a/b", "a/c"])
    assert records.reasons("a/b") == ()
