import os
import signal
from collections.abc import Iterator

import pytest
from meltwatch_local_cluster.launch.interrupts import Interrupts

ENDING = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def come(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)


@pytest.fixture(autouse=True)
def _heard() -> Iterator[None]:
    """No signal is ignored from before, as all are where the tests were started under nohup."""
    before = {number: signal.signal(number, signal.default_int_handler) for number in ENDING}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", ENDING)
def test_each_ending_signal_interrupts_once_and_further_ones_do_not(number):
    before = signal.getsignal(number)
    with Interrupts():
        with pytest.raises(KeyboardInterrupt):
            come(number)
        come(number)
    assert signal.getsignal(number) is before


def test_nothing_interrupts_the_way_down():
    with Interrupts() as interrupts:
        interrupts.ignore()
        come(signal.SIGTERM)


def test_a_held_signal_interrupts_when_it_is_let_in():
    with Interrupts() as interrupts:
        interrupts.hold()
        come(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            interrupts.release()
        come(signal.SIGTERM)


def test_without_a_signal_letting_in_is_quiet_and_later_ones_interrupt():
    with Interrupts() as interrupts:
        interrupts.hold()
        interrupts.release()
        with pytest.raises(KeyboardInterrupt):
            come(signal.SIGTERM)


def test_what_is_begun_is_finished_before_a_signal_interrupts():
    done = []

    def begin(interrupts: Interrupts) -> None:
        with interrupts.held():
            come(signal.SIGTERM)
            done.append("the second half")

    with Interrupts() as interrupts, pytest.raises(KeyboardInterrupt):
        begin(interrupts)
    assert done


def test_an_error_in_what_was_begun_goes_before_a_signal():
    def fail(interrupts: Interrupts) -> None:
        with interrupts.held():
            come(signal.SIGTERM)
            raise ValueError("broken")

    with Interrupts() as interrupts:
        with pytest.raises(ValueError, match="broken"):
            fail(interrupts)
        with pytest.raises(KeyboardInterrupt):
            come(signal.SIGTERM)


def test_a_hang_up_that_nohup_ignores_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interrupts():
            come(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
