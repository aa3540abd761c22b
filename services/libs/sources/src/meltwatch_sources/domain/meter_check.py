"""What is wrong with a meter, seen from a stretch of what it showed: findings with what to do.

A check never says "good" about what it did not look at: it says what it could not check.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from meltwatch_schemas.current import PHASES
from meltwatch_schemas.window import NS_PER_MS, NS_PER_S
from numpy.typing import NDArray

from meltwatch_sources.domain.finding import SourceFinding, unchecked
from meltwatch_sources.domain.reading import MeterReading, Wiring
from meltwatch_sources.domain.registers import ByteOrder, RegisterBlock

USUAL_A: Final = (10.0, 200_000.0)
"""Amperes of an electrode, where nobody says what is expected."""
RATIOS: Final = (20.0, 40.0, 80.0, 100.0)
"""Of current transformers: a meter may show the secondary side."""
_ALIKE: Final = 20.0
"""The phases of one furnace differ by less than this factor."""
_MISSING_SHARE: Final = 0.01
_SLOW_NS: Final = 1500 * NS_PER_MS
_MOST: Final = 0.8
"""A way to read registers is right if so many of the readings fit."""
_FEW: Final = 4
_FALLEN: Final = 0.2
_PHASES: Final = "abc"


@dataclass(frozen=True, slots=True)
class ExpectedCurrents:
    """What the currents should look like.

    Attributes
    ----------
    wiring
        From what the meter shows to amperes.
    range_a
        Least and largest mean of a phase under load.
    """

    wiring: Wiring = field(default_factory=Wiring)
    range_a: tuple[float, float] = USUAL_A

    def fits(self, shown: Sequence[float]) -> bool:
        """Whether three numbers of a meter look like the amperes of one furnace."""
        sizes = np.abs(self.wiring.amperes(shown))
        least, most = self.range_a
        # NaN compares as not within.
        return bool(
            ((sizes >= least) & (sizes <= most)).all() and sizes.max() < _ALIKE * sizes.min()
        )


def judged_registers(
    wide: Sequence[Sequence[int]], block: RegisterBlock, expected: ExpectedCurrents
) -> SourceFinding | None:
    """Return what is wrong with how registers are read, if anything.

    Parameters
    ----------
    wide
        Some readings of the block, each with one register before it and one behind.
    block
        As the plant file says it.
    expected
        What the currents should look like.
    """
    given = [words[1:-1] for words in wide]
    if not given:
        return unchecked("address_off_by_one", "the registers beside cannot be read")
    if _fit(given, block, expected):
        return None
    if not any(any(words) for words in given):
        return unchecked("wrong_byte_order", "all registers are 0")
    orders = {f"order: {order}": (given, replace(block, order=order)) for order in ByteOrder}
    firsts = {
        f"first: {block.first + step}": (
            [words[1 + step : step - 1 or None] for words in wide],
            block,
        )
        for step in (-1, 1)
    }
    proposals = {
        what: _shown(words[0], right)
        for what, (words, right) in (orders | firsts).items()
        if _fit(words, right, expected)
    }
    shown = _shown(given[0], block)
    if not proposals:
        return unchecked("wrong_byte_order", f"{shown} are no amperes, in no order and not beside")
    is_order = not proposals.keys().isdisjoint(orders)
    said = "; ".join(f"{what} gives {numbers}" for what, numbers in proposals.items())
    # The high half of a number is within 1 % of it, whichever low half stands beside it.
    doubt = "" if len(proposals) == 1 else ", as the meter's manual says"
    return SourceFinding(
        "wrong_byte_order" if is_order else "address_off_by_one",
        f"now it gives {shown}; {said}",
        f"set {' or '.join(proposals)} in 'registers'{doubt}",
    )


def judged_readings(
    readings: Sequence[MeterReading],
    expected: ExpectedCurrents,
    why: str = "",
    lifted: str | None = None,
) -> list[SourceFinding]:
    """Return what is wrong with what a meter showed, and what could not be checked.

    Parameters
    ----------
    readings
        Of all three phases each, in order, of some seconds.
    expected
        What the currents should look like.
    why
        What the meter last said of a value that is none.
    lifted
        Which electrode was lifted meanwhile: ``a``, ``b`` or ``c``.
    """
    values = np.array([reading.values for reading in readings], dtype=np.float64).reshape(
        -1, PHASES
    )
    order = _ordered(values, lifted)
    if len(values) < _FEW or not np.isfinite(values).any():
        said = f"{int(np.isfinite(values).any(axis=1).sum())} of {len(values)} readings had a value"
        names = ("phase_missing", "wrong_scale", "sampled_too_slowly")
        unseen = [unchecked(name, said) for name in names]
        advice = "look at the meter's address, its registers or nodes, and its rights"
        return [
            SourceFinding("no_values", f"{said} {why}".rstrip(), advice),
            *unseen,
            *([order] if order else []),
        ]
    times_ns = [reading.answered_ns for reading in readings]
    found = [_missing(values), _scaled(values, expected), _slow(values, times_ns), order]
    return [finding for finding in found if finding is not None]


def clock_finding(offset_ns: int) -> SourceFinding:
    """Return that a source's clock is off by so much."""
    return SourceFinding(
        "meter_clock_disagrees",
        f"the source's clock is {offset_ns / NS_PER_S:+.1f} s off",
        "set its time server, and UTC; till then its values are used by arrival",
    )


def _ordered(values: NDArray[np.float64], lifted: str | None) -> SourceFinding | None:
    """Return whether the electrode that was lifted is the phase that fell."""
    if lifted is None:
        return unchecked("phase_order", "no electrode was lifted (--lift a, b or c)")
    sizes = np.abs(values[np.isfinite(values).all(axis=1)])
    if len(sizes) < _FEW or not sizes.max(initial=0.0):
        return unchecked("phase_order", "no phase carries current")
    fallen = 1 - sizes.min(axis=0) / np.maximum(sizes[:_FEW].max(axis=0), 1e-9)
    first, second = np.argsort(fallen)[::-1][:2]
    if fallen[first] < _FALLEN or fallen[first] < 2 * fallen[second]:
        return unchecked("phase_order", f"electrode {lifted} was lifted, and no phase fell alone")
    fell = _PHASES[first]
    if fell == lifted:
        return None
    return SourceFinding(
        "phase_order",
        f"electrode {lifted} was lifted, and phase {fell} fell by {fallen[first]:.0%}",
        f"swap {lifted} and {fell} in 'phases', then lift another one",
    )


def _missing(values: NDArray[np.float64]) -> SourceFinding | None:
    sizes = np.nan_to_num(np.abs(values)).max(axis=0)
    if not sizes.any():
        return unchecked("phase_missing", "no phase carries current")
    lost = [
        name
        for name, size in zip(_PHASES, sizes, strict=True)
        if size <= _MISSING_SHARE * sizes.max()
    ]
    if not lost:
        return None
    return SourceFinding(
        "phase_missing",
        f"phase {', '.join(lost)} shows nothing while another shows {sizes.max():.0f} A",
        "look at its transformer, its wire and 'first' of 'registers', or its node",
    )


def _scaled(values: NDArray[np.float64], expected: ExpectedCurrents) -> SourceFinding | None:
    least, most = expected.range_a
    carrying = np.abs(values[np.isfinite(values)])
    mean_a = float(carrying.mean())
    if least <= mean_a <= most:
        return None
    if not mean_a:
        return unchecked("wrong_scale", "no phase carries current")
    scale = expected.wiring.scale
    ratios = [ratio for ratio in RATIOS if least <= mean_a * ratio <= most]
    advice = "look at the meter's unit and its transformers, then set 'scale'"
    if ratios:
        advice = f"set 'scale: {scale * ratios[0]:g}' if the transformers' ratio is {ratios[0]:g}"
    return SourceFinding(
        "wrong_scale",
        f"the mean is {mean_a:.4g} A, expected {least:g} to {most:g} A",
        advice,
    )


def _slow(values: NDArray[np.float64], times_ns: Sequence[int]) -> SourceFinding | None:
    span_ns = times_ns[-1] - times_ns[0]
    if span_ns < _FEW * _SLOW_NS or not np.nan_to_num(values).any():
        said = f"{span_ns / NS_PER_S:.1f} s are too short, or no phase carries current"
        return unchecked("sampled_too_slowly", said)
    # NaN differs from itself, and a value that comes back is no change of the current.
    changes = int((np.nan_to_num(values[1:]) != np.nan_to_num(values[:-1])).any(axis=1).sum())
    if changes and span_ns / changes <= _SLOW_NS:
        return None
    said = f"every {span_ns / changes / NS_PER_S:.1f} s" if changes else "never"
    return SourceFinding(
        "sampled_too_slowly",
        f"values changed {said} in {span_ns / NS_PER_S:.0f} s",
        "let the meter refresh, or the PLC scan, twice a second",
    )


def _fit(words: Sequence[Sequence[int]], block: RegisterBlock, expected: ExpectedCurrents) -> bool:
    fitting = sum(expected.fits(block.numbers(each)) for each in words)
    return bool(words) and fitting >= _MOST * len(words)


def _shown(words: Sequence[int], block: RegisterBlock) -> str:
    return ", ".join(f"{number:.6g}" for number in block.numbers(words))
