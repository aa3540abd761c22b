"""From a camera's picture to what the model sees: crop, turn, mirror, average to 64 by 64.

For people both are shown in one picture.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

SIDE: Final = 64
_BT709: Final = 1
_FULL: Final = 2
"""Code points of ITU-T H.273 and of FFmpeg's ranges."""
_LINE: Final = np.array([0, 255, 80], dtype=np.uint8)
_EDGE: Final = np.array([0, 0, 0], dtype=np.uint8)
_GROUND: Final = 40
_GAP: Final = 16
_LEAST_ZOOM, _MOST_ZOOM = 4, 12


@dataclass(frozen=True, slots=True)
class ColourRule:
    """What the plant file says of colours, in place of what the stream signals.

    Attributes
    ----------
    matrix
        ``bt601`` or ``bt709``; None is the stream's own. A wrong one shifts red by ten greys.
    colour_range
        ``limited`` or ``full``; None is the stream's own.
    """

    matrix: Literal["bt601", "bt709"] | None = None
    colour_range: Literal["limited", "full"] | None = None

    def matrix_of(self, signalled: int) -> Literal["bt601", "bt709"]:
        """Return the matrix to use: BT.601 if the stream is silent."""
        return self.matrix or ("bt709" if signalled == _BT709 else "bt601")

    def range_of(self, signalled: int, pixel_format: str) -> Literal["limited", "full"]:
        """Return the range to use: formats of JPEG have the full one in their names."""
        is_full = signalled == _FULL or pixel_format.startswith("yuvj")
        return self.colour_range or ("full" if is_full else "limited")


class CropOutside(ValueError):  # noqa: N818 - the name says what is the matter
    """A crop does not lie within the picture."""


@dataclass(frozen=True, slots=True)
class PictureRule:
    """Which part of a picture shows the furnace, and how it lies.

    Attributes
    ----------
    crop
        Left, top, width, height in the upright picture; None is all of it.
    rotate_degrees
        Clockwise, of the crop: 0, 90, 180 or 270.
    mirror
        Left for right, after turning.
    """

    crop: tuple[int, int, int, int] | None = None
    rotate_degrees: int = 0
    mirror: bool = False

    def seen(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return what the model sees of a picture.

        Parameters
        ----------
        picture
            Shape ``(height, width, 3)``, RGB.

        Returns
        -------
        Shape ``(64, 64, 3)``, RGB: each pixel the mean over its area.

        Raises
        ------
        CropOutside
            If the crop does not lie within the picture.
        """
        turned = np.rot90(self._cropped(picture), -self.rotate_degrees // 90)
        return area_average(turned[:, ::-1] if self.mirror else turned)

    def _cropped(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if self.crop is None:
            return picture
        left, top, width, height = self.crop
        if top + height > picture.shape[0] or left + width > picture.shape[1]:
            raise CropOutside(
                f"crop: expected {list(self.crop)} within the picture, "
                f"got one of {picture.shape[1]}×{picture.shape[0]}"
            )
        return picture[top : top + height, left : left + width]


def area_average(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a picture of 64 by 64: each pixel the mean over its area, partly covered ones in part.

    Parameters
    ----------
    picture
        Shape ``(height, width, 3)``.
    """
    height, width, colours = picture.shape
    rows = np.empty((SIDE, width * colours), dtype=np.float32)
    # Row by row: of the whole matrix of weights nearly all is zero.
    for row, (first, weights) in enumerate(_shares(height)):
        band = picture[first : first + len(weights)].reshape(len(weights), -1)
        rows[row] = weights @ band.astype(np.float32)
    # Of one axis less there is so little left that the whole matrix is quicker.
    averaged: NDArray[np.float32] = np.tensordot(
        rows.reshape(SIDE, width, colours), _matrix(width), axes=([1], [0])
    ).transpose(0, 2, 1)
    return np.clip(np.rint(averaged), 0, 255).astype(np.uint8)


@lru_cache(maxsize=16)
def _matrix(length: int) -> NDArray[np.float32]:
    """Return the shares as a matrix, shape ``(length, 64)``."""
    matrix = np.zeros((length, SIDE), dtype=np.float32)
    for part, (first, weights) in enumerate(_shares(length)):
        matrix[first : first + len(weights), part] = weights
    return matrix


@lru_cache(maxsize=16)
def _shares(length: int) -> tuple[tuple[int, NDArray[np.float32]], ...]:
    """Return for each of 64 equal parts its first pixel, and by which share each pixel counts."""
    edges = [part * length / SIDE for part in range(SIDE + 1)]
    shares = []
    for begin, end in pairwise(edges):
        first, last = int(begin), min(max(int(np.ceil(end)), int(begin) + 1), length)
        pixels = np.arange(first, last)
        covered = np.minimum(pixels + 1, end) - np.maximum(pixels, begin)
        shares.append((first, (covered / covered.sum()).astype(np.float32)))
    return tuple(shares)


def snapshot(
    picture: NDArray[np.uint8], rule: PictureRule, seen: NDArray[np.uint8] | None
) -> NDArray[np.uint8]:
    """Return one picture of both.

    Parameters
    ----------
    picture
        Shape ``(height, width, 3)``.
    rule
        Its crop is drawn; of one that does not lie within the picture, what does.
    seen
        What the model sees, shape ``(64, 64, 3)``; None if it sees nothing.
    """
    full = picture.copy()
    if rule.crop is not None:
        _draw(full, rule.crop)
    if seen is None:
        return full
    zoom = min(max(full.shape[0] // SIDE, _LEAST_ZOOM), _MOST_ZOOM)
    small = seen.repeat(zoom, axis=0).repeat(zoom, axis=1)
    height = max(full.shape[0], small.shape[0])
    width = full.shape[1] + _GAP + small.shape[1]
    both = np.full((height, width, 3), _GROUND, dtype=np.uint8)
    both[: full.shape[0], : full.shape[1]] = full
    both[: small.shape[0], -small.shape[1] :] = small
    return both


def _draw(full: NDArray[np.uint8], crop: tuple[int, int, int, int]) -> None:
    """Draw a frame around the crop, outside of it where there is room: bright, with dark edges."""
    left, top, width, height = crop
    thick = max(2, full.shape[0] // 240)
    for grown, colour in ((2 * thick, _EDGE), (thick, _LINE)):
        box = np.zeros(full.shape[:2], dtype=bool)
        box[
            max(0, top - grown) : top + height + grown, max(0, left - grown) : left + width + grown
        ] = True
        box[top : top + height, left : left + width] = False
        if left + width > full.shape[1] or top + height > full.shape[0] or not box.any():
            box[max(0, top) : top + height, max(0, left) : left + width] = True
            inner = (
                slice(top + grown, top + height - grown),
                slice(left + grown, left + width - grown),
            )
            box[inner] = False
        full[box] = colour
