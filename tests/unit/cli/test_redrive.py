from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_cli.pipeline.redrive import BATCH_LETTERS
from meltwatch_cli.pipeline.verdicts import LetterFate
from meltwatch_cli.ports import Sending
from meltwatch_schemas.codec import MAX_RECORD_BYTES
from meltwatch_schemas.errors import Refusal
from meltwatch_schemas.record import header
from meltwatch_schemas.redrive import REDRIVE_OF, RedriveNote, Step
from meltwatch_schemas.topics import Topic

from tests.support.examples import examples
from tests.unit.cli.redrive_fakes import LETTERS, PREFIX, Killed, MemoryKafka, Operator

CURRENTS = (Topic.CURRENTS.under(PREFIX), 2)
STEPS = [
    "before claimed", "after claimed", "before sending", "after sending", "before sent",
    "after sent",
]  # fmt: skip


@pytest.fixture
def kafka() -> MemoryKafka:
    return MemoryKafka()


def outcomes(verdicts):
    return [verdict.outcome for verdict in verdicts]


def test_a_letter_goes_back_as_it_was_and_says_whose_it_is(kafka):
    record = replace(kafka.sample(7), headers=(*kafka.sample().headers, ("traceparent", b"00-1")))
    number = kafka.set_aside(record)

    (verdict,) = kafka.redrive(number)

    (sent,) = kafka.sent[CURRENTS]
    assert (sent.key, sent.value, sent.timestamp_ms) == (
        record.key, record.value, record.timestamp_ms,
    )  # fmt: skip
    assert sent.headers == (*record.headers, (REDRIVE_OF, f"{LETTERS}/0/{number}".encode()))
    assert verdict.outcome is LetterFate.SENT
    assert verdict.detail.startswith(f"to {PREFIX}.currents.v1/2 at 0; ")
    assert "refused again while another source has the furnace" in verdict.detail


def test_a_letter_that_was_sent_is_not_sent_again(kafka):
    kafka.set_aside(kafka.sample())
    kafka.redrive(name="li")

    (verdict,) = kafka.redrive(name="wang")

    assert verdict.outcome is LetterFate.ALREADY
    assert "by li" in verdict.detail
    assert len(kafka.arrived()) == 1


def test_two_letters_of_one_record_are_one(kafka):
    kafka.set_aside(kafka.sample())
    kafka.set_aside(kafka.sample())

    assert outcomes(kafka.redrive()) == [LetterFate.SENT, LetterFate.ALREADY]
    assert outcomes(kafka.redrive(1)) == [LetterFate.ALREADY]
    assert len(kafka.arrived()) == 1


def test_a_record_that_is_refused_again_may_be_sent_again(kafka):
    kafka.set_aside(kafka.sample())
    kafka.redrive()
    (sent,) = kafka.sent[CURRENTS]
    second = kafka.set_aside(sent)

    assert outcomes(kafka.redrive(second)) == [LetterFate.SENT]
    again = kafka.sent[CURRENTS][-1]
    named = [value for name, value in again.headers if name == REDRIVE_OF]
    assert named == [f"{LETTERS}/0/{second}".encode()]


def test_a_plan_says_the_same_and_writes_nothing(kafka):
    for number in range(3):
        kafka.set_aside(kafka.sample(number))
    kafka.redrive(0)
    journal = list(kafka.journal)

    plan = list(kafka.operator("wang").plan([0, 1, 2, 9]))

    would = LetterFate.WOULD_SEND
    assert outcomes(plan) == [LetterFate.ALREADY, would, would, LetterFate.MISSING]
    assert kafka.journal == journal
    assert len(kafka.arrived()) == 1
    kinds = {LetterFate.WOULD_SEND: LetterFate.SENT}
    carried_out = kafka.redrive(0, 1, 2, 9)
    assert outcomes(carried_out) == [kinds.get(o, o) for o in outcomes(plan)]


def test_many_letters_go_in_the_order_of_their_ids(kafka):
    for number in range(2 * BATCH_LETTERS + 3):
        kafka.set_aside(kafka.sample(number))

    verdicts = kafka.redrive(*reversed(range(len(kafka.letters))))

    assert [verdict.letter for verdict in verdicts] == list(range(len(kafka.letters)))
    assert kafka.arrived() == [f"{LETTERS}/0/{n}" for n in range(len(kafka.letters))]


def test_what_is_certainly_not_sent_is_free_at_once_and_what_is_in_doubt_is_not(kafka):
    kafka.set_aside(kafka.sample())
    kafka.refuse = lambda _: Sending(None, "too old")
    assert outcomes(kafka.redrive()) == [LetterFate.FAILED]
    kafka.refuse = lambda _: Sending(None, "no answer", is_certain=False)
    assert outcomes(kafka.redrive(name="wang")) == [LetterFate.UNKNOWN]
    kafka.refuse = lambda _: None

    (held,) = kafka.redrive(name="zhao")
    assert held.outcome is LetterFate.HELD
    assert "wang" in held.detail
    kafka.clock.pass_s(61)
    assert outcomes(kafka.redrive(name="zhao")) == [LetterFate.SENT]


def test_where_the_topic_forgot_what_was_sent_only_force_sends_again(kafka):
    kafka.set_aside(kafka.sample())
    with pytest.raises(Killed):
        list(kafka.operator("li", dies("after sending")).carry_out([0]))
    kafka.clock.pass_s(61)
    kafka.forgotten = 1

    (verdict,) = kafka.redrive(name="wang")
    assert verdict.outcome is LetterFate.REFUSED
    assert "li may have sent it" in verdict.detail
    assert outcomes(kafka.redrive(name="wang", force=True)) == [LetterFate.SENT]


def test_whoever_lost_the_claim_does_not_send_even_if_the_winner_s_runs_out_meanwhile(kafka):
    kafka.set_aside(kafka.sample())

    def somebody_else_claims(step: str) -> None:
        if step == "before claimed":
            with pytest.raises(Killed):
                list(kafka.operator("li", slow_to_claim).carry_out([0]))
        elif step == "after claimed":
            kafka.clock.pass_s(19)

    def slow_to_claim(step: str) -> None:
        if step == "before claimed":
            kafka.clock.pass_s(42)
        elif step == "after claimed":
            raise Killed

    # The winner's claim is 42 s old when it is written and 61 s old when the loser reads it.
    (verdict,) = kafka.operator("wang", somebody_else_claims).carry_out([0])

    assert (verdict.outcome, kafka.arrived()) == (LetterFate.HELD, [])


def test_claims_that_took_too_long_are_given_back(kafka):
    kafka.set_aside(kafka.sample())
    slow = kafka.operator("li", lambda step: step == "after claimed" and kafka.clock.pass_s(21))

    (verdict,) = slow.carry_out([0])

    assert verdict.outcome is LetterFate.FAILED
    assert "claiming took 21 s" in verdict.detail
    assert outcomes(kafka.redrive(name="wang")) == [LetterFate.SENT]


def dies(step: str):
    def hook(now: str) -> None:
        if now == step:
            raise Killed

    return hook


@pytest.mark.parametrize("step", STEPS)
def test_whoever_dies_the_next_one_sends_what_he_had_not_and_nothing_twice(kafka, step):
    for number in range(3):
        kafka.set_aside(kafka.sample(number))
    with pytest.raises(Killed):
        list(kafka.operator("li", dies(step)).carry_out([0, 1, 2]))

    kafka.clock.pass_s(61)
    verdicts = kafka.redrive(name="wang")

    assert set(outcomes(verdicts)) <= {LetterFate.SENT, LetterFate.ALREADY}
    assert sorted(kafka.arrived()) == [f"{LETTERS}/0/{n}" for n in range(3)]
    kafka.clock.pass_s(61)
    kafka.forgotten = 99
    assert set(outcomes(kafka.redrive(name="zhao"))) == {LetterFate.ALREADY}


@examples(40)
@given(data=st.data())
def test_in_whatever_order_operators_take_their_steps_nothing_is_sent_twice(data):
    kafka = MemoryKafka()
    for number in range(2):
        kafka.set_aside(kafka.sample(number))
    operators = [Operator(kafka, f"operator {n}", [0, 1]) for n in range(3)]

    while working := [operator for operator in operators if operator.is_alive()]:
        kafka.clock.pass_s(data.draw(st.sampled_from([0, 0, 0, 1, 10, 61])))
        operator = data.draw(st.sampled_from(working))
        operator.go_on(dies=data.draw(st.integers(0, 15)) == 0 or operator.is_past_delivery)

    assert len(set(kafka.arrived())) == len(kafka.arrived())
    kafka.clock.pass_s(61)
    kafka.redrive(name="last")
    assert sorted(kafka.arrived()) == [f"{LETTERS}/0/{n}" for n in range(2)]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"topic": "somebody.elses.v1"}, "expected a topic of plant.*"),
        ({"topic": "plantx.currents.v1"}, "expected a topic of plant.*"),
        ({"topic": "plant.scores.v1"}, "which only services write"),
        ({"topic": "plant.dead-letters.v1"}, "which only services write"),
        ({"topic": "plant.redrives.v1"}, "expected a topic of plant.*"),
        ({"value": b"\0" * (MAX_RECORD_BYTES + 1)}, "too_large"),
    ],
)
def test_some_letters_are_never_sent_whatever_is_forced(kafka, change, expected):
    kafka.set_aside(replace(kafka.sample(), **change))

    (verdict,) = kafka.redrive(force=True)

    assert verdict.outcome is LetterFate.REFUSED
    assert expected in verdict.detail
    assert kafka.arrived() == []


def test_what_would_be_refused_again_is_sent_by_force_alone(kafka):
    kafka.set_aside(replace(kafka.sample(), value=b"\xc1"), Refusal.MALFORMED)

    (refused,) = kafka.redrive()
    assert refused.outcome is LetterFate.REFUSED
    assert "refused again (--force sends it): malformed" in refused.detail
    (sent,) = kafka.redrive(force=True)
    assert sent.outcome is LetterFate.SENT
    assert "refused again: malformed" in sent.detail


def test_a_letter_that_a_newer_version_can_read_is_sent(kafka):
    kafka.set_aside(kafka.sample(), Refusal.MALFORMED)

    assert outcomes(kafka.redrive()) == [LetterFate.SENT]


def test_a_topic_that_is_gone_is_named(kafka):
    kafka.set_aside(kafka.sample())
    kafka.gone = {CURRENTS[0]}

    (verdict,) = kafka.redrive()

    assert verdict.outcome is LetterFate.REFUSED
    assert f"expected the topic {CURRENTS[0]}, it is gone" in verdict.detail


def test_a_record_that_is_no_letter_is_refused(kafka):
    kafka.set_aside(kafka.sample())
    (letter,) = kafka.letters
    kafka.letters = [replace(letter, headers=())]

    (verdict,) = kafka.redrive(force=True)

    assert verdict.outcome is LetterFate.REFUSED
    assert "dlq.topic" in verdict.detail


def test_an_old_record_is_said_to_be_late(kafka):
    kafka.set_aside(kafka.sample())
    kafka.clock.pass_s(3 * 3600)

    (verdict,) = kafka.redrive()

    assert "3 h old: late if its furnace has gone on since" in verdict.detail


def test_the_journal_says_who_sent_what_where(kafka):
    kafka.set_aside(kafka.sample(5))
    kafka.redrive(name="li")

    claimed, sent = kafka.journal
    assert (claimed.step, sent.step) == (Step.CLAIMED, Step.SENT)
    assert sent.origin == "plant.currents.v1/1/5"
    assert (sent.topic, sent.partition, sent.offset, sent.by) == (*CURRENTS, 0, "li")
    assert RedriveNote.from_json(sent.to_json()) == sent
    assert header(kafka.sent[CURRENTS][0].headers, REDRIVE_OF) == sent.letter
