import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_chassis.run_state import ServiceState
from meltwatch_local_cluster.screen.parts import (
    elapsed_text,
    share_text,
    shortened,
    sparkline,
)
from meltwatch_local_cluster.screen.pipeline import status_line
from meltwatch_local_cluster.screen.presenters import LinePresenter, draw
from meltwatch_schemas.text import is_printable
from meltwatch_schemas.wording import age_text
from meltwatch_simulator.scenario import furnace_ids
from rich.console import Console

from tests.support.run_snapshots import at, heartbeat, snapshot, streamed
from tests.support.timed_records import alarm_record, window_score

SIZES = [(80, 24), (100, 30), (200, 60)]


def text_of(shown, width=80, height=24):
    """The screen without colours, as the operator who sees none reads it."""
    console = Console(width=width, height=height, file=io.StringIO(), color_system=None)
    with console.capture() as capture:
        console.print(draw(shown, width, height))
    return capture.get()


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_essentials_stand_on_every_size(width, height):
    names = furnace_ids(2)
    run = streamed(*names, until_s=60)
    run.add_score(window_score(names[0], at(61), probability=0.97))
    run.add_alarm(alarm_record(f"{names[0]}/OVERHEAT", raised_s=35))

    text = text_of(snapshot(run, 62), width, height)

    for fact in (
        "01:02 of 02:30",
        "2026-11-22 12:01:02Z",
        "Kafka 127.0.0.1:20001",
        "Triton 127.0.0.1:20003",
        names[0],
        names[1],
        "0.97",
        "1.0 s",
        "1 stand, 1 unacknowledged; 1 raised so far",
        "▲ UNACK high     12:00:35Z   27 s  demo/smelting-1/FMF-01/OVERHEAT",
        f"{run.live['scored']} scored  0 degraded  0 unscored  2 skipped",
        "0 late  0 duplicate  0 dead letters",
        "to score p50 0.50 s",
        "2 watched, 0 blind; 1 stand",
        "5 min left: Lower the electrode current.",
        "● all 4 run",
        "meltwatch alarms list",
        "Ctrl-C stops",
    ):
        assert fact in text
    assert ("after 10 s of warm-up" in text) == (width > 80)
    assert "secret" not in text


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("furnaces", [0, 1, 2, 5, 40])
@pytest.mark.parametrize("alarms", [0, 1, 4, 40])
@pytest.mark.parametrize("irregular", [0, 2, 9])
def test_the_screen_always_fits(width, height, furnaces, alarms, irregular):
    names = furnace_ids(furnaces)
    run = streamed(*names, until_s=4)
    for number in range(alarms):
        run.add_alarm(alarm_record(f"site/F{number}/OVERHEAT", raised_s=number))
    down = ServiceState(pid=None, state="down", detail="down since 12:00:03 UTC: " + "word " * 60)
    services = {"stream_processor": down, "alarm_manager": down, "video_producer": down}

    kinds = {f"kind_{number}": number for number in range(9)}
    odd = {f"a/very/long/path/of/levels/F{number}": kinds for number in range(irregular)}
    shown = snapshot(run, 5, services, "Kafka does not answer", odd)
    lines = text_of(shown, width, height).splitlines()

    assert len(lines) <= height
    assert max(map(len, lines)) <= width
    assert "Ctrl-C stops" in lines[-1]
    if alarms:
        assert any("▲ UNACK" in line for line in lines)


def test_what_does_not_fit_is_counted_and_the_alarming_furnaces_stay():
    names = furnace_ids(40)
    run = streamed(*names, until_s=4)
    run.add_alarm(alarm_record(f"{names[37]}/OVERHEAT"))

    text = text_of(snapshot(run, 5))

    assert f"{names[37]} ▲ UNACK" in text
    assert "more" in text


def test_a_furnace_without_windows_is_awaited():
    assert "awaited" in text_of(snapshot(streamed("f", until_s=0), 1))


def test_trouble_is_told_in_words():
    down = ServiceState(pid=None, state="down", detail="down since 12:00:03 UTC, death 2")
    waits = ServiceState(pid=5, state="degraded", detail="Triton does not answer since 12:00:40Z")
    run = streamed("f", until_s=20)
    run.add_score(window_score("f", at(21), probability=None))
    run.dead_letters["malformed"] += 3
    run.late = 5
    run.heartbeat = heartbeat(20)

    services = {"alarm_manager": down, "stream_processor": waits}
    text = text_of(snapshot(run, 61, services, "Kafka does not answer: X"))

    for fact in (
        "✖ down  alarm_manager: down since 12:00:03 UTC, death 2",
        "◐ degraded  stream_processor: Triton does not answer since 12:00:40Z",
        "✖ this screen grows old: Kafka does not answer: X",
        "no heartbeat of the alarm manager for 41 s",
        "3 dead letters  malformed 3",
        "5 late",
        "1 unscored",
        "40 s",
    ):
        assert fact in text


@pytest.mark.parametrize("state", ["UNACK", "RTNUN", "LATUN"])
def test_what_nobody_has_acknowledged_counts_as_such_whatever_its_condition(state):
    run = streamed("f", until_s=20)
    run.add_alarm(alarm_record("f/OVERHEAT", state, raised_s=15))
    run.add_alarm(alarm_record("f/OTHER", "ACKED", raised_s=15))

    assert "2 stand, 1 unacknowledged" in text_of(snapshot(run, 21))


def test_what_to_do_and_how_long_one_has_stands_under_each_active_alarm():
    run = streamed("f", until_s=500)
    guidance = {"consequence": "It melts.", "action": "Cool it.", "time_to_respond_s": 300}
    run.add_alarm(alarm_record("f/OVERHEAT", raised_s=400, guidance=guidance))
    run.add_alarm(alarm_record("f/OTHER", raised_s=50, guidance=guidance))
    run.add_alarm(alarm_record("f/GONE", "RTNUN", raised_s=50, guidance=guidance))

    text = text_of(snapshot(run, 500), height=30)

    assert "3 min left: Cool it." in text
    assert "150 s over time" in text or "2 min over time: Cool it." in text
    assert text.count("Cool it.") == 2


def test_alarms_never_stand_without_what_is_watched_and_how_old_that_is():
    run = streamed("f", "g", until_s=20)

    assert "2 watched, 0 blind; 0 stand" in text_of(snapshot(run, 21))
    assert "old: nothing heard for 16 s; 0 stand" in text_of(snapshot(run, 36))
    run.add_heartbeat(heartbeat(36, watched=2, blind=1))
    assert "2 watched, 1 blind; 0 stand" in text_of(snapshot(run, 37))
    run.add_heartbeat(heartbeat(37))
    assert "nobody says how many are watched" in text_of(snapshot(run, 38))


def test_signs_of_life_of_others_are_none_of_the_alarm_manager():
    run = streamed("f", until_s=20)
    run.add_heartbeat(heartbeat(30).model_copy(update={"service": "console"}))

    assert "old: nothing heard for 20 s" in text_of(snapshot(run, 40))


@given(st.text(st.characters(codec=None), min_size=1, max_size=60))
def test_text_from_outside_neither_steers_a_terminal_nor_forges_a_line(text):
    hostile = f"{text}\x1b[2J\x1b]0;owned\x07\r\n\u202e"
    run = streamed("f", until_s=20)
    guidance = {"consequence": hostile, "action": hostile, "time_to_respond_s": 300}
    record = alarm_record("f/OVERHEAT", raised_s=15)
    told = record.model_copy(
        update={
            "message": hostile,
            "guidance": record.guidance.model_copy(update=guidance),
            "transition": record.transition.model_copy(update={"comment": hostile, "by": hostile}),
        }
    )
    run.add_alarm(told)
    run.dead_letters[hostile] += 1
    down = ServiceState(pid=None, state="down", detail=hostile)
    shown = snapshot(run, 21, {"stream_processor": down}, hostile, {"f": {hostile: 3}})
    out = io.StringIO()

    lines = text_of(shown).split("\n")
    LinePresenter(out).show(shown, [told])

    assert all(map(is_printable, lines))
    assert len(lines) <= 25
    written = out.getvalue().splitlines()
    assert all(map(is_printable, written))
    assert len(written) == 1 + 1 + 4 + 1


def test_irregularities_are_told_per_furnace_where_there_are_any():
    odd = {
        "f": {"late": 3, "duplicate": 1, "future_event_time": 2, "unexpected_source": 4},
        "g": {"frozen_video": 60, "late": 0},
        "h": {"late": 0},
    }

    text = text_of(snapshot(streamed("f", until_s=2), 3, irregularities=odd))

    assert "IRREGULAR  g  frozen_video 60 " in text
    assert "f  source 4 · late 3 · future 2 · dup 1" in text
    assert "\n           h" not in text
    assert "IRREGULAR" not in text_of(snapshot(streamed("f", until_s=2), 3))


def test_the_worst_furnaces_stand_first_and_the_others_are_counted():
    odd = {f"f{number}": {"late": number} for number in range(1, 8)}

    lines = text_of(snapshot(streamed("f", until_s=2), 3, irregularities=odd)).splitlines()

    (first,) = (n for n, line in enumerate(lines) if line.startswith("IRREGULAR"))
    assert [line.strip() for line in lines[first : first + 3]] == [
        "IRREGULAR  f7  late 7",
        "f6  late 6",
        "f5  late 5  … 4 more furnaces",
    ]


def test_the_status_line_says_the_same_in_one_line():
    run = streamed("f", until_s=20)
    run.add_alarm(alarm_record("f/OVERHEAT", raised_s=15))

    line = status_line(snapshot(run, 21))

    assert line == (
        "00:21 windows 14 scored, 0 degraded, 0 unscored; 0 late, 0 dead letters; "
        "alarms 1 standing, 1 raised; 1 watched, 0 blind; all services run"
    )


@given(st.lists(st.none() | st.floats(0, 1), max_size=30), st.integers(0, 20))
def test_a_sparkline_has_a_mark_for_each_of_the_newest_windows(probabilities, width):
    line = sparkline(probabilities, width)

    assert len(line) == width
    assert len(line.strip()) == min(width, len(probabilities))
    marks = zip(line.strip(), probabilities[-width:] if width else [], strict=True)
    assert all((mark == "·") == (value is None) for mark, value in marks)


def test_bars_rise_with_the_probability():
    assert sparkline([0.0, 0.124, 0.126, 0.5, 0.99, 1.0], 7) == " ▁▁▂▅██"


@given(st.floats(0, 1e6))
def test_an_age_takes_six_characters_at_most(seconds):
    assert len(age_text(seconds)) <= 6


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "00:00"), (-1, "00:00"), (61.9, "01:01"), (3_725, "1:02:05")]
)
def test_elapsed_time_reads_like_a_clock(seconds, text):
    assert elapsed_text(seconds) == text


def test_a_share_is_100_per_cent_only_if_nothing_is_missing():
    assert [share_text(share) for share in (0, 0.5, 0.999, 1)] == ["0%", "50%", "99%", "100%"]


def test_a_long_id_keeps_its_end():
    assert shortened("plant/shop/FMF-03", 8) == "…/FMF-03"
    assert shortened("FMF-03", 8) == "FMF-03"
