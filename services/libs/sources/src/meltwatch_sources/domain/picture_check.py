"""What is wrong with a camera's pictures: black, frozen, beside the furnace, turned, written on.

A watch keeps what is small of each picture. A reference was kept when somebody accepted a camera.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

import numpy as np
from meltwatch_schemas.window import NS_PER_S
from numpy.typing import NDArray

from meltwatch_sources.domain.finding import SourceFinding, unchecked
from meltwatch_sources.domain.picture import SIDE, CropOutside, PictureRule, area_average

Pictures = NDArray[np.uint8]
BLACK, WHITE = 4.0, 251.0
FROZEN_NS: Final = int(7.2 * NS_PER_S)
"""As long as the clip of a window."""
_MOST: Final = 0.95
_PATCH: Final = 8
_FEW: Final = 4
_BRIGHT: Final = 150.0
_MOVES: Final = 12.0
_CELLS: Final = 8
_BLOCK: Final = 16
_HARD: Final = 60
_HARD_SHARE: Final = 0.05
_CHANGED: Final = 6.0
_TICKS: Final = 5
_TICK_S: Final = (0.6, 1.4)
_SAMPLED_NS: Final = NS_PER_S * 2 // 5
_DARKER: Final = 20.0
_REDDER: Final = 0.15
_ALIKE: Final = 0.5
_BETTER: Final = 0.25


@dataclass(frozen=True, slots=True)
class PictureReference:
    """What a crop looked like when it was accepted.

    Attributes
    ----------
    mean
        Shape ``(64, 64, 3)``: mean picture.
    border_grey
        Mean of the patches along its border, 0 to 255.
    red_to_blue
        Of the same patches.
    """

    mean: Pictures
    border_grey: float
    red_to_blue: float

    @classmethod
    def of(cls, seen: Sequence[Pictures]) -> "PictureReference":
        """Return what pictures of 64 by 64 have in common."""
        mean = np.mean(np.stack(seen), axis=0)
        border = np.ones((SIDE, SIDE), dtype=bool)
        border[_PATCH:-_PATCH, _PATCH:-_PATCH] = False
        red, _, blue = mean[border].mean(axis=0)
        grey = float(mean[border].mean())
        return cls(np.rint(mean).astype(np.uint8), grey, float((red + 1) / (blue + 1)))


@dataclass(slots=True)
class PictureWatch:
    """Keeps what a check needs of pictures, in small.

    Attributes
    ----------
    rule
        Which part shows the furnace.
    size
        Width and height of the newest picture.
    outside
        Why the crop does not lie within it, if so.
    """

    rule: PictureRule
    size: tuple[int, int] = (0, 0)
    outside: str = ""
    seen: list[Pictures] = field(default_factory=list)
    _times_ns: list[int] = field(default_factory=list)
    _whole: list[Pictures] = field(default_factory=list)
    _before: NDArray[np.int16] | None = None
    _hard: list[NDArray[np.bool_]] = field(default_factory=list)
    _changed: list[NDArray[np.bool_]] = field(default_factory=list)

    def take(self, picture: Pictures, time_ns: int) -> None:
        """Take a picture, shape ``(height, width, 3)``."""
        size = (picture.shape[1], picture.shape[0])
        if size != self.size:
            # Blocks of another picture are compared with nothing.
            self._hard, self._changed, self._before = [], [], None
            self._times_ns, self._whole, self.seen = [], [], []
        self.size = size
        try:
            seen = self.rule.seen(picture)
        except CropOutside as error:
            self.outside = str(error)
            return
        self.outside = ""
        self.seen.append(seen)
        self._times_ns.append(time_ns)
        if self.rule.crop is not None:
            self._whole.append(area_average(picture))
        self._take_blocks(self._cropped(picture))

    def findings(self, reference: PictureReference | None = None) -> list[SourceFinding]:
        """Return what is wrong with the pictures, and what could not be checked.

        Parameters
        ----------
        reference
            What was kept when the source was accepted, if it was.
        """
        if self.outside:
            advice = "set 'crop' anew; look at it with 'meltwatch sources snapshot'"
            return [SourceFinding("crop_outside", self.outside, advice)]
        if len(self.seen) < _FEW:
            said = f"{len(self.seen)} pictures are too few"
            names = ("black_picture", "saturated", "frozen", "crop_misses_furnace")
            return [
                unchecked(name, said)
                for name in (*names, "overlay_text", "picture_turned", "exposure_drift")
            ]
        found = [
            _lit(self.seen),
            self._frozen(),
            self._missed(),
            self._written(),
            *_compared(self.seen, reference),
        ]
        return [finding for finding in found if finding is not None]

    @property
    def mean_grey(self) -> float:
        """Mean grey of the newest crop."""
        return float(self.seen[-1].mean()) if self.seen else 0.0

    def _cropped(self, picture: Pictures) -> NDArray[np.int16]:
        left, top, width, height = self.rule.crop or (0, 0, picture.shape[1], picture.shape[0])
        return picture[top : top + height, left : left + width, 1].astype(np.int16)

    def _take_blocks(self, grey: NDArray[np.int16]) -> None:
        hard = np.zeros_like(grey, dtype=np.float32)
        hard[:, 1:] = np.abs(np.diff(grey, axis=1)) > _HARD
        self._hard.append(_blocks(hard) > _HARD_SHARE)
        if self._before is not None:
            self._changed.append(_blocks(np.abs(grey - self._before)) > _CHANGED)
        self._before = grey

    def _frozen(self) -> SourceFinding | None:
        span_ns = self._times_ns[-1] - self._times_ns[0]
        if any(not np.array_equal(self.seen[0], seen) for seen in self.seen[1:]):
            return None
        if span_ns < FROZEN_NS:
            return unchecked("frozen", f"nothing moved in {span_ns / NS_PER_S:.1f} s")
        return SourceFinding(
            "frozen",
            f"no pixel of the crop has changed in {span_ns / NS_PER_S:.0f} s",
            "restart the camera or its restreamer: it repeats a picture",
        )

    def _missed(self) -> SourceFinding | None:
        """Look for what is bright and moves outside of the crop while inside nothing is or does."""
        crop = self.rule.crop
        if crop is None:
            return None
        edges = [edge * SIDE / side for edge, side in zip(
            (crop[0], crop[1], crop[0] + crop[2], crop[1] + crop[3]), self.size * 2, strict=True
        )]  # fmt: skip
        outside = np.ones((SIDE, SIDE), dtype=bool)
        outside[int(edges[1]) : int(np.ceil(edges[3])), int(edges[0]) : int(np.ceil(edges[2]))] = (
            False
        )
        there = np.stack(self._whole).mean(axis=3)[:, outside]
        burns = (there.max(axis=0) > _BRIGHT) & (np.ptp(there, axis=0) > _MOVES)
        patches = _patches(self.seen)
        is_bright = patches.max() > _BRIGHT
        is_moving = np.ptp(patches, axis=0).max() > _MOVES / 2
        if is_bright or is_moving:
            return None
        if burns.sum() < _CELLS:
            return unchecked("crop_misses_furnace", "nothing bright moves anywhere in the picture")
        return SourceFinding(
            "crop_misses_furnace",
            "the crop is dark and still, and outside of it something bright moves",
            "move 'crop' to the furnace; look at it with 'meltwatch sources snapshot'",
        )

    def _written(self) -> SourceFinding | None:
        """Look for blocks with hard edges that change once a second, as a clock's figures do."""
        steps_ns = np.diff(self._times_ns)
        span_s = (self._times_ns[-1] - self._times_ns[0]) / NS_PER_S
        if span_s < _TICKS + 1 or np.median(steps_ns) > _SAMPLED_NS:
            return unchecked("overlay_text", f"{len(self.seen)} pictures in {span_s:.1f} s")
        hard = np.mean(np.stack(self._hard), axis=0) > 0.8
        changed = np.stack(self._changed)
        times_s = np.array(self._times_ns[1:]) / NS_PER_S
        for row, column in np.argwhere(hard & (changed.mean(axis=0) < 0.5)):
            if _ticks(times_s[changed[:, row, column]]):
                left, top = (self.rule.crop or (0, 0))[:2]
                x, y = left + column * _BLOCK, top + row * _BLOCK
                return SourceFinding(
                    "overlay_text",
                    f"hard edges change once a second at {x}, {y} of the picture",
                    "switch off the camera's overlay, or move 'crop' away from it",
                )
        return None


def _lit(seen: Sequence[Pictures]) -> SourceFinding | None:
    patches = _patches(seen).reshape(len(seen), -1)
    if ((patches < BLACK).mean(axis=1) >= _MOST).all():
        return SourceFinding(
            "black_picture",
            f"the crop is black: its mean is {patches.mean():.1f} of 255",
            "look at the lens cap, the shutter, the exposure and 'crop'",
        )
    if ((patches >= WHITE).mean(axis=1) >= _MOST).all():
        return SourceFinding(
            "saturated",
            f"the crop is white: its mean is {patches.mean():.1f} of 255",
            "set a fixed, shorter exposure and a lower gain, or fit a filter",
        )
    return None


def _compared(
    seen: Sequence[Pictures], reference: PictureReference | None
) -> list[SourceFinding | None]:
    """Compare with what was accepted."""
    if reference is None:
        said = "no reference is kept ('meltwatch sources accept')"
        return [
            unchecked(name, said)
            for name in ("picture_turned", "exposure_drift", "white_balance_drift")
        ]
    now = PictureReference.of(seen)
    darker = now.border_grey - reference.border_grey
    redder = now.red_to_blue / reference.red_to_blue - 1
    return [
        _turned(now.mean, reference.mean),
        SourceFinding(
            "exposure_drift",
            f"the crop's border is {darker:+.0f} greys from the {reference.border_grey:.0f} "
            "that were accepted",
            "fix exposure and gain at the camera, clean the window, or accept it anew",
        )
        if abs(darker) > _DARKER
        else None,
        SourceFinding(
            "white_balance_drift",
            f"red to blue at the crop's border is {redder:+.0%} from what was accepted",
            "fix the white balance at the camera, or accept it anew",
        )
        if abs(redder) > _REDDER
        else None,
    ]


_TURNS: Final[dict[str, Callable[[Pictures], Pictures]]] = {
    f"turned by {90 * turns} degrees" + (" and mirrored" if mirror else ""): (
        lambda picture, turns=turns, mirror=mirror: np.rot90(  # type: ignore[misc]  # defaults bind
            picture[:, ::-1] if mirror else picture, -turns
        )
    )
    for mirror in (False, True)
    for turns in range(4)
    if turns or mirror
}


def _turned(now: Pictures, reference: Pictures) -> SourceFinding | None:
    as_it_is = _likeness(now, reference)
    alike = {how: _likeness(now, turn(reference)) for how, turn in _TURNS.items()}
    best = max(alike, key=lambda how: alike[how])
    if alike[best] > max(_ALIKE, as_it_is + _BETTER):
        return SourceFinding(
            "picture_turned",
            f"the picture is {best.replace('turned by 0 degrees and ', '')}, beside what was "
            "accepted",
            "turn the camera back, or set 'rotate_degrees' and 'mirror' and accept it anew",
        )
    if as_it_is < _ALIKE:
        said = f"the picture is like none of before ({as_it_is:.2f} of 1)"
        return unchecked("picture_turned", said)
    return None


def _likeness(one: Pictures, other: Pictures) -> float:
    """Return the correlation of two pictures' greys; 0 if one of them is even."""
    greys = [picture.astype(np.float64).mean(axis=2).reshape(-1) for picture in (one, other)]
    greys = [grey - grey.mean() for grey in greys]
    size = float(np.linalg.norm(greys[0]) * np.linalg.norm(greys[1]))
    return float(greys[0] @ greys[1]) / size if size else 0.0


def _patches(seen: Sequence[Pictures]) -> NDArray[np.float64]:
    """Return the means of the 64 patches, shape ``(pictures, 8, 8)``."""
    parts = SIDE // _PATCH
    shape = (len(seen), parts, _PATCH, parts, _PATCH, 3)
    means: NDArray[np.float64] = np.stack(seen).reshape(shape).mean(axis=(2, 4, 5))
    return means


def _blocks(values: NDArray[np.generic]) -> NDArray[np.float64]:
    """Return the means of blocks of 16 by 16; what is left over at the edges is left out."""
    rows, columns = (side // _BLOCK for side in values.shape)
    cut = values[: rows * _BLOCK, : columns * _BLOCK]
    means: NDArray[np.float64] = cut.reshape(rows, _BLOCK, columns, _BLOCK).mean(axis=(1, 3))
    return means


def _ticks(times_s: NDArray[np.float64]) -> bool:
    """Tell whether something happens once a second."""
    if len(times_s) < _TICKS:
        return False
    steps = np.array([after - before for before, after in pairwise(times_s)])
    even = (steps > _TICK_S[0]) & (steps < _TICK_S[1])
    return bool(even.mean() >= 0.8 and abs(float(np.median(steps)) - 1) < 0.2)
