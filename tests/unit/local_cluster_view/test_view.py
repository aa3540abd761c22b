"""What a run says at its end when Kafka does not give the rest."""

import io

import pytest
from meltwatch_chassis.clock import SystemClock
from meltwatch_chassis.errors import DependencyUnreachable
from meltwatch_local_cluster import view
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
