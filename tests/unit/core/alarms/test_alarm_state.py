import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from meltwatch_core.alarms.alarm_state import Facts, Trigger, WrongState, derive, step
from meltwatch_schemas.alarm import AlarmPoint, AlarmState

from tests.support.examples import examples
from tests.unit.core.alarms.samples import point

NORM, UNACK, ACKED = AlarmState.NORM, AlarmState.UNACK, AlarmState.ACKED
RTNUN, LATUN, LATAK = AlarmState.RTNUN, AlarmState.LATUN, AlarmState.LATAK
DSUPR = AlarmState.DSUPR
OVER = "DSUPR, condition over"
FACTS = {
    NORM: Facts(active=False, acked=True, latched=False),
    UNACK: Facts(active=True, acked=False, latched=False),
    ACKED: Facts(active=True, acked=True, latched=False),
    RTNUN: Facts(active=False, acked=False, latched=False),
    LATUN: Facts(active=False, acked=False, latched=True),
    LATAK: Facts(active=False, acked=True, latched=True),
    DSUPR: Facts(active=True, acked=False, latched=False, masked=True),
    OVER: Facts(active=False, acked=False, latched=False, masked=True),
}
ACK_ONLY = point(ack_required=True, reset_required=False)
NEITHER = point(ack_required=False, reset_required=False)
RESET_TOO = point(ack_required=True, reset_required=True)
RESET_ONLY = point(ack_required=False, reset_required=True)
RAISE, CLEAR, ACK, RESET = Trigger.RAISE, Trigger.CLEAR, Trigger.ACK, Trigger.RESET
SUPPRESS, UNSUPPRESS = Trigger.SUPPRESS, Trigger.UNSUPPRESS

# The table of the design page, row by row; whatever is not in it must be refused.
ALWAYS = {
    (NORM, RAISE): UNACK,
    (RTNUN, RAISE): UNACK,
    (LATUN, RAISE): UNACK,
    (LATAK, RAISE): UNACK,
    (UNACK, ACK): ACKED,
    (RTNUN, ACK): NORM,
    (LATUN, ACK): LATAK,
    (LATAK, RESET): NORM,
    (UNACK, SUPPRESS): DSUPR,
    (ACKED, SUPPRESS): DSUPR,
    (RTNUN, SUPPRESS): DSUPR,
    (LATUN, SUPPRESS): DSUPR,
    (LATAK, SUPPRESS): DSUPR,
    (OVER, RAISE): DSUPR,
    (DSUPR, CLEAR): NORM,
    (DSUPR, UNSUPPRESS): UNACK,
    (OVER, UNSUPPRESS): NORM,
}
BY_POINT = [
    (ACK_ONLY, {(UNACK, CLEAR): RTNUN, (ACKED, CLEAR): NORM, (LATUN, RESET): RTNUN}),
    (NEITHER, {(UNACK, CLEAR): NORM, (ACKED, CLEAR): NORM, (LATUN, RESET): NORM}),
    (RESET_TOO, {(UNACK, CLEAR): LATUN, (ACKED, CLEAR): LATAK, (LATUN, RESET): RTNUN}),
    (RESET_ONLY, {(UNACK, CLEAR): LATUN, (ACKED, CLEAR): LATAK, (LATUN, RESET): NORM}),
]


@pytest.mark.parametrize(("alarm_point", "own"), BY_POINT)
@pytest.mark.parametrize("state", FACTS)
@pytest.mark.parametrize("trigger", Trigger)
def test_every_state_and_trigger_gives_the_tabled_state_or_a_refusal(
    alarm_point, own, state, trigger
):
    target = (ALWAYS | own).get((state, trigger))
    if target is None:
        with pytest.raises(WrongState, match=derive(FACTS[state])):
            step(FACTS[state], trigger, alarm_point)
    else:
        assert derive(step(FACTS[state], trigger, alarm_point)) is target


@given(st.builds(Facts, st.booleans(), st.booleans(), st.booleans(), st.booleans()))
def test_the_list_holds_what_is_neither_normal_nor_masked(facts):
    assert facts.retain == (derive(facts) not in (NORM, DSUPR))
    assert facts.suppressed == (["masked"] if facts.masked else [])


class AlarmLife(RuleBasedStateMachine):
    """Any sequence of triggers on any kind of alarm point."""

    point: AlarmPoint

    def __init__(self) -> None:
        super().__init__()
        self.point = RESET_TOO
        self.before = self.facts = Facts()
        self.last: Trigger | None = None

    @rule(kind=st.sampled_from([ACK_ONLY, NEITHER, RESET_TOO, RESET_ONLY]))
    def change_point(self, kind):
        self.point = kind
        self.last = None

    @rule(trigger=st.sampled_from(Trigger))
    def trigger(self, trigger):
        self.before, self.last = self.facts, trigger
        try:
            self.facts = step(self.facts, trigger, self.point)
        except WrongState:
            assert self.facts == self.before
            self.last = None

    @precondition(lambda self: self.last is not None)
    @invariant()
    def only_raise_and_clear_touch_the_condition(self):
        changed = self.facts.active != self.before.active
        assert changed == (self.last in (RAISE, CLEAR))

    @precondition(lambda self: self.last is RAISE)
    @invariant()
    def every_raise_is_announced_unless_a_parent_stands(self):
        assert derive(self.facts) is (DSUPR if self.before.masked else UNACK)

    @precondition(lambda self: self.last is UNSUPPRESS)
    @invariant()
    def what_is_true_when_its_parent_ends_is_announced(self):
        assert derive(self.facts) is (UNACK if self.before.active else NORM)

    @precondition(lambda self: self.last is not None and self.before.masked)
    @invariant()
    def nothing_is_announced_under_a_parent(self):
        assert self.last is UNSUPPRESS or derive(self.facts) in (DSUPR, NORM)

    @invariant()
    def what_is_latched_is_not_active(self):
        assert not (self.facts.latched and self.facts.active)


AlarmLife.TestCase.settings = examples(30, stateful_step_count=100)
TestAlarmLife = AlarmLife.TestCase
