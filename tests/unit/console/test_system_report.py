"""What the System page is told of furnaces, the alarm manager and the console itself."""

from typing import Any

from meltwatch_chassis.testing import ManualClock
from meltwatch_console.domain.roster import Roster
from meltwatch_console.pipeline.score_book import ScoreBook
from meltwatch_console.pipeline.system_report import SystemReport
from meltwatch_schemas.alarm import Heartbeat
from meltwatch_schemas.instants import utc_from_ns
from meltwatch_schemas.score import Modality, ScoreStatus, SourceState, WindowScore
from meltwatch_schemas.window import NS_PER_S

from tests.support.builders import BOOT, NOON_NS, window_score

NAMES = [f"a/b/F-{n}" for n in range(4)]


def report(scores, beat: Heartbeat | None = None) -> SystemReport:
    roster = Roster(NAMES, 10)
    book = ScoreBook("meltwatch", lambda name: roster.entry(name).index)
    book.take_scores(scores)
    return SystemReport(roster, book, lambda: beat, lambda: {"browsers": 2}, ManualClock(NOON_NS))


def score(number: int, ago_s: float, **changes: Any) -> WindowScore:
    return window_score(NOON_NS - int(ago_s * NS_PER_S), NAMES[number], **changes)


def test_furnaces_are_counted_by_what_their_newest_window_says():
    found = report(
        [
            score(0, 2.0),
            score(1, 3.0, status=ScoreStatus.DEGRADED, modalities=(Modality.VIDEO,)),
            score(2, 60.0),
        ]
    ).now()
    furnaces = found["furnaces"]
    assert (furnaces["known"], furnaces["heard"]) == (4, 2)
    assert furnaces["by_status"] == {"scored": 1, "degraded": 1}
    assert furnaces["score_lag_s"] == {"p50": 0.3, "p95": 0.3}
    assert found["alarm_manager"] is None
    assert found["console"] == {"browsers": 2}


def test_without_a_window_there_is_no_lag_and_a_heartbeat_is_told_as_it_is():
    beat = Heartbeat(
        service="alarm_manager", epoch=3, seq=9, active_alarms=1, at=utc_from_ns(NOON_NS)
    )
    found = report([], beat).now()
    assert found["furnaces"]["score_lag_s"] is None
    assert found["alarm_manager"]["epoch"] == 3


def test_a_furnaces_inputs_are_those_of_its_newest_window():
    state = SourceState(
        proven=True, boot_id=BOOT, seq=1, event_ns=NOON_NS - NS_PER_S, ingest_ns=NOON_NS,
        standing_since_ns=NOON_NS, stepped_from_ns=None,
    )  # fmt: skip
    (row,) = report([score(0, 2.0, source_states={Modality.VIDEO: state})]).furnaces()
    assert row["id"] == NAMES[0]
    assert row["video_ms"] == (NOON_NS - NS_PER_S) // 10**6
    assert row["current_ms"] is None
