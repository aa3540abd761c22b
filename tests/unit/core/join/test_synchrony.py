"""When clocks count as apart: limits, hysteresis, expiry, the commissioned offset."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_core.join.synchrony import SkewLevel, Synchrony, level_of
from meltwatch_schemas.score import Modality
from meltwatch_schemas.window import NS_PER_S
from meltwatch_simulator.scenario import Scenario, furnace_ids

from tests.support.arcs import FRAME_S, SAMPLE_S, Arcs, Observer
from tests.support.skew_report import watch_furnace

CAMERA = Observer(period_s=FRAME_S, snr=3)
METER = Observer(period_s=SAMPLE_S, snr=3)
TEN_MINUTES_S = 600.0
Events = list[tuple[float, Modality, float]]
Changes = list[tuple[float, SkewLevel]]


def seen(camera: Observer, seconds: float, begin_s: float = 0.0, meter: Observer = METER) -> Events:
    """What both send of one furnace, in order of their stamps."""
    arcs = Arcs(int(begin_s) + 1, seconds)
    events: Events = []
    for modality, observer in ((Modality.VIDEO, camera), (Modality.CURRENT, meter)):
        stamps_s, values = observer.see(arcs, seconds, 17)
        events += [
            (begin_s + 10 + stamp_s, modality, value)
            for stamp_s, value in zip(stamps_s.tolist(), values.tolist(), strict=True)
        ]
    return sorted(events)


def unrelated(seconds: float, begin_s: float) -> Events:
    """Arcs that the camera sees and the meter does not."""
    other = seen(CAMERA, seconds, begin_s + 1)
    return sorted(
        [event for event in seen(CAMERA, seconds, begin_s) if event[1] is Modality.VIDEO]
        + [event for event in other if event[1] is Modality.CURRENT]
    )


def follow(events: Events, offset_s: float = 0.0) -> tuple[Synchrony, Changes]:
    """Return the furnace's state at the end, and when its level changed."""
    furnace, changes = Synchrony(offset_s), Changes()
    for stamp_s, modality, value in events:
        furnace.note(modality, round(stamp_s * NS_PER_S), value)
        if furnace.update():
            changes.append((stamp_s, furnace.level))
    return furnace, changes


@pytest.mark.parametrize(
    ("ahead_s", "level"),
    [
        (-3.0, SkewLevel.ALARM),
        (-0.3, SkewLevel.ALARM),
        (-0.2, SkewLevel.WARNING),
        (-0.05, SkewLevel.FINE),
        (0.05, SkewLevel.FINE),
        (0.2, SkewLevel.WARNING),
        (0.3, SkewLevel.ALARM),
        (3.0, SkewLevel.ALARM),
    ],
)
def test_the_alarm_begins_at_a_quarter_of_a_second(ahead_s: float, level: SkewLevel) -> None:
    furnace, changes = follow(seen(replace(CAMERA, ahead_s=ahead_s), 700))
    assert furnace.level is level
    assert furnace.skew_s == pytest.approx(ahead_s, abs=0.05)
    assert len(changes) == 1


def test_nothing_is_known_before_most_of_ten_minutes_have_passed() -> None:
    _, ((stamp_s, level),) = follow(seen(CAMERA, 700))
    assert level is SkewLevel.FINE
    assert 0.8 * TEN_MINUTES_S <= stamp_s - 10 <= TEN_MINUTES_S + 60


def test_the_commissioned_offset_is_no_skew() -> None:
    glow_follows = replace(CAMERA, ahead_s=0.4)
    furnace, _ = follow(seen(glow_follows, 700), offset_s=0.4)
    assert furnace.level is SkewLevel.FINE
    assert furnace.skew_s == pytest.approx(0.0, abs=0.05)


def test_a_corrected_clock_ends_the_alarm_within_ten_minutes() -> None:
    apart = seen(replace(CAMERA, ahead_s=0.8), 700)
    _, changes = follow([*apart, *seen(CAMERA, 700, begin_s=710)])
    found = [level for _, level in changes]
    assert found[-1] is SkewLevel.FINE
    assert found == sorted(found, reverse=True)
    assert changes[-1][0] - 720 < TEN_MINUTES_S


def test_a_drifting_clock_passes_the_warning_before_the_alarm() -> None:
    _, changes = follow(seen(replace(CAMERA, drift=200e-6), 2400))
    assert [level for _, level in changes] == [
        SkewLevel.FINE, SkewLevel.WARNING, SkewLevel.ALARM,
    ]  # fmt: skip


def test_a_skew_that_is_not_seen_again_for_ten_minutes_is_unknown() -> None:
    apart = seen(replace(CAMERA, ahead_s=0.8), 700)
    furnace, changes = follow([*apart, *unrelated(1500, begin_s=710)])
    assert [level for _, level in changes] == [SkewLevel.ALARM, SkewLevel.UNKNOWN]
    assert furnace.skew_s is None
    assert changes[-1][0] - 710 >= TEN_MINUTES_S


def test_a_silent_camera_makes_the_skew_unknown_while_the_meter_goes_on() -> None:
    meter_alone = [e for e in seen(CAMERA, 900, begin_s=710) if e[1] is Modality.CURRENT]
    furnace, _ = follow([*seen(CAMERA, 700), *meter_alone])
    assert (furnace.level, furnace.skew_s) == (SkewLevel.UNKNOWN, None)


def test_a_simulated_furnace_whose_light_does_not_follow_its_currents_has_no_skew() -> None:
    """For longer spans and more furnaces see the report."""
    scenario = Scenario(42, furnace_ids(1), 1_800_000_000 * NS_PER_S, None)
    assert watch_furnace(scenario, scenario.furnace_ids[0], 0.5) == (0, 0)


def levels(skews_s: list[float | None]) -> list[SkewLevel]:
    found, level = [], SkewLevel.UNKNOWN
    for skew_s in skews_s:
        level = level_of(skew_s, level)
        found.append(level)
    return found


def test_a_level_ends_later_than_it_began() -> None:
    assert levels([0.24, 0.26, -0.21, 0.19, 0.09, 0.07, 0.09, None]) == [
        SkewLevel.WARNING, SkewLevel.ALARM, SkewLevel.ALARM, SkewLevel.WARNING,
        SkewLevel.WARNING, SkewLevel.FINE, SkewLevel.FINE, SkewLevel.UNKNOWN,
    ]  # fmt: skip


@given(st.lists(st.none() | st.floats(-5, 5), max_size=30))
def test_the_sign_of_a_skew_does_not_matter(skews_s: list[float | None]) -> None:
    turned = [None if skew_s is None else -skew_s for skew_s in skews_s]
    assert levels(turned) == levels(skews_s)


@given(st.lists(st.floats(0.2001, 0.2499), max_size=30), st.booleans())
def test_within_the_hysteresis_nothing_changes(skews_s: list[float], begin_in_alarm: bool) -> None:
    first_s = 0.3 if begin_in_alarm else 0.15
    assert len(set(levels([first_s, *skews_s]))) == 1


def test_what_it_holds_does_not_grow() -> None:
    furnace, _ = follow(seen(Observer(period_s=0.04), 700))
    before = furnace.size_bytes
    for stamp in np.arange(200, 2000, 0.1).tolist():
        furnace.note(Modality.VIDEO, round(stamp * NS_PER_S), stamp)
    assert furnace.size_bytes == before < 80_000
