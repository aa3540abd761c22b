"""The picture of a portrait, as an SVG file: what its furnace looks like, and what varies where."""

from pathlib import Path
from typing import Final

from meltwatch_chassis.errors import BadUsage
from meltwatch_chassis.whole_file import write_whole

from meltwatch_backtester.adapters.pages import page_of
from meltwatch_backtester.domain.portrait_text import StandingPortrait, mode_pictures

_TEMPLATE: Final = "portrait.svg.jinja"
_ROWS: Final = 8
_CELL: Final = 26
_LEAST_SPREAD: Final = 1.0
"""Greys: a picture whose largest spread is less is not drawn as if it varied much."""


def write_portrait_picture(shown: StandingPortrait, file: Path) -> None:
    """Draw the mean colour of each patch, and how much its shade varies, for each mode.

    Raises
    ------
    BadUsage
        If the file cannot be written.
    """
    modes = mode_pictures(shown.portrait)
    largest = max([_LEAST_SPREAD, *(float(mode.spreads.max()) for mode in modes)])
    values = {"shown": shown, "made": shown.portrait, "cell_size": _CELL, "side": _CELL * _ROWS}
    values |= {
        "modes": [
            {
                "colours": [_cell(n, _colour(*rgb)) for n, rgb in enumerate(mode.colours.tolist())],
                "spreads": [
                    _cell(n, _shade(spread / largest))
                    | {"spread": f"{spread:.1f}", "is_dark": spread > largest / 2}
                    for n, spread in enumerate(mode.spreads.tolist())
                ],
            }
            for mode in modes
        ]
    }
    try:
        write_whole(file, page_of(_TEMPLATE, values, {}))
    except OSError as error:
        raise BadUsage(f"--picture: {file}: {error.strerror}") from error


def _cell(number: int, colour: str) -> dict[str, object]:
    row, column = divmod(number, _ROWS)
    return {"x": column * _CELL, "y": row * _CELL, "colour": colour}


def _colour(red: float, green: float, blue: float) -> str:
    return f"#{round(red):02x}{round(green):02x}{round(blue):02x}"


def _shade(share: float) -> str:
    """From white, which never varies, to a dark blue."""
    return _colour(*(255 - share * (255 - dark) for dark in (16, 48, 110)))
