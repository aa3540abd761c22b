"""What the manager counts as it goes is what the report counts from the journal."""

from datetime import UTC

from hypothesis import given
from hypothesis import strategies as st
from meltwatch_chassis.metrics import Metrics
from meltwatch_core.alarms.alarm import Alarm, restore
from meltwatch_core.alarms.kpi.lines import line_of
from meltwatch_core.alarms.kpi.load import TEN_MINUTES_NS
from meltwatch_core.alarms.kpi.performance import performance
from meltwatch_core.alarms.manager.figures import LiveFigures
from meltwatch_schemas.instants import ns_from_utc

from tests.support.builders import alarm_point
from tests.support.examples import examples
from tests.unit.core.alarms.kpi.story import DAY_S, Story, at_ns, name, stretch

A, B = name(1), name(2)


def counted(story: Story, now_s: float) -> dict[str, float | None]:
    """Return what the metrics show after a story."""
    metrics = Metrics()
    figures = LiveFigures(metrics)
    alarms = {each: Alarm(alarm_point(each)) for each in (A, B, name(3))}
    for record in story.records:
        before = alarms[record.alarm_id]
        alarms[record.alarm_id] = restore(before, record)
        figures.note(before, alarms[record.alarm_id], record)
        figures.show([], ns_from_utc(record.times.published))
    figures.show([alarm.record for alarm in alarms.values() if alarm.record], at_ns(now_s))
    high = {"priority": "high"}
    value = metrics.registry.get_sample_value
    return {
        "announced": value("meltwatch_alarm_annunciations_total", high) or 0,
        "lately": value("meltwatch_alarm_annunciations_10_minutes"),
        "chattering": value("meltwatch_alarm_chattering_total", high) or 0,
        "fleeting": value("meltwatch_alarm_fleeting_total", high) or 0,
        "responses": value("meltwatch_alarm_response_seconds_count", high) or 0,
        "waited_s": value("meltwatch_alarm_response_seconds_sum", high) or 0,
        "stale": value("meltwatch_alarms_stale"),
    }


def test_each_figure_of_a_day() -> None:
    story = Story().raises(A, 0).acks(A, 40).clears(A, 100)
    for second in (200, 220, 240, 250):
        story.blinks(B, second, 5)
    story.raises(name(3), 400).acks(name(3), 420)
    story.tell(name(3), 700, "REALARM", "UNACK", acked=False).acks(name(3), 710)
    found = counted(story, now_s=1000)
    assert found["announced"] == 7
    assert found["lately"] == 1  # the re-alarm at 700 s: the raise at 400 s is ten minutes old
    assert (found["chattering"], found["fleeting"]) == (2, 4)
    assert (found["responses"], found["waited_s"]) == (3, 40 + 20 + 10)
    assert found["stale"] == 0
    assert counted(story, now_s=400 + DAY_S)["stale"] == 0
    assert counted(story, now_s=401 + DAY_S)["stale"] == 1


def test_an_answer_to_what_was_announced_before_this_manager_has_no_time() -> None:
    story = Story().raises(A, 0).acks(A, 40)
    story.records = story.records[1:]
    assert counted(story, now_s=60)["responses"] == 0


def test_a_call_that_comes_again_gives_no_more_time() -> None:
    story = Story().raises(A, 0).tell(A, 200, "REALARM", "UNACK").acks(A, 500)
    found = counted(story, now_s=600)
    assert (found["announced"], found["responses"], found["waited_s"]) == (2, 1, 500)


def test_what_is_shelved_is_not_stale() -> None:
    story = Story().raises(A, 0).tell(A, 60, "SHELVE", "SHLVD", by="li")
    assert counted(story, now_s=2 * DAY_S)["stale"] == 0


STEPS = st.lists(
    st.tuples(st.integers(1, 400), st.sampled_from([A, B]), st.booleans()), max_size=25
)


@given(STEPS)
@examples(40)
def test_both_count_the_same(steps: list[tuple[int, str, bool]]) -> None:
    story, second, active = Story(), 0, {A: False, B: False}
    for after_s, alarm_id, acknowledges in steps:
        second += after_s
        if active[alarm_id]:
            story.clears(alarm_id, second)
        else:
            story.raises(alarm_id, second)
            if acknowledges:
                second += 1
                story.acks(alarm_id, second)
        active[alarm_id] = not active[alarm_id]
    lines = [line_of(record) for record in story.records]
    whole = performance(lines, stretch(end_s=second + 1), UTC)
    found = counted(story, now_s=second)
    assert found["announced"] == whole.annunciations
    assert found["fleeting"] == whole.fleeting.total()
    assert found["responses"] == sum(each.acknowledged for each in whole.responses.values())
    times = [line.at_ns for line in lines if line.is_annunciation]
    assert found["lately"] == sum(each > at_ns(second) - TEN_MINUTES_NS for each in times)
    assert bool(found["chattering"]) == any(each.is_fast for each in whole.chatter)
