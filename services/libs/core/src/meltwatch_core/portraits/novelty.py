"""How unlike its portrait a furnace is, window by window: what stands in its scores.

Each seventh window is judged: a portrait is made and was tried on windows 10.08 s apart. Others
carry the newest judgement on. All of it follows from a window and the score before it, so that a
restart and a replay say the same, bit by bit.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from meltwatch_schemas.encoder import PATCH, SIDE
from meltwatch_schemas.novelty import (
    UNUSUAL_BITS,
    FollowedLevels,
    Novelty,
)
from meltwatch_schemas.portrait import Portrait
from meltwatch_schemas.score import Modality
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC
from numpy.typing import NDArray

from meltwatch_core.join.window import AlignedWindow
from meltwatch_core.portraits.features import (
    COLOURS,
    NEWEST,
    PLACES,
    current_features,
    patch_features,
)
from meltwatch_core.portraits.persistence import follow, raw_novelty
from meltwatch_core.portraits.portrait import PortraitSide

FloatArray = NDArray[np.float64]

JUDGED_EVERY: Final = 7
"""Windows, from one that is judged to the next."""
JUDGED_EVERY_NS: Final = JUDGED_EVERY * PUBLISHED_SPEC.hop_ns
GAP_NS: Final = 2 * JUDGED_EVERY_NS
"""After a longer pause of a modality its levels are followed anew, from the usual ones."""
UNUSUAL_FROM: Final = 2.0
"""Surprise above which a window is unusual: one in a hundred is."""
STALE_FROM: Final = 54
"""So many unusual ones of the newest 89 judged windows, six in ten of a quarter of an hour, are no
event any more: the portrait is not that of this furnace as it is now."""


@dataclass(frozen=True, slots=True)
class KnownPortrait:
    """A portrait as it is judged by.

    Attributes
    ----------
    portrait_id
        Of its message.
    encoder_id, spec_id
        Of what it was made.
    sides
        By modality, those that it has.
    """

    portrait_id: str
    encoder_id: str
    spec_id: str
    sides: Mapping[Modality, PortraitSide]

    @classmethod
    def of(cls, portrait: Portrait, portrait_id: str) -> "KnownPortrait":
        """Return what a message says."""
        sides = {m: PortraitSide.unpacked(side) for m, side in portrait.sides.items()}
        return cls(portrait_id, portrait.encoder_id, portrait.spec_id, sides)


def is_judged(furnace_id: str, window_end_ns: int) -> bool:
    """Tell whether a portrait is asked about a window."""
    numbered_ns = window_end_ns - PUBLISHED_SPEC.phase_ns(furnace_id)
    return numbered_ns // PUBLISHED_SPEC.hop_ns % JUDGED_EVERY == 0


def video_features(window: AlignedWindow) -> FloatArray | None:
    """Return what a portrait knows of a window's picture, ``(1, 64, 27)``; None without one."""
    if window.embeddings is None:
        return None
    return patch_features(np.stack(window.embeddings[-NEWEST:])[None])


def features_of_currents(window: AlignedWindow) -> FloatArray | None:
    """Return what a portrait knows of a window's currents, ``(1, 1, 40)``; None without any."""
    return None if window.currents_a is None else current_features(window.currents_a[None])[:, None]


def novelty_of(
    window: AlignedWindow, logit: float | None, portrait: KnownPortrait, before: Novelty | None
) -> Novelty:
    """Return how unlike its portrait a furnace is.

    Parameters
    ----------
    window
        Of the furnace.
    logit
        What the ensemble says of it; None if nothing. What it takes for a hot spot ages nothing.
    portrait
        Of the furnace.
    before
        As of the furnace's window before; None without any.
    """
    if before is None or before.portrait != portrait.portrait_id:
        before = Novelty(portrait=portrait.portrait_id)
    if not is_judged(window.furnace_id, window.window_end_ns):
        return before
    at_ns = window.window_end_ns
    fits = _fits(portrait, window)
    video = _judged(
        portrait.sides.get(Modality.VIDEO),
        video_features(window) if fits else None,
        before.followed_video,
        at_ns,
    )
    current = _judged(
        portrait.sides.get(Modality.CURRENT),
        features_of_currents(window) if fits else None,
        before.followed_current,
        at_ns,
    )
    judged = Novelty(
        portrait=portrait.portrait_id,
        video=video.surprise,
        current=current.surprise,
        peak=None if video.surprise is None else _place(video.followed),
        followed_video=video.followed,
        followed_current=current.followed,
    )
    return replace(judged, unusual=_unusual(before, judged, logit, at_ns))


def is_stale(window: AlignedWindow, portrait: KnownPortrait, novelty: Novelty) -> bool:
    """Tell whether a portrait is not that of this furnace as it is now."""
    return novelty.unusual.bit_count() >= STALE_FROM or not _fits(portrait, window)


def _fits(portrait: KnownPortrait, window: AlignedWindow) -> bool:
    """Tell whether a portrait says anything of a window: of what it was made, and that fine."""
    is_fine = window.embeddings is None or window.embeddings[-1].shape[-1] >= PLACES * COLOURS
    is_spec = portrait.spec_id == PUBLISHED_SPEC.spec_id
    return is_fine and is_spec and window.encoder_id in (None, portrait.encoder_id)


@dataclass(frozen=True, slots=True)
class _Side:
    surprise: float | None
    followed: FollowedLevels | None


def _judged(
    side: PortraitSide | None,
    features: FloatArray | None,
    before: FollowedLevels | None,
    at_ns: int,
) -> _Side:
    if side is None or features is None:
        return _Side(None, before)
    usual = side.usual
    if before is None or not 0 < at_ns - before.judged_ns <= GAP_NS:
        start, since_ns = usual.median, at_ns
    else:
        start, since_ns = before.levels.astype(np.float64), before.judged_ns
    passed_s = np.array([(at_ns - since_ns) / NS_PER_S])
    levels = follow(usual.law.levels(features), passed_s, start, 0.0, usual.rise_per_s)
    (surprise,) = side.scale.surprise(raw_novelty(levels))
    return _Side(float(surprise), FollowedLevels(at_ns, levels[0].astype(np.float16)))


def _place(followed: FollowedLevels | None) -> tuple[int, int] | None:
    if followed is None:
        return None
    row, column = divmod(int(followed.levels.argmax()), SIDE // PATCH)
    return row, column


def _unusual(before: Novelty, now: Novelty, logit: float | None, at_ns: int) -> int:
    """Return which of the newest judged windows were unusual, this one lowest."""
    times = [e.judged_ns for e in (before.followed_video, before.followed_current) if e is not None]
    is_long_ago = not times or not 0 < at_ns - max(times) <= PUBLISHED_SPEC.lookback_ns
    bits = 0 if is_long_ago else before.unusual
    if now.surprise is None:
        return bits
    is_unusual = now.surprise > UNUSUAL_FROM and (logit is None or logit < 0)
    return (bits << 1 | is_unusual) & ((1 << UNUSUAL_BITS) - 1)
