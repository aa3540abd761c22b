"""The picture of a set-point that was found, as an SVG file."""

from importlib.resources import files
from pathlib import Path
from typing import Final

from jinja2 import Environment, StrictUndefined
from meltwatch_schemas.default_setpoint import DEFAULT_SETPOINT

from meltwatch_backtester.domain.chart import WIDTH
from meltwatch_backtester.domain.level_chart import LEVELS_HEIGHT, level_chart
from meltwatch_backtester.domain.setpoint_finding import SetpointFinding
from meltwatch_backtester.errors import BadUsage

_TEMPLATE: Final = "setpoint.svg.jinja"


def write_picture(found: SetpointFinding, file: Path) -> None:
    """Draw what normal operation reaches, the fitted tail and the thresholds.

    Raises
    ------
    BadUsage
        If the file cannot be written.
    """
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = files("meltwatch_backtester").joinpath("adapters", _TEMPLATE).read_text("utf-8")
    text = environment.from_string(template).render(
        found=found,
        basis=found.basis,
        chart=level_chart(found, DEFAULT_SETPOINT.logit_on),
        default=DEFAULT_SETPOINT.logit_on,
        width=WIDTH,
        height=LEVELS_HEIGHT,
    )
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadUsage(f"--picture: {file}: {error.strerror}") from error
