"""The picture of a set-point that was found, as an SVG file."""

from pathlib import Path
from typing import Final

from meltwatch_chassis.errors import BadUsage
from meltwatch_chassis.whole_file import write_whole

from meltwatch_backtester.adapters.pages import page_of
from meltwatch_backtester.domain.chart import LEVELS_HEIGHT, level_chart
from meltwatch_backtester.domain.setpoint_finding import NormalFinding
from meltwatch_backtester.domain.time_axis import WIDTH

_TEMPLATE: Final = "setpoint.svg.jinja"


def write_picture(found: NormalFinding, file: Path) -> None:
    """Draw what normal operation reaches, the fitted tail and the thresholds.

    Raises
    ------
    BadUsage
        If the file cannot be written.
    """
    values = {
        "found": found,
        "basis": found.basis,
        "chart": level_chart(found, found.default),
        "width": WIDTH,
        "height": LEVELS_HEIGHT,
    }
    text = page_of(_TEMPLATE, values, {})
    try:
        write_whole(file, text)
    except OSError as error:
        raise BadUsage(f"--picture: {file}: {error.strerror}") from error
