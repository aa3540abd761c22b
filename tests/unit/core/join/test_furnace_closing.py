"""The doors by which replay closes windows where live did, and goes on where live stood."""

import pytest
from meltwatch_core.join.furnace import Furnace, JoinContext
from meltwatch_core.join.merge import Reading
from meltwatch_core.join.quality import FeatureExtractor
from meltwatch_core.join.restore import resume
from meltwatch_core.join.window import AlignedWindow
from meltwatch_schemas.score import Modality

from tests.support.oracle import Record, Step
from tests.support.rule_numbers import CURRENT, VIDEO
from tests.unit.core.join.lives import TOPICS, Broker, Process, described, score_of
from tests.unit.core.join.sequences import (
    ENCODER,
    SMALL,
    at_once,
    chunk_of,
    join,
    read_at,
    rules_of,
    silence_after,
)

RULES = rules_of(SMALL)
CONTEXT = JoinContext(7, ENCODER.encoder_id, FeatureExtractor(ENCODER.basis), RULES)
NAME = "site/a"


def furnace_with(*times: int) -> Furnace:
    furnace = Furnace(CONTEXT, NAME, None)
    for offset, time in enumerate(times):
        record = Record(CURRENT, offset, NAME, "one", (time,), ((1.0, 2.0, 3.0),), time)
        furnace.admit(chunk_of(record), offset)
    return furnace


def end_after(time: int) -> int:
    return RULES.spec.first_end_after(NAME, time)


def test_windows_close_up_to_an_instant_whatever_the_watermark_says():
    furnace = furnace_with(200)
    furnace.heard(Modality.CURRENT, Reading(0))
    assert furnace.close_due({Modality.CURRENT: 0}).windows == []
    last = end_after(200) + RULES.spec.hop_ns
    closed = furnace.close_until(last, {Modality.CURRENT: 0}).windows
    assert [window.window_end_ns for window in closed] == [end_after(200), last]
    assert {window.cuts[Modality.CURRENT].last_handed_on for window in closed} == {0}
    assert furnace.close_until(last, {}).windows == []


def test_windows_are_skipped_unseen_and_counted_where_they_have_an_event():
    furnace, lookback = furnace_with(200), RULES.spec.lookback_ns
    spoken = [end for end in range(end_after(200), 1000, RULES.spec.hop_ns) if end < 200 + lookback]
    assert furnace.skip_until(900) == len(spoken) > 0
    assert furnace.closed_ns == max(end for end in range(end_after(200), 901, RULES.spec.hop_ns))
    assert furnace.skip_until(900) == 0


def test_a_window_is_silent_without_an_event_in_its_look_back():
    furnace = furnace_with(200)
    assert not furnace.is_silent(end_after(200))
    assert not furnace.is_silent(200 + RULES.spec.lookback_ns - 1)
    assert furnace.is_silent(200 + RULES.spec.lookback_ns)
    assert furnace.is_silent(199)


def test_all_is_closed_only_when_retirement_has_closed_it():
    furnace = furnace_with(*range(200, 300, 3))
    assert furnace.close_until(290, {}).windows
    assert not furnace.has_closed_all
    assert furnace.close_until(furnace.last_end_ns, {}).windows
    assert furnace.has_closed_all


def test_a_life_goes_on_from_its_last_window_though_no_record_is_read_again():
    windows = windows_of_a_meter()
    scores = [score_of(window) for window in windows[:-1]]
    past = resume({}, scores, TOPICS).furnaces[NAME]
    furnace = Furnace(CONTEXT, NAME, past.closed_ns, past)
    again = furnace.close_until(windows[-1].window_end_ns, {}).windows
    assert [window.window_end_ns for window in again] == [windows[-1].window_end_ns]
    assert again[0].sources == windows[-1].sources
    assert furnace.sources == {Modality.CURRENT: "one"}


METER = described("\n".join(f"current {n} a one {200 + 3 * n}" for n in range(20)))


def windows_of_a_meter() -> list[AlignedWindow]:
    steps = at_once(METER)
    outcomes = join([*steps, silence_after(steps, SMALL)], SMALL)
    return [window for outcome in outcomes for window in outcome.windows]


@pytest.mark.parametrize("turned", [False, True])
def test_what_a_new_record_has_changed_stays_when_the_other_topic_is_read_again(turned):
    """A camera that speaks up for the first time keeps its claim, in whichever order."""
    camera = Record(VIDEO, 0, NAME, "north", (262,), (1.0,), 262)
    broker = Broker()
    first = Process(broker)
    for record in METER:
        now = record.times[0]
        first.take(Step(now, read_at(now).read_as_of, record))
    first.publish(-1, 10**6)
    assert broker.published
    second = Process(broker)
    order = [*METER[:-1], camera, METER[-1]] if turned else [*METER, camera]
    for step in at_once(order):
        second.take(step)
    other = Record(VIDEO, 1, NAME, "south", (263,), (1.0,), 263)
    outcome = second.take(Step(0, {}, other))
    assert outcome is not None
    assert outcome.refusal is not None
