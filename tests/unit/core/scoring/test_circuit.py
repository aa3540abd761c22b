"""The breaker and the remedy as pure state machines: time is a number here."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from meltwatch_core.scoring.circuit import Circuit, CircuitLimits, CircuitState, Remedy
from meltwatch_schemas.window import NS_PER_S

from tests.support.examples import examples

LIMITS = CircuitLimits(failures=3, first_pause_ns=10, longest_pause_ns=60)


def closed(now_ns: int = 0) -> Circuit:
    circuit = Circuit(LIMITS, now_ns)
    circuit.close(now_ns)
    return circuit


def test_it_begins_open_and_only_a_probe_closes_it():
    circuit = Circuit(LIMITS, 5)
    circuit.answered(6)
    assert circuit.state is CircuitState.OPEN
    assert circuit.begin_probe()
    circuit.close(7)
    assert circuit.is_closed


def test_failures_in_a_row_open_it():
    circuit = closed()
    assert not circuit.failed(1, 2, decisive=False)
    assert not circuit.failed(1, 2, decisive=False)
    assert circuit.failed(1, 2, decisive=False)
    assert circuit.state is CircuitState.OPEN


def test_an_answer_between_failures_keeps_it_closed():
    circuit = closed()
    for _ in range(10):
        circuit.failed(1, 2, decisive=False)
        circuit.failed(1, 2, decisive=False)
        circuit.answered(1)
    assert circuit.is_closed


def test_a_decisive_failure_opens_it_at_once():
    assert closed().failed(1, 2, decisive=True)


def test_it_opens_once_for_many_calls_that_fail_together():
    circuit = closed()
    assert [circuit.failed(1, 2, decisive=True) for _ in range(4)] == [True, False, False, False]


def test_a_call_from_before_it_closed_says_nothing():
    circuit = closed(100)
    assert not circuit.failed(99, 101, decisive=True)
    circuit.failed(100, 101, decisive=False)
    circuit.failed(100, 101, decisive=False)
    circuit.answered(99)
    assert circuit.failed(100, 101, decisive=False)


def test_pauses_double_up_to_the_longest():
    circuit = Circuit(LIMITS, 0)
    pauses = []
    for _ in range(5):
        pauses.append(circuit.pause_ns)
        circuit.begin_probe()
        circuit.probe_failed()
    assert pauses == [10, 20, 40, 60, 60]


def test_one_that_keeps_failing_waits_longer_each_time_until_it_has_been_well_for_a_while():
    circuit = closed()
    pauses = []
    for now_ns in (1000, 1050, 1100, 1300):
        circuit.close(now_ns - 30) if now_ns < 1300 else circuit.close(now_ns - 130)
        circuit.failed(now_ns, now_ns, decisive=True)
        pauses.append(circuit.pause_ns)
        circuit.begin_probe()
    assert pauses == [20, 40, 60, 10]


class AnyHistory(RuleBasedStateMachine):
    """Whatever happens in whatever order, held against the few words that describe it."""

    @initialize()
    def begin(self) -> None:
        self.now_ns = 0
        self.circuit = Circuit(LIMITS, 0)
        self.probing = False
        self.failures = 0
        self.closed_ns: int | None = None

    @rule(step_ns=st.integers(1, 500))
    def time_passes(self, step_ns: int) -> None:
        self.now_ns += step_ns

    @rule(age_ns=st.integers(0, 500), decisive=st.booleans())
    def a_call_fails(self, age_ns: int, decisive: bool) -> None:
        started_ns = self.now_ns - age_ns
        opened = self.circuit.failed(started_ns, self.now_ns, decisive=decisive)
        if self.closed_ns is None or started_ns < self.closed_ns:
            assert not opened
            return
        self.failures += 1
        assert opened == (decisive or self.failures >= LIMITS.failures)
        if opened:
            self.closed_ns = None

    @rule(age_ns=st.integers(0, 500))
    def a_call_is_answered(self, age_ns: int) -> None:
        self.circuit.answered(self.now_ns - age_ns)
        if self.closed_ns is not None and self.now_ns - age_ns >= self.closed_ns:
            self.failures = 0

    @rule()
    def a_probe_may_begin(self) -> None:
        began = self.circuit.begin_probe()
        assert began == (self.closed_ns is None and not self.probing)
        self.probing = self.probing or began

    @precondition(lambda self: self.probing)
    @rule(answered=st.booleans())
    def the_probe_ends(self, answered: bool) -> None:
        self.probing = False
        if answered:
            self.circuit.close(self.now_ns)
            self.closed_ns, self.failures = self.now_ns, 0
        else:
            before_ns = self.circuit.pause_ns
            self.circuit.probe_failed()
            assert self.circuit.pause_ns == min(2 * before_ns, LIMITS.longest_pause_ns)

    @rule()
    def it_is_opened_from_outside(self) -> None:
        self.circuit.open(self.now_ns)
        self.closed_ns = None

    @invariant()
    def calls_go_through_exactly_while_it_is_closed(self) -> None:
        assert self.circuit.is_closed == (self.closed_ns is not None)
        assert (self.circuit.state is CircuitState.HALF_OPEN) == self.probing

    @invariant()
    def the_pause_stays_within_its_bounds(self) -> None:
        assert LIMITS.first_pause_ns <= self.circuit.pause_ns <= LIMITS.longest_pause_ns


TestAnyHistory = AnyHistory.TestCase
TestAnyHistory.settings = examples(50, stateful_step_count=30)


def test_a_cure_is_tried_at_once_and_then_ever_more_rarely():
    remedy, tries = Remedy(), []
    for second in range(400):
        if remedy.is_due(second * NS_PER_S):
            remedy.tried(second * NS_PER_S)
            tries.append(second)
    assert tries == [0, 1, 3, 7, 15, 31, 63, 123, 183, 243, 303, 363]


def test_after_a_quiet_time_a_cure_is_tried_as_if_for_the_first_time():
    remedy = Remedy(1, 60)
    for now in (0, 1, 3, 7, 15, 200):
        remedy.tried(now)
    assert not remedy.is_due(200)
    assert remedy.is_due(201)


@given(st.lists(st.integers(0, 100 * NS_PER_S), max_size=50))
def test_a_cure_is_never_tried_within_the_first_pause(steps_ns: list[int]):
    remedy, now_ns, last_ns = Remedy(), 0, None
    for step_ns in steps_ns:
        now_ns += step_ns
        if remedy.is_due(now_ns):
            assert last_ns is None or now_ns - last_ns >= NS_PER_S
            remedy.tried(now_ns)
            last_ns = now_ns


@pytest.mark.parametrize("limits", [CircuitLimits(), LIMITS])
def test_pauses_begin_below_the_longest(limits: CircuitLimits):
    assert limits.first_pause_ns < limits.longest_pause_ns
