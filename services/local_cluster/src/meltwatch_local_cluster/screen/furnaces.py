"""The furnaces' part of the screen: a line each."""

from collections.abc import Iterator, Mapping
from typing import Final

from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.alarm_list import listed
from meltwatch_schemas.score import ScoreStatus, WindowScore
from meltwatch_schemas.wording import age_text, state_text
from rich.table import Table

from meltwatch_local_cluster.domain.observed_run import ObservedFurnace, ObservedRun
from meltwatch_local_cluster.screen.parts import (
    ABNORMAL,
    QUIET,
    ScreenText,
    alarm_style,
    share_text,
    shortened,
    sparkline,
)
from meltwatch_local_cluster.screen.run_snapshot import RunSnapshot

OLD_VERDICT_S: Final = 15.0
"""A verdict that is older is marked: ten windows are missing."""
_FIXED_WIDTH: Final = 40
_MIN_SPARK: Final = 8
_MAX_SPARK: Final = 60
_MIN_ID: Final = 12


def furnace_table(snapshot: RunSnapshot, width: int, lines: int) -> Table:
    """Draw furnaces by id; if they do not all fit, the most important ones.

    Parameters
    ----------
    snapshot
        What to show.
    width, lines
        Room in characters, heading included.
    """
    worst = _worst_alarms(snapshot.run)
    names = _chosen(snapshot.run, worst, lines - 1)
    id_width = max(len(name) for name in [*names, "FURNACE"])
    id_width = max(_MIN_ID, min(id_width, width - _FIXED_WIDTH - _MIN_SPARK))
    spark_width = max(_MIN_SPARK, min(_MAX_SPARK, width - _FIXED_WIDTH - id_width))
    table = _empty_table(id_width, spark_width)
    for name in names:
        cells = _cells(snapshot, snapshot.run.furnaces[name], worst.get(name), spark_width)
        table.add_row(shortened(name, id_width), *cells)
    if hidden := len(snapshot.run.furnaces) - len(names):
        table.add_row(ScreenText(f"… {hidden} more", style=QUIET))
    return table


def _empty_table(id_width: int, spark_width: int) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style=QUIET)
    table.add_column("FURNACE", width=id_width, no_wrap=True)
    table.add_column("ALARM", width=7, no_wrap=True)
    table.add_column("PROB", width=4, justify="right")
    table.add_column("RECENT", width=spark_width, no_wrap=True)
    table.add_column("VERDICT", width=8, no_wrap=True)
    table.add_column("VID", width=4, justify="right")
    table.add_column("CUR", width=4, justify="right")
    table.add_column("AGE", width=6, justify="right", no_wrap=True)
    return table


def _chosen(run: ObservedRun, worst: Mapping[str, AlarmRecord], lines: int) -> list[str]:
    names = sorted(run.furnaces)
    if len(names) <= lines:
        return names
    names.sort(key=lambda name: (name not in worst, -_probability(run.furnaces[name])))
    return names[: max(lines - 1, 1)]


def _probability(furnace: ObservedFurnace) -> float:
    return (furnace.newest and furnace.newest.probability) or 0.0


def _worst_alarms(run: ObservedRun) -> dict[str, AlarmRecord]:
    worst: dict[str, AlarmRecord] = {}
    for alarm in listed(run.standing_alarms(), everything=False):
        worst.setdefault(alarm.equipment_path, alarm)
    return worst


def _cells(
    snapshot: RunSnapshot, furnace: ObservedFurnace, alarm: AlarmRecord | None, spark_width: int
) -> Iterator[ScreenText]:
    if alarm is None:
        yield ScreenText("✓ none", style=QUIET)
    else:
        yield ScreenText(state_text(alarm), style=alarm_style(alarm))
    newest, age_s = furnace.newest, snapshot.age_s(furnace)
    if newest is None or age_s is None:
        yield from (ScreenText("-"), ScreenText(), ScreenText("awaited", style=QUIET))
        return
    yield ScreenText("-" if newest.probability is None else f"{newest.probability:.2f}")
    yield ScreenText(sparkline(furnace.recent, spark_width))
    yield _verdict(newest)
    yield ScreenText(share_text(newest.video_coverage))
    yield ScreenText(share_text(newest.current_coverage))
    yield ScreenText(age_text(age_s), style=ABNORMAL if age_s > OLD_VERDICT_S else "")


def _verdict(score: WindowScore) -> ScreenText:
    return ScreenText(score.status, style=QUIET if score.status is ScoreStatus.SCORED else ABNORMAL)
