"""PNG pictures as arrays."""

import io
import warnings
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from meltwatch.errors import AnswerError

_MOST_SIDE: Final = 4_096


@dataclass(frozen=True)
class PictureSeries:
    """Pictures in the order of their times.

    Attributes
    ----------
    times
        Shape ``(n,)``, ``datetime64[ns]``, UTC.
    pixels
        Of frames ``(n, rows, columns, 3)`` uint8; of maps ``(n, rows, columns)`` float32, 0..1.
    """

    times: NDArray[np.datetime64]
    pixels: NDArray[Any]

    def __len__(self) -> int:
        return len(self.times)


def pixels_of(png: bytes, mode: str) -> NDArray[np.uint8]:
    """Return the pixels of a PNG.

    Parameters
    ----------
    mode
        ``RGB`` or ``L``, grey.

    Raises
    ------
    AnswerError
        If it is none, of another kind, or larger than any camera's.
    """
    try:
        with warnings.catch_warnings(), Image.open(io.BytesIO(png), formats=["PNG"]) as image:
            warnings.simplefilter("error")
            if max(image.size) > _MOST_SIDE or image.mode != mode:
                raise AnswerError(
                    f"expected a picture of mode {mode}, at most {_MOST_SIDE} pixels a side, "
                    f"got {image.mode}, {image.size[0]} × {image.size[1]}"
                )
            return np.array(image, np.uint8)
    except (OSError, ValueError, SyntaxError, Warning, Image.DecompressionBombError) as error:
        raise AnswerError(f"expected a PNG, got {str(error)[:200]}") from error
