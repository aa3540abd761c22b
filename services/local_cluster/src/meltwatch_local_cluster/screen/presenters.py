"""How a run is shown: a live screen on a terminal, plain lines anywhere else, picture, summary.

The screen is calm: one place for each thing, a symbol and a word beside colour. Grey is normal,
colour is for what is not. Everything shown was measured.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Final, Protocol, Self

from meltwatch_chassis.run_state import ServiceState
from meltwatch_schemas.alarm import AlarmRecord, AlarmState
from meltwatch_schemas.alarm_list import listed
from meltwatch_schemas.instants import utc_from_ns
from meltwatch_schemas.text import escaped
from meltwatch_schemas.wording import (
    day_and_clock,
    service_text,
    transition_line,
    without_password,
)
from meltwatch_simulator.schedule import Fault
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from meltwatch_local_cluster.domain.fault_matching import Raise
from meltwatch_local_cluster.domain.observed_run import WARM_UP_S
from meltwatch_local_cluster.domain.summary import RunSummary
from meltwatch_local_cluster.screen.alarms import alarm_lines, irregular_lines
from meltwatch_local_cluster.screen.furnaces import furnace_table
from meltwatch_local_cluster.screen.parts import (
    HEADING,
    QUIET,
    ScreenText,
    elapsed_text,
    seconds_text,
)
from meltwatch_local_cluster.screen.pipeline import pipeline_lines, problem_lines, status_line
from meltwatch_local_cluster.screen.run_snapshot import RunSnapshot

_DRAW_EVERY_NS: Final = 400_000_000
_STATUS_EVERY_NS: Final = 10_000_000_000
_COLUMNS: Final = 100
_ROWS: Final = 26
_AFTER_RAISE_S: Final = 8.0

_HINTS: Final = "meltwatch alarms list | alarms ack ID | alarms tail | status        Ctrl-C stops"
_LEAST_ALARM_LINES: Final = 5
_LEAST_ROOM: Final = 6
"""Lines for two furnaces and an alarm with their headings, whatever else there is to say."""


class Presenter(Protocol):
    """Shows a run while it streams; used as a context manager by one thread."""

    def __enter__(self) -> Self:
        """Take the terminal."""
        ...

    def __exit__(self, *_: object) -> None:
        """Give it back."""
        ...

    def show(self, snapshot: RunSnapshot, changed: Sequence[AlarmRecord]) -> None:
        """Show the run as it is now, and the alarms that changed since the last call."""
        ...


class ScreenPresenter:
    """A full screen, drawn about twice a second.

    Parameters
    ----------
    console
        A terminal.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, screen=True, auto_refresh=False)
        self._due_ns = 0

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, snapshot: RunSnapshot, changed: Sequence[AlarmRecord]) -> None:
        """Draw, unless the last picture is still fresh and no alarm changed."""
        if snapshot.now_ns < self._due_ns and not changed:
            return
        self._due_ns = snapshot.now_ns + _DRAW_EVERY_NS
        width, height = self._console.size
        self._live.update(draw(snapshot, width, height), refresh=True)


class LinePresenter:
    """A line for each event that a person would act on, and the state of things every 10 s.

    Parameters
    ----------
    out
        Where the lines go.
    """

    def __init__(self, out: IO[str]) -> None:
        self._out = out
        self._services: dict[str, ServiceState] = {}
        self._due_ns = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing: the written lines stay."""

    def show(self, snapshot: RunSnapshot, changed: Sequence[AlarmRecord]) -> None:
        """Write what is new."""
        if not self._due_ns:
            self._write(_where(snapshot))
        for record in changed:
            self._write(transition_line(record))
        for name, service in snapshot.state.services.items():
            if self._services.get(name) != service:
                self._write(f"{name}: {service_text(service.state)} {service.detail}".rstrip())
        self._services = dict(snapshot.state.services)
        if snapshot.now_ns >= self._due_ns:
            self._due_ns = snapshot.now_ns + _STATUS_EVERY_NS
            self._write(status_line(snapshot))

    def _write(self, line: str) -> None:
        self._out.write(f"{escaped(line)}\n")
        self._out.flush()


def _where(snapshot: RunSnapshot) -> str:
    state, scenario = snapshot.state, snapshot.scenario
    end = "until Ctrl-C" if scenario.duration_s is None else f"for {scenario.duration_s:g} s"
    return (
        f"streaming {end}, sources: {scenario.sources}; Kafka {state.kafka}, Redis {state.redis}, "
        f"Triton {state.triton}, topics {state.topic_prefix}.*; see 'meltwatch status'"
    )


class PictureTaker:
    """Takes one picture of a run: while an alarm has stood for some seconds, else at the end.

    Parameters
    ----------
    path
        SVG file to write, None for no picture.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def consider(self, snapshot: RunSnapshot) -> None:
        """Take the picture if this is the moment."""
        if self._path is not None and any(
            alarm.state is AlarmState.UNACK and snapshot.standing_s(alarm) >= _AFTER_RAISE_S
            for alarm in snapshot.run.standing_alarms()
        ):
            self.finish(snapshot)

    def finish(self, snapshot: RunSnapshot) -> None:
        """Take the picture now, unless it has been taken."""
        if self._path is not None:
            save_picture(snapshot, self._path)
            self._path = None


def save_picture(snapshot: RunSnapshot, path: Path) -> None:
    """Write the screen as SVG, as a terminal of 100×26 characters shows it."""
    console = Console(
        record=True, width=_COLUMNS, height=_ROWS, file=io.StringIO(), force_terminal=True
    )
    console.print(draw(snapshot, _COLUMNS, _ROWS))
    console.save_svg(str(path), title="meltwatch run")


def draw(snapshot: RunSnapshot, width: int, height: int) -> Table:
    """Draw the screen.

    Parameters
    ----------
    snapshot
        What to show.
    width, height
        Of the terminal, in characters; made for 80×24 and more.
    """
    alarms = listed(snapshot.run.standing_alarms(), everything=False)
    head = [*_header(snapshot, width), ScreenText()]
    foot = [*problem_lines(snapshot, width), ScreenText(_HINTS, style=QUIET)]
    counts = pipeline_lines(snapshot)
    room = height - len(head) - len(counts) - len(foot) - 2
    counts += irregular_lines(snapshot, width, room - _LEAST_ROOM)
    foot = [*counts, *foot]
    room = height - len(head) - len(foot) - 2
    furnace_room = room - min(2 * len(alarms) + 1, _LEAST_ALARM_LINES)
    furnaces = furnace_table(snapshot, width, max(furnace_room, 3))
    alarm_room = max(room - furnaces.row_count - 1, 1)
    page = Table.grid(expand=True)
    page.add_column(no_wrap=True, overflow="ellipsis")
    lines = [ScreenText(), *alarm_lines(snapshot, alarms, alarm_room), ScreenText(), *foot]
    parts: list[RenderableType] = [*head, furnaces, *lines]
    for part in parts:
        page.add_row(part)
    return page


def _header(snapshot: RunSnapshot, width: int) -> Iterator[Text]:
    scenario, state = snapshot.scenario, snapshot.state
    duration = scenario.duration_s
    left = "" if duration is None else f" of {elapsed_text(duration)}"
    now = day_and_clock(utc_from_ns(snapshot.now_ns))
    plan = f"{elapsed_text(snapshot.elapsed_s)}{left}  sources: {scenario.sources}"
    title = ScreenText.assemble(("Meltwatch  ", HEADING), plan)
    title.append(now.rjust(width - len(title.plain)))
    yield title
    yield ScreenText(f"Kafka {state.kafka}  Redis {without_password(state.redis)}", style=QUIET)
    console = f"  console {state.console}" if state.console else ""
    yield ScreenText(f"Triton {state.triton}  topics {state.topic_prefix}.*{console}", style=QUIET)


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
