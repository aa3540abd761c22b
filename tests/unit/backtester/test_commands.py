"""What the commands take, and how they tell how far they are."""

import pytest
from meltwatch_backtester import bootstrap
from meltwatch_backtester.commands.options import span_of
from meltwatch_chassis.errors import BadUsage
from meltwatch_chassis.progress import Lines, progress
from meltwatch_schemas.window import NS_PER_S

from tests.support.history import HistoryInMemory
from tests.support.murmur2 import partition_of


class Clock:
    """Stands until it is moved."""

    def __init__(self) -> None:
        self.at_s = 0.0

    def now_ns(self) -> int:
        return 0

    def monotonic_ns(self) -> int:
        return round(self.at_s * NS_PER_S)


def test_a_span_lies_between_two_moments():
    span = span_of("2026-01-01T00:00:00.0005Z", "2026-01-01T00:00:01Z")

    assert span.to_ns - span.from_ns == NS_PER_S, "whole milliseconds"
    assert str(span) == "2026-01-01T00:00:00.000000Z to 2026-01-01T00:00:01.000000Z"
    relative = span_of("-10m", "-1m")
    assert relative.to_ns - relative.from_ns == 540 * NS_PER_S


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        ("yesterday", "now", "--from: expected 90s, 10m"),
        ("10m", "soon", "--to: expected 90s, 10m"),
        ("1m", "10m", "expected the later time second"),
        ("now", "now", "expected the later time second"),
    ],
)
def test_what_is_no_span_is_bad_usage(since, until, expected):
    with pytest.raises(BadUsage, match=expected):
        span_of(since, until)


def test_furnaces_choose_their_partitions():
    history = HistoryInMemory({}, partitions=12)
    furnaces = ["a/b/FMF-01", "a/b/FMF-02"]

    assert bootstrap.partitions_of(history, []) is None
    assert bootstrap.partitions_of(history, furnaces) == {
        partition_of(furnace.encode(), 12) for furnace in furnaces
    }


def test_what_is_no_furnace_id_is_bad_usage():
    with pytest.raises(BadUsage, match="--furnace: "):
        bootstrap.partitions_of(HistoryInMemory({}), ["a//b"])


def test_progress_is_a_line_now_and_then_with_rate_and_time_left(capsys):
    clock = Clock()
    lines = Lines("recording", "records", 1000, clock)
    for clock.at_s in (1, 5, 6, 9.9, 10, 12):
        lines.advance(50)

    assert capsys.readouterr().err.splitlines() == [
        "recording: 100 of 1000 records, 20/s, 45 s left",
        "recording: 250 of 1000 records, 25/s, 30 s left",
    ]


def test_progress_without_a_total_has_a_rate_alone(capsys):
    clock = Clock()
    lines = Lines("looking", "scores", None, clock)
    clock.at_s = 5
    lines.advance(10)

    assert capsys.readouterr().err == "looking: 10 scores, 2/s\n"


def test_short_work_says_nothing_where_nobody_watches(capsys):
    with progress("recording", "records", 2) as advance:
        advance(2)

    assert capsys.readouterr() == ("", "")


def test_on_a_terminal_progress_is_a_bar_with_the_rate(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    with progress("recording", "records", 4) as advance:
        for _ in range(4):
            advance(1)

    said = capsys.readouterr().err
    assert "recording" in said
    assert "4 records" in said
    assert "/s" in said
