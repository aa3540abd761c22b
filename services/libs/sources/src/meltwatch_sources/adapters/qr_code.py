"""QR codes: read from pictures by ZXing, drawn by segno."""

import numpy as np
import segno
import zxingcpp
from numpy.typing import NDArray

from meltwatch_sources.ports import Picture

_BORDER = 4
_LONGEST = 64
_FORMATS = zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.QRCode])


def read_code(picture: Picture) -> str | None:
    """Return the text of the first code in a picture that is not longer than any of ours."""
    found = zxingcpp.read_barcodes(np.ascontiguousarray(picture), formats=_FORMATS)
    return next((code.text for code in found if len(code.text) <= _LONGEST), None)


def drawn_code(text: str) -> NDArray[np.bool_]:
    """Return a code with its margin, one element a module; true is dark."""
    code = segno.make(text, error="m", micro=False)
    return np.array([list(row) for row in code.matrix_iter(border=_BORDER)], dtype=bool)


def code_lines(text: str) -> str:
    """Return a code for a terminal: two modules in one character, light ones are drawn."""
    light = ~drawn_code(text)
    if len(light) % 2:
        light = np.vstack([light, np.ones_like(light[:1])])
    rows = light[::2].astype(int) + 2 * light[1::2]
    return "\n".join("".join(" ▀▄█"[pair] for pair in row) for row in rows)
