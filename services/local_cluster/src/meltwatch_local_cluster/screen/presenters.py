"""How a run is shown: a live screen on a terminal, plain lines anywhere else, and one picture."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Final, Protocol, Self

from meltwatch_chassis.run_state import ServiceState
from meltwatch_cli.domain.wording import service_text, transition_line
from meltwatch_schemas.alarm import AlarmRecord, AlarmState
from meltwatch_schemas.text import escaped
from rich.console import Console
from rich.live import Live

from meltwatch_local_cluster.screen.glimpse import Glimpse
from meltwatch_local_cluster.screen.layout import draw
from meltwatch_local_cluster.screen.pipeline import status_line

_DRAW_EVERY_NS: Final = 400_000_000
_STATUS_EVERY_NS: Final = 10_000_000_000
_COLUMNS: Final = 100
_ROWS: Final = 26
_AFTER_RAISE_S: Final = 8.0


class Presenter(Protocol):
    """Shows a run while it streams; used as a context manager by one thread."""

    def __enter__(self) -> Self:
        """Take the terminal."""
        ...

    def __exit__(self, *_: object) -> None:
        """Give it back."""
        ...

    def show(self, glimpse: Glimpse, changed: Sequence[AlarmRecord]) -> None:
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

    def show(self, glimpse: Glimpse, changed: Sequence[AlarmRecord]) -> None:
        """Draw, unless the last picture is still fresh and no alarm changed."""
        if glimpse.now_ns < self._due_ns and not changed:
            return
        self._due_ns = glimpse.now_ns + _DRAW_EVERY_NS
        width, height = self._console.size
        self._live.update(draw(glimpse, width, height), refresh=True)


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
        """Leave everything as it is: lines stay."""

    def show(self, glimpse: Glimpse, changed: Sequence[AlarmRecord]) -> None:
        """Write what is new."""
        if not self._due_ns:
            self._write(_where(glimpse))
        for record in changed:
            self._write(transition_line(record))
        for name, service in glimpse.state.services.items():
            if self._services.get(name) != service:
                self._write(f"{name}: {service_text(service.state)} {service.detail}".rstrip())
        self._services = dict(glimpse.state.services)
        if glimpse.now_ns >= self._due_ns:
            self._due_ns = glimpse.now_ns + _STATUS_EVERY_NS
            self._write(status_line(glimpse))

    def _write(self, line: str) -> None:
        self._out.write(f"{escaped(line)}\n")
        self._out.flush()


def _where(glimpse: Glimpse) -> str:
    state, scenario = glimpse.state, glimpse.scenario
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

    def consider(self, glimpse: Glimpse) -> None:
        """Take the picture if this is the moment."""
        if self._path is not None and any(
            alarm.state is AlarmState.UNACK and glimpse.standing_s(alarm) >= _AFTER_RAISE_S
            for alarm in glimpse.run.standing_alarms()
        ):
            self.finish(glimpse)

    def finish(self, glimpse: Glimpse) -> None:
        """Take the picture now, unless it has been taken."""
        if self._path is not None:
            save_picture(glimpse, self._path)
            self._path = None


def save_picture(glimpse: Glimpse, path: Path) -> None:
    """Write the screen as SVG, as a terminal of 100×26 characters shows it."""
    console = Console(
        record=True, width=_COLUMNS, height=_ROWS, file=io.StringIO(), force_terminal=True
    )
    console.print(draw(glimpse, _COLUMNS, _ROWS))
    console.save_svg(str(path), title="meltwatch run")
