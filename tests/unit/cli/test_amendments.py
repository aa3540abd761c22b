"""What a file of alarm points would change, and how the change is recorded."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from meltwatch_cli.domain.amendments import amendments, listed
from meltwatch_schemas.alarm_point import AlarmPoint
from meltwatch_schemas.default_points import default_points

A, B = (default_points(f"site/area/F-{number}")[0] for number in (1, 2))
AT = datetime(2026, 11, 29, tzinfo=UTC)
HIGHER = A.model_copy(
    update={
        "setpoint": A.setpoint.model_copy(update={"logit_on": 4.5}),
        "setpoint_basis": "backtest 5f0c",
    }
)


def test_what_is_new_and_what_differs_is_told_field_by_field() -> None:
    changed, new = amendments([HIGHER, B], {A.alarm_id: A})

    assert next(changed.lines()) == f"{A.alarm_id}: changed"
    assert f"  setpoint.logit_on: {A.setpoint.logit_on} -> 4.5" in [*changed.lines()]
    assert len([*changed.lines()]) == 3
    assert next(new.lines()) == f"{B.alarm_id}: new on the topic"
    assert changed.sets_anew
    assert new.sets_anew


def test_the_record_names_who_why_and_the_set_point_before() -> None:
    (changed,) = amendments([HIGHER], {A.alarm_id: A})

    written = AlarmPoint.from_json(changed.recorded("li", "winter lining", AT).to_json())

    assert written.change is not None
    assert (written.change.by, written.change.why, written.change.at) == ("li", "winter lining", AT)
    assert (written.change.old, written.change.old_basis) == (A.setpoint, A.setpoint_basis)
    assert (written.setpoint, written.setpoint_basis) == (HIGHER.setpoint, "backtest 5f0c")


@given(st.lists(st.sampled_from([A, B, HIGHER]), unique_by=lambda point: point.alarm_id))
def test_what_was_written_is_not_written_again(wanted: list[AlarmPoint]) -> None:
    topic = {A.alarm_id: A}
    for change in amendments(wanted, topic):
        topic[change.after.alarm_id] = change.recorded("li", "why", AT)

    assert amendments(wanted, topic) == []
    assert amendments(listed({}, topic), topic) == []


def test_the_topic_stands_over_the_plant() -> None:
    assert listed({"site/area/F-1": (A,), "site/area/F-2": (B,)}, {A.alarm_id: HIGHER}) == [
        HIGHER,
        B,
    ]
