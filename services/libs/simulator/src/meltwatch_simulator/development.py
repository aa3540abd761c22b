"""How a fault develops: warmth, size, and its signs in the currents."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from meltwatch_simulator import parameters as p
from meltwatch_simulator.parameters import NS_PER_S, Range
from meltwatch_simulator.randomness import FloatArray, TimesNs, key_of, smoothstep, uniform
from meltwatch_simulator.schedule import Fault

_SIGNS: Final = {"level": p.FAULT_LEVEL, "imbalance": p.FAULT_IMBALANCE, "arc": p.FAULT_UNREST}


def fault_key(seed: int, fault: Fault) -> int:
    """Return the key of everything that is drawn for a fault."""
    return key_of(seed, fault.furnace_id, fault.start_ns)


def strength(fault: Fault, times_ns: TimesNs) -> FloatArray:
    """Return how far a fault has developed, ``(n,)``: 0 before it, 1 at full glow, 0 when cold."""
    heating_s = _within(p.SPOT_HEATING, p.SPOT_HEATING_OF_LENGTH * fault.length_s)
    over_s = (times_ns - fault.end_ns) / NS_PER_S
    return smoothstep(_age_s(fault, times_ns) / heating_s) * (
        1 - smoothstep(over_s / p.SPOT_COOLING_S)
    )


def size(fault: Fault, times_ns: TimesNs) -> FloatArray:
    """Return the spot's radius ``(n,)`` as a share of the full one; small spots grow slowly."""
    growth_s = _within(p.SPOT_GROWTH, p.SPOT_GROWTH_OF_LENGTH * fault.length_s)
    quick = p.SPOT_LENGTHS.high - _within(p.SPOT_LENGTHS, fault.length_s)
    start = p.SPOT_START.at(quick / (p.SPOT_LENGTHS.high - p.SPOT_LENGTHS.low))
    return start + (1 - start) * np.clip(_age_s(fault, times_ns) / growth_s, 0.0, 1.0)


@dataclass(frozen=True, slots=True)
class Signature:
    """What a fully developed fault does to the currents; 0 where it shows nothing.

    Attributes
    ----------
    level, imbalance
        Rise of all phases, and of the phase beside the spot, of the furnace's level.
    unrest
        Rise of the arc noise, of its usual deviation.
    phase
        Index of the phase beside the spot.
    """

    level: float
    imbalance: float
    unrest: float
    phase: int


def signature_of(fault: Fault, seed: int) -> Signature:
    """Draw which signs a fault shows, and how strong: none, one, usually two, or all three.

    A veiled fault shows at least two, on the stronger side: only the currents can show it.
    """
    key = fault_key(seed, fault)
    phase = int(3 * uniform(key_of(key, "place"), np.arange(3))[2])
    if fault.silent:
        return Signature(0.0, 0.0, 0.0, phase)
    few, *order = uniform(key_of(key, "signs"), np.arange(4)).tolist()
    count = max(2 if fault.veiled else 1, 3 - (few < p.THREE_SIGNS_FROM) - (few < p.TWO_SIGNS_FROM))
    shown = sorted(order)[:count]
    level, imbalance, unrest = (
        _sign(values, key_of(key, name), stronger=fault.veiled) if place in shown else 0.0
        for (name, values), place in zip(_SIGNS.items(), order, strict=True)
    )
    return Signature(level, imbalance, unrest, phase)


def _sign(values: Range, key: int, *, stronger: bool) -> float:
    value = values.draw(key)
    return (value + values.high) / 2 if stronger else value


def _age_s(fault: Fault, times_ns: TimesNs) -> FloatArray:
    age_s: FloatArray = (times_ns - fault.start_ns) / NS_PER_S
    return age_s


def _within(limits: Range, value: float) -> float:
    return min(max(value, limits.low), limits.high)
