"""Any course of heat, commands, furnace states and managers: what always holds of the records."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.outside import FurnaceStateWord

from tests.support.examples import examples
from tests.unit.core.alarms.samples import point, setpoint
from tests.unit.core.alarms.topic_log import TopicLog
from tests.unit.core.alarms.virtual_plant import VirtualPlant

FURNACE = "a/F1"
NAME, PARENT = f"{FURNACE}/OVERHEAT", f"{FURNACE}/OVERHEAT_HH"
POINTS = (
    point(FURNACE, masked_by=PARENT, suppress_when=["off"], re_alarm_s=15.0, reset_required=True),
    point(FURNACE, alarm_id=PARENT, condition="OVERHEAT_HH", setpoint=setpoint(logit_on=5.0)),
)
LISTED = {"UNACK", "ACKED", "RTNUN", "LATUN", "LATAK"}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "shelve": {"duration_s": 12, "reason": "tests"},
    "shelve once": {"one_shot": True, "reason": "tests"},
    "out_of_service": {"reason": "tests", "work_order": "WO-7"},
}
WORDS = (
    *("ack", "reset", "unshelve", "suppress", "unsuppress", "in_service", "comment"),
    *ARGUMENTS,
)
HAPPENINGS = st.one_of(
    st.sampled_from([-3.0, 3.0, 6.0, None]),
    st.tuples(st.sampled_from(WORDS), st.sampled_from([NAME, PARENT])),
    st.sampled_from([FurnaceStateWord.OFF, FurnaceStateWord.MELTING]),
    st.just("another manager"),
)


def live(course: list[tuple[Any, int]]) -> list[AlarmRecord]:
    """Return the process alarms' records of a course."""
    plant, logit = VirtualPlant((FURNACE,), TopicLog(points={FURNACE: POINTS})), -3.0
    for happening, seconds in course:
        if isinstance(happening, tuple):
            command(plant, *happening)
        elif happening == "another manager":
            plant.wait_away(seconds)
        elif isinstance(happening, FurnaceStateWord):
            plant.say(FURNACE, happening)
        else:
            logit = happening
        plant.run(seconds, lambda _furnace, _second, logit=logit: {"logit": logit})
    return [record for record in plant.log.alarms() if record.class_ == "process"]


def command(plant: VirtualPlant, word: str, alarm_id: str) -> None:
    known = [record for record in plant.log.alarms() if record.alarm_id == alarm_id]
    plant.order(
        word.removesuffix(" once"),
        alarm_id,
        role="engineer",
        arguments=ARGUMENTS.get(word, {}),
        expected_event_id=known[-1].event_id if known else "0" * 32,
    )


@examples(30)
@given(st.lists(st.tuples(HAPPENINGS, st.integers(1, 25)), min_size=3, max_size=14))
def test_what_is_listed_is_not_suppressed_and_the_condition_is_tracked_all_the_while(course):
    last: dict[str, AlarmRecord] = {}
    newest = (0, 0)
    for record in live(course):
        before, cause = last.get(record.alarm_id), record.transition.cause
        assert (record.epoch, record.seq) > newest
        newest, last[record.alarm_id] = (record.epoch, record.seq), record
        assert bool(record.suppressed) == (record.state in ("SHLVD", "DSUPR", "OOSRV"))
        assert record.retain == (record.state in LISTED)
        assert (record.shelve is not None) == ("shelved" in record.suppressed)
        assert (record.out_of_service is not None) == ("out_of_service" in record.suppressed)
        assert record.transition.from_ == (before.state if before else "NORM")
        was_active = before is not None and before.active
        if cause not in ("RAISE", "CLEAR"):
            assert record.active == was_active, cause
        else:
            assert record.active == (cause == "RAISE") != was_active
        if before is not None and before.suppressed and not record.suppressed:
            assert record.state == ("UNACK" if record.active else "NORM")
