"""The picture of a sweep: false alarms against events found, or against the threshold."""

from pathlib import Path
from typing import Final

from meltwatch_chassis.errors import BadUsage
from meltwatch_chassis.whole_file import write_whole

from meltwatch_backtester.adapters.pages import page_of
from meltwatch_backtester.domain.chart import LogitAxis
from meltwatch_backtester.domain.sweeping import Sweep
from meltwatch_backtester.domain.time_axis import WIDTH

_TEMPLATE: Final = "sweep.svg.jinja"
_HEIGHT: Final = 360.0


def write_sweep_picture(found: Sweep, file: Path) -> None:
    """Draw false alarms a furnace-day over the threshold, a line for each delay.

    Raises
    ------
    BadUsage
        If the file cannot be written.
    """
    levels = [each.setting.logit_on for each in found.tried]
    across = LogitAxis(min(levels) - 0.5, max(levels) + 0.5, float(WIDTH))
    rates = [rate for each in found.tried for rate in (each.calibration.a_day, each.test.a_day)]
    up = LogitAxis.over([0.0, found.budget, *rates], _HEIGHT)
    lines: dict[tuple[str, float | None], list[str]] = {}
    for each in found.tried:
        x = WIDTH - across.y(each.setting.logit_on)
        for name, outcome in (("calibration", each.calibration), ("test", each.test)):
            place = f"{x:g} {up.y(outcome.a_day):g}"
            lines.setdefault((name, each.setting.on_delay_s), []).append(place)
    values = {
        "found": found,
        "lines": [(name, delay, "M" + "L".join(steps)) for (name, delay), steps in lines.items()],
        "ticks": [(WIDTH - tick.at, tick.label) for tick in across.ticks()],
        "up": up,
        "budget_y": up.y(found.budget),
        "chosen": found.chosen
        and (WIDTH - across.y(found.chosen.setting.logit_on), up.y(found.chosen.calibration.a_day)),
        "width": WIDTH,
        "height": _HEIGHT,
    }
    try:
        write_whole(file, page_of(_TEMPLATE, values, {}))
    except OSError as error:
        raise BadUsage(f"--picture: {file}: {error.strerror}") from error
