"""Three-phase currents: electrodes, arcs, drop-outs, and the weak sign of a fault."""

from typing import Final

import numpy as np

from meltwatch_simulator import parameters as p
from meltwatch_simulator.development import signature_of, strength
from meltwatch_simulator.disturbances import Event, occasional, rise_and_fall
from meltwatch_simulator.parameters import NS_PER_S, Range, Traits
from meltwatch_simulator.randomness import FloatArray, TimesNs, key_of, normal, uniform, wander
from meltwatch_simulator.schedule import Fault

PHASES: Final = 3
METER_NOISE: Final = 0.004
"""Of level, per sample: resolution of a current transformer."""
MOVE_SLOT_S: Final = 220.0
TAP_SLOT_S: Final = 400.0
TAP_RAMP_S: Final = 1.0
UNREST_SLOT_S: Final = 130.0
UNREST_RAMP_S: Final = 3.0


def amperes(
    traits: Traits, furnace: tuple[int, int], times_ns: TimesNs, faults: tuple[Fault, ...]
) -> FloatArray:
    """Return phase currents ``(n, 3)`` in amperes.

    Parameters
    ----------
    furnace
        The scenario's seed and the furnace's key.
    faults
        All that any of the instants can see.
    """
    seed, key = furnace
    level = healthy(traits, key, times_ns)
    restless = 1.0 + unrest(traits, key, times_ns)
    for fault in faults:
        sign, developed = signature_of(fault, seed), strength(fault, times_ns)
        level += (sign.level * developed)[:, None]
        level[:, sign.phase] += sign.imbalance * developed
        restless += sign.unrest * developed
    noise = arc_noise(traits, key, times_ns) * restless[:, None]
    return traits.level_a * (level + noise) * drop_outs(traits, key, times_ns)


def healthy(traits: Traits, key: int, times_ns: TimesNs) -> FloatArray:
    """Return steady phase currents without any fault, ``(n, 3)``, of the furnace's level."""
    drift = traits.drift * wander(key_of(key, "drift"), times_ns, 90 * NS_PER_S)
    offsets = traits.phase_spread * (2 * uniform(key_of(key, "offsets"), np.arange(PHASES)) - 1)
    level = electrode_moves(traits, key, times_ns)
    level += (1.0 + drift + tap_changes(traits, key, times_ns))[:, None] + offsets
    for phase in range(PHASES):
        # Electrodes of one furnace are trimmed out of step.
        period_ns = int(traits.electrode_s * (1 + 0.2 * phase) * NS_PER_S)
        own = key_of(key, "electrode", phase)
        level[:, phase] += traits.electrode * wander(own, times_ns, period_ns)
    return level


def electrode_moves(traits: Traits, key: int, times_ns: TimesNs) -> FloatArray:
    """Return shifts ``(n, 3)`` of level: one phase, for a minute or so, up or down."""
    own = key_of(key, "move")
    event = occasional(own, times_ns, MOVE_SLOT_S, traits.move_chance)
    if not event.may_show(p.MOVE_HOLD.high + 2 * p.MOVE_RAMP.high):
        return np.zeros((*times_ns.shape, PHASES))
    ramp_s = event.draw(key_of(own, "ramp"), p.MOVE_RAMP)
    length_s = event.draw(key_of(own, "hold"), p.MOVE_HOLD) + 2 * ramp_s
    shift = _signed(event, own, p.MOVE_SHIFT) * rise_and_fall(event.age_s, length_s, ramp_s)
    return _one_phase(event, own) * (event.happens * shift)[:, None]


def tap_changes(traits: Traits, key: int, times_ns: TimesNs) -> FloatArray:
    """Return shifts ``(n,)`` of level, alike in all phases, up or down."""
    own = key_of(key, "tap")
    event = occasional(own, times_ns, TAP_SLOT_S, traits.tap_chance)
    if not event.may_show(p.TAP_HOLD.high + 2 * TAP_RAMP_S):
        return np.zeros(times_ns.shape)
    length_s = event.draw(key_of(own, "hold"), p.TAP_HOLD) + 2 * TAP_RAMP_S
    shift = _signed(event, own, p.TAP_SHIFT) * rise_and_fall(event.age_s, length_s, TAP_RAMP_S)
    return event.happens * shift


def unrest(traits: Traits, key: int, times_ns: TimesNs) -> FloatArray:
    """Return by how much the arcs burn less steadily than usual, ``(n,)``, 0 to 1."""
    own = key_of(key, "unrest")
    event = occasional(own, times_ns, UNREST_SLOT_S, traits.unrest_chance)
    if not event.may_show(p.UNREST_LENGTH.high):
        return np.zeros(times_ns.shape)
    during = rise_and_fall(
        event.age_s, event.draw(key_of(own, "length"), p.UNREST_LENGTH), UNREST_RAMP_S
    )
    return event.happens * event.draw(key_of(own, "unrest"), p.UNREST) * during


def arc_noise(traits: Traits, key: int, times_ns: TimesNs) -> FloatArray:
    """Return the arcs' unsteadiness, ``(n, 3)``, of level."""
    period_ns = int(traits.arc_s * NS_PER_S)
    noise = [
        traits.arc * wander(key_of(key, "arc", phase), times_ns, period_ns)
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
    return np.where(active[:, None] & _one_phase(event, own), depth[:, None], 1.0)


def _one_phase(event: Event, key: int) -> np.ndarray:
    """Return which phase an event is about: ``(n, 3)``, bool."""
    which = (PHASES * uniform(key_of(key, "phase"), event.slot)).astype(np.int64)
    one: np.ndarray = which[:, None] == np.arange(PHASES)
    return one


def _signed(event: Event, key: int, size: Range) -> FloatArray:
    up = uniform(key_of(key, "sign"), event.slot) < 0.5
    return np.where(up, 1.0, -1.0) * event.draw(key_of(key, "shift"), size)
