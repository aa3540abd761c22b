from meltwatch_chassis.kafka.publisher import DeliveryWatch
from meltwatch_chassis.testing import ManualClock

S = 1_000_000_000


def test_what_was_sent_and_not_settled_waits() -> None:
    watch = DeliveryWatch(ManualClock())
    watch.sent(100)
    watch.sent(50)
    watch.settled(100, None)

    assert (watch.waiting_records, watch.waiting_bytes) == (1, 50)


def test_a_broker_that_takes_nothing_for_5_s_is_a_problem_until_it_does() -> None:
    clock = ManualClock()
    watch = DeliveryWatch(clock)
    watch.sent(1)
    clock.advance(5 * S)
    assert watch.problem() is None
    clock.advance(1)
    assert (
        watch.problem() == "expected the broker to take records, 1 have been waiting since 5 s ago"
    )
    watch.settled(1, None)

    assert watch.problem() is None


def test_a_long_pause_of_the_source_is_no_problem() -> None:
    clock = ManualClock()
    watch = DeliveryWatch(clock)
    watch.sent(1)
    watch.settled(1, None)
    clock.advance(3600 * S)
    watch.sent(1)

    assert watch.problem() is None


def test_a_record_that_failed_is_a_problem_until_one_is_delivered() -> None:
    watch = DeliveryWatch(ManualClock())
    watch.sent(1)
    watch.sent(1)
    watch.settled(1, "InvalidTimestampError")
    assert watch.problem() == "expected the broker to take records, got InvalidTimestampError"
    watch.settled(1, None)

    assert watch.problem() is None
