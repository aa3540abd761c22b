"""What a run says at its end when Kafka does not give the rest."""

import io
from types import SimpleNamespace

import pytest
from meltwatch_chassis.clock import SystemClock
from meltwatch_chassis.errors import DependencyUnreachable
from meltwatch_local_cluster.domain.counts import RestartingCounters
from meltwatch_local_cluster.ports import RunScenario, RunSources
from meltwatch_local_cluster.screen import view
from rich.console import Console

from tests.support.run_states import run_state

STATE = run_state(kafka="plant:9092")


def test_a_run_whose_broker_is_gone_ends_with_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view, "_SUM_UP_S", 0.1)
    out = io.StringIO()
    watch = view.RunWatch({}, Console(file=out), SystemClock(), picture=None)
    # As if its thread still waited for the broker.
    watch._state = STATE
    watch._terminal_back.set()
    with pytest.raises(DependencyUnreachable, match=r"^no summary: .* plant:9092 .* got nothing$"):
        watch.stop()
    assert out.getvalue() == ""


class _Broken(io.StringIO):
    def write(self, _text: str) -> int:
        raise BrokenPipeError(32, "Broken pipe")


def test_a_run_goes_on_when_nobody_can_see_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    observer = SimpleNamespace(
        look=lambda _ms: [],
        catch_up=lambda: None,
        close=lambda: None,
        counters=RestartingCounters(),
        unreadable=0,
        problem=None,
        irregularities=dict,
    )
    monkeypatch.setattr(view, "observer_of", lambda *_: observer)
    watch = view.RunWatch({}, Console(file=_Broken()), SystemClock(), picture=None)
    scenario = RunScenario(RunSources.NONE, 0, 1, None, SystemClock().now_ns())
    watch.start(STATE, scenario, {"stream_processor": "127.0.0.1:1"})

    summary = watch.stop()

    assert summary.problems() == []
    assert capsys.readouterr().err.count("it goes on unseen") == 1
