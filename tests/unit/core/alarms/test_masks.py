"""Parents and children over any course of faults."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from meltwatch_core.alarms.system_alarms import parents
from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.identifiers import split_alarm_id
from meltwatch_schemas.score import Modality

from tests.support.examples import examples
from tests.unit.core.alarms.samples import PREFIX
from tests.unit.core.alarms.virtual_plant import VirtualPlant, marked, unscored

FURNACES = ("a/F1", "a/F2", "a/F3")
FAULTS: dict[str, dict[str, Any] | None] = {
    "fine": {},
    "silent": None,
    "no camera": marked("no_video", modalities=(Modality.CURRENT,)),
    "no meter": marked("no_current", modalities=(Modality.VIDEO,)),
    "no model": unscored("model_unavailable"),
    "slow model": marked("scoring_lag"),
    "hot": {"logit": 6.0},
    "wrong clock": marked("clock_step_video"),
}
WHAT = st.sampled_from(sorted(FAULTS))
COURSES = st.lists(
    st.tuples(st.sampled_from([7, 25, 45]), st.tuples(WHAT, WHAT, WHAT)), min_size=1, max_size=5
)


def parents_of(record: AlarmRecord) -> tuple[str, ...]:
    return parents(*split_alarm_id(record.alarm_id), PREFIX)


@examples(10)
@given(COURSES, st.integers(0, 4))
def test_no_child_is_announced_under_its_parent_and_none_is_forgotten_after_it(
    course: list[tuple[int, tuple[str, ...]]], taken_over_after: int
) -> None:
    plant = VirtualPlant(FURNACES)
    for number, (seconds, faults) in enumerate([*course, (60, course[-1][1])]):
        each = dict(zip(FURNACES, faults, strict=True))
        plant.run(seconds, lambda name, _, each=each: FAULTS[each[name]])
        if number == taken_over_after:
            plant.take_over()

    last: dict[str, AlarmRecord] = {}
    for record in plant.log.alarms():
        standing = {name for name, known in last.items() if known.active}
        begins = record.state == "UNACK" and record.transition.from_ != "UNACK"
        assert not begins or standing.isdisjoint(parents_of(record)), record
        last[record.alarm_id] = record
    standing = {name for name, record in last.items() if record.active}
    for record in last.values():
        is_covered = not standing.isdisjoint(parents_of(record))
        assert (record.state == "DSUPR") == (record.active and is_covered), record
