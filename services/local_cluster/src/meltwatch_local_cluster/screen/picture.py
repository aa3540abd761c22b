"""A picture of the live screen, for people who read about it."""

import io
from pathlib import Path
from typing import Final

from meltwatch_schemas.alarm import AlarmState
from rich.console import Console

from meltwatch_local_cluster.screen.glimpse import Glimpse
from meltwatch_local_cluster.screen.layout import draw

_WIDTH: Final = 100
_HEIGHT: Final = 26
_AFTER_RAISE_S: Final = 8.0


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
        record=True, width=_WIDTH, height=_HEIGHT, file=io.StringIO(), force_terminal=True
    )
    console.print(draw(glimpse, _WIDTH, _HEIGHT))
    console.save_svg(str(path), title="meltwatch run")
