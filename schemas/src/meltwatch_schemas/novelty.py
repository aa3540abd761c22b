"""``Novelty``: how unlike its own normal operation a furnace is, as a score says it (from 1.1)."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from meltwatch_schemas.bounds import MAX_PLACE, MAX_SURPRISE, check_real, check_whole
from meltwatch_schemas.codec import Fields, array_from, bytes_of, check_time
from meltwatch_schemas.encoder import PATCHES
from meltwatch_schemas.errors import ContractViolation, Refusal, malformed, violation
from meltwatch_schemas.portrait import check_portrait_id

UNUSUAL_BITS: Final = 89
"""Judged windows of a quarter of an hour."""
_UNUSUAL_BYTES: Final = (UNUSUAL_BITS + 7) // 8


@dataclass(frozen=True, slots=True, eq=False)
class FollowedLevels:
    """Levels of one modality as followed so far: who takes over goes on from here.

    Attributes
    ----------
    judged_ns
        End of the window up to which they were followed, ns UTC.
    levels
        Shape ``(places,)``, float16: 64 patches, or 1 for the currents.
    """

    judged_ns: int
    levels: NDArray[np.float16]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Novelty:
    """How unlike its portrait a furnace is, as of its newest judged window.

    Attributes
    ----------
    portrait
        Id of the portrait that it is compared with.
    video, current
        Surprise of each modality, 0..12: ``-log10`` of the share of normal windows that are as
        unlike. None where it could not be judged.
    peak
        Row and column of the most unlike patch, 0..7; None without video.
    followed_video, followed_current
        What was followed so far; None before the first judged window of the modality.
    unusual
        The newest 89 judged windows as bits, the newest lowest: 1 where a modality was unusual.
    """

    portrait: str
    video: float | None = None
    current: float | None = None
    peak: tuple[int, int] | None = None
    followed_video: FollowedLevels | None = None
    followed_current: FollowedLevels | None = None
    unusual: int = 0

    @property
    def surprise(self) -> float | None:
        """The larger of both surprises; None where nothing could be judged."""
        return max((each for each in (self.video, self.current) if each is not None), default=None)


def novelty_message(novelty: Novelty) -> dict[str, Any]:
    """Return a novelty as it stands in a score."""
    return {
        "portrait": novelty.portrait,
        "video": novelty.video,
        "current": novelty.current,
        "peak": novelty.peak,
        "followed": {
            name: {"judged_ns": each.judged_ns, "levels": bytes_of(each.levels, "<f2")}
            for name, each in (
                ("video", novelty.followed_video),
                ("current", novelty.followed_current),
            )
            if each is not None
        },
        "unusual": novelty.unusual.to_bytes(_UNUSUAL_BYTES, "little"),
    }


def read_novelty(fields: Fields | None) -> Novelty | None:
    """Return the novelty of a score; None where it does not say.

    Raises
    ------
    ContractViolation
        ``malformed`` for a wrong type.
    """
    if fields is None:
        return None
    followed = fields.map("followed")
    return Novelty(
        portrait=fields.text("portrait"),
        video=fields.optional_number("video"),
        current=fields.optional_number("current"),
        peak=_read_peak(fields),
        followed_video=_read_followed(followed, "video", PATCHES),
        followed_current=_read_followed(followed, "current", 1),
        unusual=int.from_bytes(fields.binary("unusual"), "little"),
    )


def check_novelty(novelty: Novelty) -> None:
    """Refuse what lies beyond its bounds; what is not finite comes last.

    Raises
    ------
    ContractViolation
        ``contract_violation`` or ``non_finite``.
    """
    check_portrait_id("novelty.portrait", novelty.portrait)
    if novelty.peak is not None:
        for place in novelty.peak:
            check_whole("novelty.peak", place, MAX_PLACE)
    if novelty.unusual >> UNUSUAL_BITS:
        raise violation(f"novelty.unusual: expected {UNUSUAL_BITS} bits, got more")
    for name, surprise in (("video", novelty.video), ("current", novelty.current)):
        if surprise is not None:
            check_real(f"novelty.{name}", surprise, MAX_SURPRISE, 0.0)
    for followed in (novelty.followed_video, novelty.followed_current):
        if followed is not None:
            check_time("novelty.followed.judged_ns", followed.judged_ns)
            if not np.isfinite(followed.levels).all():
                raise ContractViolation(
                    Refusal.NON_FINITE, "novelty.followed.levels: expected finite levels"
                )


def _read_followed(fields: Fields, name: str, places: int) -> FollowedLevels | None:
    found = fields.optional_map(name)
    if found is None:
        return None
    levels = array_from(f"novelty.followed.{name}", found.binary("levels"), "<f2", (places,))
    return FollowedLevels(found.integer("judged_ns"), levels)


def _read_peak(fields: Fields) -> tuple[int, int] | None:
    if "peak" not in fields:
        return None
    match values := fields.list("peak"):
        case [int(row), int(column)] if bool not in map(type, values):
            return row, column
        case _:
            raise malformed(f"novelty.peak: expected [row, column], got {values!r}"[:200])
