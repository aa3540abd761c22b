import signal

from meltwatch_cli.adapters.interrupt import interruption


def test_ctrl_c_is_told_when_asked_and_kills_when_it_comes_again() -> None:
    before = signal.getsignal(signal.SIGINT)
    with interruption() as is_over:
        assert not is_over()
        signal.raise_signal(signal.SIGINT)
        assert is_over()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL
    assert signal.getsignal(signal.SIGINT) is before
