"""``meltwatch selftest``: show that a running system finds an anomaly.

``meltwatch --help`` imports this module, so what takes long to import waits until a test begins.
"""

import os
from collections.abc import Callable
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number
from meltwatch_chassis.clock import Clock, SystemClock
from meltwatch_chassis.located import located
from meltwatch_chassis.terminal import print_json, print_lines, print_notice
from meltwatch_schemas.window import NS_PER_S

from meltwatch_selftest.domain.verdict import SelftestVerdict
from meltwatch_selftest.settings import Settings

_DONE, _BAD_VERDICT = 0, 1


def selftest(
    *,
    budget_s: Annotated[
        float,
        Parameter(
            "--budget",
            validator=Number(gte=1),
            metavar="SECONDS",
            help="From the anomaly's beginning to the alarm.",
        ),
    ] = 60.0,
    patience_s: Annotated[
        float,
        Parameter(
            "--patience",
            validator=Number(gte=1),
            metavar="SECONDS",
            help="For servers, topics and a first score.",
        ),
    ] = 60.0,
    as_json: Annotated[bool, Parameter("--json", help="Print JSON instead of text.")] = False,
) -> int:
    """Show the running system a simulated furnace that overheats, and expect the alarm."""
    from meltwatch_selftest.bootstrap import run_selftest  # noqa: PLC0415 - see above
    from meltwatch_selftest.pipeline import Limits  # noqa: PLC0415 - see above

    settings = located(Settings, os.environ, "kafka", "redis")
    clock = SystemClock()
    verdict = run_selftest(settings, Limits(patience_s, budget_s), clock, _progress(clock))
    _show(verdict, as_json=as_json)
    return _DONE if verdict.passed else _BAD_VERDICT


def _progress(clock: Clock) -> Callable[[str], None]:
    began_ns = clock.monotonic_ns()

    def tell(line: str) -> None:
        elapsed_s = (clock.monotonic_ns() - began_ns) / NS_PER_S
        print_notice(f"selftest: {elapsed_s:5.1f} s  {line}")

    return tell


def _show(verdict: SelftestVerdict, *, as_json: bool) -> None:
    if as_json:
        print_json(verdict.to_object())
        return
    windows = ", ".join(f"{count} {status}" for status, count in verdict.windows.items())
    lines = [
        f"furnace           {verdict.furnace_id}",
        f"windows           {windows}",
        f"event to score    {_percentiles(verdict)}",
        f"anomaly to alarm  {_seconds(verdict.anomaly_to_alarm_s)}",
        f"event to alarm    {_seconds(verdict.event_to_alarm_s)}",
        *(f"FAILED            {failure}" for failure in verdict.failures),
        *(["passed"] if verdict.passed else []),
    ]
    print_lines(*lines)


def _percentiles(verdict: SelftestVerdict) -> str:
    if verdict.event_to_score_s is None:
        return "-"
    return ", ".join(f"{name} {_seconds(s)}" for name, s in verdict.event_to_score_s.items())


def _seconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.2f} s"
