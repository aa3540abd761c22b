"""The summary of a run for people: what happened, what of it was detected, and how quickly."""

from collections.abc import Mapping

from meltwatch_schemas.alarm import utc_from_ns
from meltwatch_simulator.schedule import Fault
from rich.console import Group
from rich.table import Table

from meltwatch_local_cluster.domain.fault_matching import Raise
from meltwatch_local_cluster.domain.observed_run import WARM_UP_S
from meltwatch_local_cluster.domain.summary import RunSummary
from meltwatch_local_cluster.screen.parts import HEADING, ScreenText, seconds_text


def summary_table(summary: RunSummary) -> Group:
    """Draw a summary, its verdict last."""
    bad = len(summary.problems())
    return Group(
        ScreenText(f"Summary after {summary.duration_s:.1f} s", style=HEADING),
        _faults(summary.told) if summary.told else ScreenText("faults          none"),
        *(ScreenText(f"{name:<16}{value}") for name, value in _figures(summary).items()),
        ScreenText(f"✖ bad: {bad} to object to" if bad else "● good", style=HEADING),
    )


def _faults(told: Mapping[Fault, Raise | None]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("FAULT", "FURNACE", "MIST", "FOUND", "DELAY", "ALARM"):
        table.add_column(name, no_wrap=name != "ALARM", overflow="fold")
    for fault, raised in told.items():
        span = f"{utc_from_ns(fault.start_ns):%H:%M:%S}-{utc_from_ns(fault.end_ns):%H:%M:%SZ}"
        delay = f"{(raised.raise_ns - fault.start_ns) / 1e9:.1f} s" if raised else "-"
        table.add_row(
            span,
            fault.furnace_id,
            "heavy" if fault.heavy_mist else "",
            ScreenText("✓ yes") if raised else ScreenText("✖ no", style="bold red"),
            delay,
            raised.alarm_id.rpartition("/")[2] if raised else "-",
        )
    return table


def _figures(summary: RunSummary) -> dict[str, str]:
    windows = ", ".join(f"{count} {status}" for status, count in summary.windows.items())
    return {
        "false alarms": str(len(summary.false_alarms)),
        "windows": f"{windows}; back-fill {sum(summary.backfill.values())}",
        "records": f"{summary.late} late, {summary.measured.duplicates} duplicates, "
        f"{summary.dead_letters} dead letters",
        "latencies": f"without what ended in a furnace's first {WARM_UP_S} s",
        "event to score": _latency(summary.event_to_score_s),
        "event to alarm": _latency(summary.event_to_alarm_s),
    }


def _latency(percentiles: Mapping[str, float | None]) -> str:
    return "  ".join(f"{name} {seconds_text(value)}" for name, value in percentiles.items())
