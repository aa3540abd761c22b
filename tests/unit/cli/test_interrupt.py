import signal

from meltwatch_cli import entry
from meltwatch_cli.adapters.interrupt import interruption


def test_ctrl_c_is_told_when_asked_and_kills_when_it_comes_again() -> None:
    before = signal.getsignal(signal.SIGINT)
    with interruption() as is_over:
        assert not is_over()
        signal.raise_signal(signal.SIGINT)
        assert is_over()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL
    assert signal.getsignal(signal.SIGINT) is before


def test_an_interrupt_while_a_failure_is_told_changes_nothing_of_it(monkeypatch, capsys):
    tell = entry.print_failure

    def tell_and_be_interrupted(*words: str) -> None:
        tell(*words)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(entry, "print_failure", tell_and_be_interrupted)
    assert entry.run_command(["no-such-command"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
