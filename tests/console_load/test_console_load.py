"""The short form: ratios and bytes hold on any machine; times are left to the long form."""

import pytest

from tests.console_load.budgets import Seen, below, table
from tests.integration.console.conftest import chromium

__all__ = ["chromium"]


@pytest.mark.integration
@pytest.mark.browser
@pytest.mark.long
def test_the_budgets_that_are_no_times_hold(kafka, chromium, tmp_path):
    from tests.console_load.run import LoadRun, Plan  # noqa: PLC0415 - Kafka's clients

    # A second with one browser is four ticks of the console's processor: no ratio comes of that.
    plan = Plan(furnaces=100, streams=8, seconds=50)
    seen = LoadRun(tmp_path, chromium, plan).run(kafka)
    print(table(seen))
    held = [each for each in seen if each.everywhere and each.most is not None]
    assert len(held) >= 10
    assert all(each.holds for each in held), table(seen)


def test_a_budget_that_is_missed_is_said():
    held, missed = Seen("bytes", 1.5, 10, "kB/s"), Seen("ratio", 1.6, 1.5)
    figure = Seen("beside", 12_345.6, None, "MiB")
    assert table([held, missed, figure]).splitlines()[2:] == [
        "| bytes | ≤ 10 kB/s | 1.5 kB/s |", "| ratio | ≤ 1.5 | 1.6 **missed** |",
        "| beside |  | 12,346 MiB |",
    ]  # fmt: skip
    assert (held.holds, missed.holds, figure.holds) == (True, False, True)


def test_the_share_is_a_value_that_was_seen():
    assert below(range(100), 0.99) == 99
    assert below([3.0], 0.5) == 3.0
    nothing = Seen("alarms", below([], 0.99), 1, "s")
    assert "nothing" in nothing.row()
    assert not nothing.holds, "what was not seen is not kept"
