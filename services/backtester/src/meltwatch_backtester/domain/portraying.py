"""A portrait made of windows: both sides, what it rests on, and the thresholds that follow."""

from array import array
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from meltwatch_core.join.window import AlignedWindow
from meltwatch_core.portraits import (
    CURRENT_MODES,
    CURRENT_RISE_PER_S,
    PATCH_RISE_PER_S,
    VIDEO_MODES,
    NotFiniteError,
    PortraitSide,
    fit_side,
    fitted_count,
)
from meltwatch_core.portraits.novelty import (
    GAP_NS,
    JUDGED_EVERY_NS,
    features_of_currents,
    video_features,
)
from meltwatch_core.portraits.surprise import TooFewWindowsError
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.portrait import (
    SHAPES,
    Portrait,
    decode_portrait,
    encode_portrait,
    portrait_id,
)
from meltwatch_schemas.score import Modality
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC
from numpy.typing import NDArray

from meltwatch_backtester.domain.novelty_setpoint import SurpriseWatch
from meltwatch_backtester.domain.portrait_windows import (
    FEWEST_WINDOWS,
    MEANINGS,
    ChosenWindows,
)
from meltwatch_backtester.domain.span import Span
from meltwatch_backtester.errors import BadUsage

FloatArray = NDArray[np.float64]

_GAP_S: Final = GAP_NS / NS_PER_S
_MODES: Final = {Modality.VIDEO: VIDEO_MODES, Modality.CURRENT: CURRENT_MODES}
_RISES: Final = {Modality.VIDEO: PATCH_RISE_PER_S, Modality.CURRENT: CURRENT_RISE_PER_S}


class PortraitWindows:
    """What a portrait knows of windows: 14 KB each, whatever their clips were."""

    def __init__(self) -> None:
        self._ends: array[int] = array("q")
        self._rows: dict[Modality, array[float]] = {m: array("d") for m in SHAPES}

    def add_window(self, window: AlignedWindow) -> None:
        """Take a window of both modalities; windows come in order of time."""
        video, current = video_features(window), features_of_currents(window)
        if video is None or current is None:
            return
        self._ends.append(window.window_end_ns)
        self._rows[Modality.VIDEO].frombytes(video.tobytes())
        self._rows[Modality.CURRENT].frombytes(current.tobytes())

    def __len__(self) -> int:
        return len(self._ends)

    @property
    def ends_ns(self) -> NDArray[np.int64]:
        """Window ends, ns UTC, ``(n,)``."""
        return np.array(self._ends, np.int64)

    @property
    def times_s(self) -> FloatArray:
        """Window ends in seconds after the first, ``(n,)``."""
        ends_ns = self.ends_ns
        times_s: FloatArray = (ends_ns - ends_ns[:1]) / NS_PER_S
        return times_s

    def features(self, modality: Modality) -> FloatArray:
        """Return what is known of each place, ``(n, places, k)``; a view, not a copy."""
        return np.frombuffer(self._rows[modality]).reshape(-1, *SHAPES[modality])


@dataclass(frozen=True)
class PortraitFit:
    """A portrait that was made.

    Attributes
    ----------
    portrait, value
        The message and its bytes.
    words
        Reasons that scores give for not being whole, by how many windows.
    held_out
        What the windows were to it that the portrait was not fitted to, as its scores would say.
    """

    portrait: Portrait
    value: bytes
    words: Counter[str]
    held_out: "HeldOut"

    @property
    def portrait_id(self) -> str:
        """Its id."""
        return portrait_id(self.value)


@dataclass(frozen=True, slots=True)
class HeldOut:
    """The newest third of the windows, from which a portrait learns what is rare.

    Attributes
    ----------
    ends_ns
        Shape ``(n,)``: window ends, ns UTC.
    surprises
        Shape ``(n,)``: the larger of both sides.
    """

    ends_ns: NDArray[np.int64]
    surprises: FloatArray

    @property
    def span(self) -> Span:
        """From the first to the last."""
        return Span(int(self.ends_ns[0]), int(self.ends_ns[-1]) + 1)

    def watched(self, furnace_id: str, portrait_id: str) -> SurpriseWatch:
        """Return them as scores say it: a judgement stands until the next window is judged."""
        watch, hop_ns = SurpriseWatch(), PUBLISHED_SPEC.hop_ns
        for end_ns, surprise in zip(self.ends_ns.tolist(), self.surprises.tolist(), strict=True):
            for at_ns in range(end_ns, end_ns + JUDGED_EVERY_NS, hop_ns):
                watch.add_surprise(furnace_id, at_ns, surprise, portrait_id)
        return watch


def make_portrait(
    furnace_id: str, seen: PortraitWindows, chosen: ChosenWindows, made_at_ns: int
) -> PortraitFit:
    """Make a portrait of windows of normal operation.

    Parameters
    ----------
    seen
        The windows.
    chosen
        What they were chosen from.
    made_at_ns
        Wall clock, ns UTC.

    Raises
    ------
    BadUsage
        If they are too few, or nothing can be learned from them.
    """
    require_enough(chosen, len(seen))
    try:
        sides = {m: _side(seen, m) for m in SHAPES}
        portrait = Portrait(
            furnace_id=furnace_id,
            encoder_id=chosen.encoder_id or "",
            spec_id=PUBLISHED_SPEC.spec_id,
            made_at_ns=made_at_ns,
            from_ns=chosen.span.from_ns,
            until_ns=chosen.span.to_ns,
            windows=len(seen),
            left_out={each.value: count for each, count in chosen.without_lost(len(seen)).items()},
            sides={m: side.packed() for m, side in sides.items()},
        )
        value = encode_portrait(portrait)
        decode_portrait(value)  # whoever reads it must not refuse it
    except (TooFewWindowsError, NotFiniteError, ContractViolation) as error:
        raise BadUsage(f"{furnace_id}, {chosen.span}: {error}") from error
    return PortraitFit(portrait, value, chosen.words, _held_out(seen, sides))


def _side(seen: PortraitWindows, modality: Modality) -> PortraitSide:
    return fit_side(
        seen.features(modality), seen.times_s, _GAP_S, _RISES[modality], _MODES[modality]
    )


def _held_out(seen: PortraitWindows, sides: Mapping[Modality, PortraitSide]) -> HeldOut:
    kept, times_s = fitted_count(len(seen)), seen.times_s
    surprises = [
        side.surprises(seen.features(modality)[kept:], times_s[kept:], _GAP_S)
        for modality, side in sides.items()
    ]
    return HeldOut(seen.ends_ns[kept:], np.maximum.reduce(surprises))


def require_enough(chosen: ChosenWindows, found: int) -> None:
    """Refuse too few windows, with what became of the others.

    Parameters
    ----------
    found
        How many are there of those that were chosen.

    Raises
    ------
    BadUsage
        If they are fewer than four hours.
    """
    if found >= FEWEST_WINDOWS:
        return
    hours = FEWEST_WINDOWS * JUDGED_EVERY_NS / NS_PER_S / 3600
    left_out = chosen.without_lost(found).most_common()
    why = "; ".join(f"{count}: {MEANINGS[each]}" for each, count in left_out)
    raise BadUsage(
        f"expected at least {FEWEST_WINDOWS} windows of normal operation ({hours:.0f} h, one each "
        f"{JUDGED_EVERY_NS / NS_PER_S:.2f} s), got {found} from {chosen.span}; left out: "
        f"{why or 'none, the span is too short'}"
    )
