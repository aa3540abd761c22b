"""What is said of portraits: which stand, what they were made of, and what they show."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from meltwatch_core.portraits.features import COLOURS, PHASES
from meltwatch_core.portraits.normal_law import NormalLaw
from meltwatch_core.portraits.novelty import JUDGED_EVERY_NS
from meltwatch_schemas.encoder import PATCH_VALUES, dct_basis
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.instants import rfc3339, utc_from_ns
from meltwatch_schemas.point_rules import who_and_why
from meltwatch_schemas.portrait import Portrait, portrait_id
from meltwatch_schemas.record import RawRecord, read_portrait
from meltwatch_schemas.score import Modality
from meltwatch_schemas.window import NS_PER_S
from numpy.typing import NDArray

from meltwatch_backtester.domain.portrait_windows import MEANINGS
from meltwatch_backtester.domain.span import Span

FloatArray = NDArray[np.float64]

_HOUR_NS: Final = 3600 * NS_PER_S
_DAY_HOURS: Final = 24
_SHOWN_ID: Final = 16
_MEANINGS: Final = {reason.value: text for reason, text in MEANINGS.items()}
_MOST_LOG: Final = 30.0
"""Of amperes: what a stranger has written does not overflow."""


@dataclass(frozen=True)
class StandingPortrait:
    """A portrait as it stands on its topic.

    Attributes
    ----------
    portrait, value
        The message and its bytes.
    by, why
        Who wrote it, and why, as far as the record says so.
    """

    portrait: Portrait
    value: bytes
    by: str | None = None
    why: str | None = None

    @property
    def portrait_id(self) -> str:
        """Its id."""
        return portrait_id(self.value)

    def document(self) -> dict[str, Any]:
        """Return what is known of it, for programs."""
        made = self.portrait
        return {
            "furnace": made.furnace_id,
            "portrait": self.portrait_id,
            "made_at": rfc3339(utc_from_ns(made.made_at_ns)),
            "from": rfc3339(utc_from_ns(made.from_ns)),
            "to": rfc3339(utc_from_ns(made.until_ns)),
            "windows": made.windows,
            "left_out": dict(made.left_out),
            "modes": {m.value: len(side.modes) for m, side in made.sides.items()},
            "encoder_id": made.encoder_id,
            "spec_id": made.spec_id,
            "bytes": len(self.value),
            "by": self.by,
            "why": self.why,
        }

    def lines(self, now_ns: int) -> Iterator[str]:
        """Yield what is known of it, for people.

        Parameters
        ----------
        now_ns
            Wall clock, ns UTC.
        """
        made = self.portrait
        at, span = utc_from_ns(made.made_at_ns), Span(made.from_ns, made.until_ns)
        yield f"{made.furnace_id}: portrait {self.portrait_id[:_SHOWN_ID]}"
        yield f"{'made':<12} {rfc3339(at)}, {age(made.made_at_ns, now_ns)} ago{self._said()}"
        yield f"{'of':<12} {span}"
        yield f"{'windows':<12} {used(made.windows)}"
        yield from left_out_lines(made.left_out)
        for modality, side in made.sides.items():
            yield f"{modality.value:<12} {counted(len(side.modes), 'mode')}"
        for number, amperes in enumerate(usual_amperes(made), start=1):
            told = ", ".join(f"{each:,.0f}" for each in amperes)
            yield f"{'currents':<12} mode {number}: {told} A"
        yield f"{'encoder':<12} {made.encoder_id}"
        yield f"{'size':<12} {len(self.value):,} bytes"

    def _said(self) -> str:
        by = f", by {self.by}" if self.by else ""
        return f"{by}: {self.why}" if self.why else by


def standing(records: Iterable[RawRecord]) -> dict[str, StandingPortrait]:
    """Return the portraits that stand, by furnace, as the stream processor takes them.

    A newest record that is no portrait leaves its furnace without one.

    Parameters
    ----------
    records
        Of the topic, in its order.
    """
    found: dict[str, StandingPortrait] = {}
    for raw in records:
        found.pop((raw.key or b"").decode(errors="replace"), None)
        if raw.value is not None:
            with suppress(ContractViolation):
                portrait = read_portrait(raw)
                found[portrait.furnace_id] = StandingPortrait(
                    portrait, raw.value, *who_and_why(raw)
                )
    return found


def listed(portraits: Iterable[StandingPortrait], now_ns: int) -> Iterator[str]:
    """Yield a line for each portrait, for people."""
    yield f"{'PORTRAIT':<16}  {'AGE':>8}  {'WINDOWS':>8}  FURNACE"
    for each in portraits:
        made = each.portrait
        old = age(made.made_at_ns, now_ns)
        yield f"{each.portrait_id[:_SHOWN_ID]}  {old:>8}  {made.windows:>8,}  {made.furnace_id}"


def used(windows: int) -> str:
    """Return how many windows there are, and how long they take."""
    hours = windows * JUDGED_EVERY_NS / _HOUR_NS
    return f"{windows:,}, one each {JUDGED_EVERY_NS / NS_PER_S:.2f} s: {hours:.1f} h"


def left_out_lines(left_out: Mapping[str, int]) -> Iterator[str]:
    """Yield how many windows were left out, and why, the most frequent reason first."""
    for reason, count in sorted(left_out.items(), key=lambda each: -each[1]):
        yield f"{'left out':<12} {count:,}: {_MEANINGS.get(reason, reason)}"


def age(since_ns: int, now_ns: int) -> str:
    """Return how long ago something was."""
    hours = max(now_ns - since_ns, 0) / _HOUR_NS
    return f"{hours:.1f} h" if hours < 2 * _DAY_HOURS else f"{hours / _DAY_HOURS:.1f} d"


def counted(count: int, noun: str) -> str:
    """Return a number with its noun."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


class ModePicture(NamedTuple):
    """What one kind of normal operation looks like.

    Attributes
    ----------
    colours
        Shape ``(64, 3)``: mean colour of each patch, row by row, 0..255.
    spreads
        Shape ``(64,)``: standard deviation of its mean grey, greys.
    """

    colours: FloatArray
    spreads: FloatArray


def mode_pictures(portrait: Portrait) -> list[ModePicture]:
    """Return a picture of each mode of the video; none without video."""
    side = portrait.sides.get(Modality.VIDEO)
    if side is None:
        return []
    # Rows 0 to 2 of the basis are a patch's evenly lit colours: their mean over its pixels.
    basis = dct_basis(COLOURS).astype(np.float64).reshape(COLOURS, -1, COLOURS)
    per_unit = basis.mean(axis=1)
    greys = basis.reshape(COLOURS, PATCH_VALUES).mean(axis=1)
    pictures = []
    for mode in (NormalLaw.unpacked(each) for each in side.modes):
        # A stranger may have put a law there that has no inverse.
        factor = mode.factor.astype(np.float64)
        inverse = factor @ factor.swapaxes(-1, -2)
        covariance = np.linalg.pinv(inverse, hermitian=True)
        shades = covariance[:, :COLOURS, :COLOURS]
        variance = np.einsum("i,pij,j->p", greys, shades, greys)
        colours = np.clip(mode.mean[:, :COLOURS] @ per_unit, 0, 255)
        pictures.append(ModePicture(colours, np.sqrt(np.maximum(variance, 0.0))))
    return pictures


def usual_amperes(portrait: Portrait) -> list[list[float]]:
    """Return the usual current of each phase, per mode; none without currents."""
    side = portrait.sides.get(Modality.CURRENT)
    modes = () if side is None else side.modes
    # The last four numbers are logarithms of medians: of the phases, then of their mean.
    logs = (mode.mean[0, -PHASES - 1 : -1].astype(np.float64) for mode in modes)
    return [np.exp(np.minimum(each, _MOST_LOG)).tolist() for each in logs]
