"""Every state and trigger, held against the page's table, which is written down here once more."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from meltwatch_core.alarms.alarm_state import (
    BY_DESIGN,
    OWN_RULES,
    Facts,
    Given,
    Suppression,
    Trigger,
    WrongState,
    derive,
    step,
)
from meltwatch_schemas.alarm import AlarmState, OutOfService, Shelve
from meltwatch_schemas.alarm_point import AlarmPoint

from tests.support.examples import examples
from tests.unit.core.alarms.samples import point

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER, EARLIER = NOW + timedelta(hours=1), NOW - timedelta(seconds=1)
SHELF = Shelve(until=LATER, by="li.wei", reason="chattering")
ONE_SHOT = SHELF.model_copy(update={"one_shot": True})
RUN_OUT = SHELF.model_copy(update={"until": NOW})
ANOTHER = SHELF.model_copy(update={"by": "wang"})
TAKEN_OUT = OutOfService(since=EARLIER, by="chen", reason="new lining", work_order="WO-7")
MASKED, COMMANDED = Suppression.MASKED, Suppression.COMMANDED

NORM, UNACK, ACKED = AlarmState.NORM, AlarmState.UNACK, AlarmState.ACKED
RTNUN, LATUN, LATAK = AlarmState.RTNUN, AlarmState.LATUN, AlarmState.LATAK
SHLVD, DSUPR, OOSRV = AlarmState.SHLVD, AlarmState.DSUPR, AlarmState.OOSRV
PLAIN = {
    NORM: Facts(active=False, acked=True, latched=False),
    UNACK: Facts(active=True, acked=False, latched=False),
    ACKED: Facts(active=True, acked=True, latched=False),
    RTNUN: Facts(active=False, acked=False, latched=False),
    LATUN: Facts(active=False, acked=False, latched=True),
    LATAK: Facts(active=False, acked=True, latched=True),
}
ACK_ONLY = point(ack_required=True, reset_required=False)
NEITHER = point(ack_required=False, reset_required=False)
RESET_TOO = point(ack_required=True, reset_required=True)
RESET_ONLY = point(ack_required=False, reset_required=True)
KINDS = [ACK_ONLY, NEITHER, RESET_TOO, RESET_ONLY]
RAISE, CLEAR, ACK, RESET = Trigger.RAISE, Trigger.CLEAR, Trigger.ACK, Trigger.RESET
BROUGHT = {
    Trigger.SHELVE: Given(shelve=ANOTHER),
    Trigger.EXPIRE: Given(now=NOW),
    Trigger.SUPPRESS: Given(rules=frozenset({MASKED})),
    Trigger.UNSUPPRESS: Given(),
    Trigger.OUT_OF_SERVICE: Given(out_of_service=TAKEN_OUT),
}

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
    (UNACK, Trigger.REALARM): UNACK,
    (ACKED, Trigger.REALARM): UNACK,
    **{(state, Trigger.SHELVE): SHLVD for state in PLAIN},
    **{(state, Trigger.SUPPRESS): DSUPR for state in PLAIN},
    **{(state, Trigger.OUT_OF_SERVICE): OOSRV for state in PLAIN},
}
BY_POINT = [
    (ACK_ONLY, {(UNACK, CLEAR): RTNUN, (ACKED, CLEAR): NORM, (LATUN, RESET): RTNUN}),
    (NEITHER, {(UNACK, CLEAR): NORM, (ACKED, CLEAR): NORM, (LATUN, RESET): NORM}),
    (RESET_TOO, {(UNACK, CLEAR): LATUN, (ACKED, CLEAR): LATAK, (LATUN, RESET): RTNUN}),
    (RESET_ONLY, {(UNACK, CLEAR): LATUN, (ACKED, CLEAR): LATAK, (LATUN, RESET): NORM}),
]


@pytest.mark.parametrize(("alarm_point", "own"), BY_POINT)
@pytest.mark.parametrize("state", PLAIN)
@pytest.mark.parametrize("trigger", Trigger)
def test_every_state_and_trigger_gives_the_tabled_state_or_a_refusal(
    alarm_point, own, state, trigger
):
    brought = BROUGHT.get(trigger, Given())
    target = (ALWAYS | own).get((state, trigger))
    if target is None:
        with pytest.raises(WrongState, match=derive(PLAIN[state])):
            step(PLAIN[state], trigger, alarm_point, brought)
    else:
        assert derive(step(PLAIN[state], trigger, alarm_point, brought)) is target


@dataclass(frozen=True)
class Cover:
    """One combination of suppressions, as the page speaks of it."""

    shelve: Shelve | None
    rules: frozenset[Suppression]
    is_out: bool

    @property
    def state(self) -> AlarmState | None:
        """The state that it gives, whatever lies beneath."""
        if self.is_out:
            return OOSRV
        if self.rules:
            return DSUPR
        return SHLVD if self.shelve else None

    def over(self, facts: Facts) -> Facts:
        return replace(
            facts,
            shelve=self.shelve,
            rules=self.rules,
            out_of_service=TAKEN_OUT if self.is_out else None,
        )


COVERS = [
    cover
    for shelve, rules, is_out in product(
        (None, SHELF, ONE_SHOT, RUN_OUT),
        (frozenset(), {MASKED}, {Suppression.FURNACE_STATE}, {COMMANDED}, {MASKED, COMMANDED}),
        (False, True),
    )
    if (cover := Cover(shelve, frozenset(rules), is_out)).state is not None
]


def expected_cover(cover: Cover, trigger: Trigger, is_active: bool) -> Cover | None:
    """Return what the page says is left of a suppression, or None where it refuses."""
    kept: Cover | None = None
    match trigger:
        case Trigger.RAISE if not is_active:
            kept = cover
        case Trigger.CLEAR if is_active:
            ends = cover.shelve is ONE_SHOT
            left = cover.rules & {COMMANDED}
            kept = replace(cover, shelve=None if ends else cover.shelve, rules=left)
        case Trigger.SHELVE if not cover.is_out:
            kept = replace(cover, shelve=ANOTHER)
        case Trigger.UNSHELVE if cover.shelve:
            kept = replace(cover, shelve=None)
        case Trigger.EXPIRE if cover.shelve is RUN_OUT:
            kept = replace(cover, shelve=None)
        case Trigger.SUPPRESS if MASKED not in cover.rules:
            kept = replace(cover, rules=frozenset({MASKED}))
        case Trigger.UNSUPPRESS if cover.rules:
            kept = replace(cover, rules=frozenset())
        case Trigger.OUT_OF_SERVICE if not cover.is_out:
            kept = replace(cover, is_out=True)
        case Trigger.IN_SERVICE if cover.is_out:
            kept = replace(cover, is_out=False)
    return kept


@pytest.mark.parametrize("beneath", PLAIN)
@pytest.mark.parametrize("trigger", Trigger)
def test_under_every_suppression_every_trigger_is_decided(beneath, trigger):
    for cover, alarm_point in product(COVERS, KINDS):
        facts = cover.over(PLAIN[beneath])
        assert derive(facts) is cover.state
        kept = expected_cover(cover, trigger, facts.active)
        brought = BROUGHT.get(trigger, Given())
        if kept is None:
            with pytest.raises(WrongState, match=f"{trigger}: .*, got {cover.state}"):
                step(facts, trigger, alarm_point, brought)
            continue
        after = step(facts, trigger, alarm_point, brought)
        assert after.active == (trigger is RAISE or (facts.active and trigger is not CLEAR))
        if kept.state is None:
            assert after == (PLAIN[UNACK] if after.active else PLAIN[NORM])
        else:
            assert derive(after) is kept.state
            assert (after.shelve, after.rules) == (kept.shelve, kept.rules)
            assert (after.out_of_service is not None) == kept.is_out


RULES = st.frozensets(st.sampled_from(sorted(BY_DESIGN)))
ANY_FACTS = st.builds(
    Facts,
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.sampled_from([None, SHELF, ONE_SHOT, RUN_OUT]),
    RULES,
    st.sampled_from([None, TAKEN_OUT]),
)


@given(ANY_FACTS)
def test_the_list_holds_what_is_neither_normal_nor_suppressed(facts):
    assert facts.retain == (derive(facts) not in (NORM, SHLVD, DSUPR, OOSRV))
    assert bool(facts.suppressed) == (derive(facts) in (SHLVD, DSUPR, OOSRV))


def test_a_shelving_is_not_over_a_moment_too_early():
    facts = replace(PLAIN[ACKED], shelve=SHELF)
    just_before = Given(now=LATER - timedelta(microseconds=1))
    with pytest.raises(WrongState, match="shelved until now"):
        step(facts, Trigger.EXPIRE, ACK_ONLY, just_before)
    assert step(facts, Trigger.EXPIRE, ACK_ONLY, Given(now=LATER)) == PLAIN[UNACK]


class AlarmLife(RuleBasedStateMachine):
    """Any sequence of triggers on any kind of alarm point; time goes on."""

    point: AlarmPoint

    def __init__(self) -> None:
        super().__init__()
        self.point = RESET_TOO
        self.now = NOW
        self.before = self.facts = Facts()
        self.last: Trigger | None = None
        self.holds = False

    @rule(kind=st.sampled_from(KINDS))
    def change_point(self, kind):
        self.point, self.last = kind, None

    @rule(seconds=st.integers(1, 600))
    def wait(self, seconds):
        self.now, self.last = self.now + timedelta(seconds=seconds), None

    def _do(self, trigger, brought):
        self.before, self.last = self.facts, trigger
        try:
            self.facts = step(self.facts, trigger, self.point, brought)
        except WrongState:
            assert self.facts == self.before
            self.last = None

    @rule(trigger=st.sampled_from([RAISE, CLEAR, ACK, RESET, Trigger.REALARM]))
    def plain(self, trigger):
        self._do(trigger, Given())
        if self.last in (RAISE, CLEAR):
            self.holds = self.last is RAISE

    @rule(seconds=st.integers(1, 600), one_shot=st.booleans())
    def shelve(self, seconds, one_shot):
        until = self.now + timedelta(seconds=seconds)
        shelf = Shelve(until=until, by="li", reason="tests", one_shot=one_shot)
        self._do(Trigger.SHELVE, Given(shelve=shelf))

    @rule(trigger=st.sampled_from([Trigger.UNSHELVE, Trigger.EXPIRE, Trigger.IN_SERVICE]))
    def end(self, trigger):
        self._do(trigger, Given(now=self.now))

    @rule(trigger=st.sampled_from([Trigger.SUPPRESS, Trigger.UNSUPPRESS]), rules=RULES)
    def design(self, trigger, rules):
        self._do(trigger, Given(rules=rules))

    @rule()
    def take_out(self):
        self._do(Trigger.OUT_OF_SERVICE, Given(out_of_service=TAKEN_OUT))

    @invariant()
    def the_condition_is_tracked_under_every_suppression(self):
        assert self.facts.active == self.holds

    @invariant()
    def what_is_announced_is_not_suppressed_and_what_is_normal_is_not_listed(self):
        state = derive(self.facts)
        assert not (state in PLAIN and self.facts.suppressed)
        assert not (state is NORM and self.facts.retain)

    @precondition(lambda self: self.last is ACK)
    @invariant()
    def an_acknowledgement_never_clears_an_active_alarm(self):
        assert self.facts.active == self.before.active

    @precondition(lambda self: self.last is RAISE and not self.before.suppressed)
    @invariant()
    def every_raise_is_announced_unless_it_is_suppressed(self):
        assert derive(self.facts) is UNACK

    @precondition(
        lambda self: self.last is not None and self.before.suppressed and not self.facts.suppressed
    )
    @invariant()
    def what_is_true_when_its_last_suppression_ends_is_announced(self):
        assert derive(self.facts) is (UNACK if self.holds else NORM)

    @invariant()
    def what_is_latched_is_not_active(self):
        assert not (self.facts.latched and self.facts.active)

    @invariant()
    def the_managers_own_rules_suppress_nothing_that_is_over(self):
        if self.last is CLEAR:
            assert self.facts.rules.isdisjoint(OWN_RULES)


AlarmLife.TestCase.settings = examples(100, stateful_step_count=100)
TestAlarmLife = AlarmLife.TestCase
