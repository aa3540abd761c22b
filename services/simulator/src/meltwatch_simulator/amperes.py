"""Three-phase currents: electrodes, arcs, drop-outs, and the weak sign of a fault."""

from typing import Final

import numpy as np

from meltwatch_simulator import parameters as p
from meltwatch_simulator.disturbances import occasional
from meltwatch_simulator.parameters import NS_PER_S, Traits
from meltwatch_simulator.randomness import FloatArray, TimesNs, key_of, normal, uniform, wander
from meltwatch_simulator.spot import Spot

PHASES: Final = 3
METER_NOISE: Final = 0.004
"""Of level, per sample: resolution of a current transformer."""


def healthy(traits: Traits, key: int, times_ns: TimesNs) -> FloatArray:
    """Return phase currents without any fault, ``(n, 3)``, of the furnace's level."""
    drift = 0.02 * wander(key_of(key, "drift"), times_ns, 90 * NS_PER_S)
    offsets = traits.phase_spread * (2 * uniform(key_of(key, "offsets"), np.arange(PHASES)) - 1)
    phases = [
        1.0
        + drift
        + offsets[phase]
        + traits.electrode
        * wander(key_of(key, "electrode", phase), times_ns, (17 + 4 * phase) * NS_PER_S)
        for phase in range(PHASES)
    ]
    return np.stack(phases, axis=1)


def arc_noise(traits: Traits, key: int, times_ns: TimesNs) -> FloatArray:
    """Return the arcs' unsteadiness, ``(n, 3)``, of level."""
    noise = [
        traits.arc * wander(key_of(key, "arc", phase), times_ns, 900_000_000)
        + METER_NOISE * normal(key_of(key, "meter", phase), times_ns)
        for phase in range(PHASES)
    ]
    return np.stack(noise, axis=1)


def drop_outs(traits: Traits, key: int, times_ns: TimesNs) -> FloatArray:
    """Return factors ``(n, 3)``: 1, but for a phase that drops out for a second or so."""
    own = key_of(key, "drop")
    event = occasional(own, times_ns, 20.0, traits.drop_chance)
    length_s = event.pick(key_of(own, "length"), 0.5, 2.0)
    active = event.happens & (event.age_s >= 0) & (event.age_s < length_s)
    depth = event.pick(key_of(own, "depth"), 0.3, 0.7)
    which = (PHASES * uniform(key_of(own, "phase"), event.slot)).astype(np.int64)
    hit = active[:, None] & (which[:, None] == np.arange(PHASES))
    return np.where(hit, depth[:, None], 1.0)


def amperes(traits: Traits, key: int, times_ns: TimesNs, spots: tuple[Spot, ...]) -> FloatArray:
    """Return phase currents ``(n, 3)`` in amperes, faults included."""
    level = healthy(traits, key, times_ns)
    restless = np.ones(times_ns.shape)
    for spot in spots:
        strength = spot.strength(times_ns)
        level += (p.FAULT_LEVEL.draw(key_of(spot.key, "level")) * strength)[:, None]
        level[:, spot.phase] += p.FAULT_IMBALANCE.draw(key_of(spot.key, "imbalance")) * strength
        restless += (p.FAULT_ARC.draw(key_of(spot.key, "arc")) - 1) * strength
    noise = arc_noise(traits, key, times_ns) * restless[:, None]
    return traits.level_a * (level + noise) * drop_outs(traits, key, times_ns)
