"""A furnace whose picture follows its currents, as no furnace of the usual simulator's does.

Its operator moves the power up and down within minutes. The light of melt and hall and the flames
follow the arcs' power of the last minute, late and not exactly. With every other furnace each
grey and each ampere stays as it is.

What goes wrong here is the coupling itself: each side may look as usual, and both do not fit.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from meltwatch_simulator.furnace import Lights, SimulatedFurnace
from meltwatch_simulator.mist import Air
from meltwatch_simulator.parameters import NS_PER_S, Range
from meltwatch_simulator.randomness import FloatArray, TimesNs, key_of, wander
from meltwatch_simulator.schedule import Schedule
from meltwatch_simulator.unseen import UnseenEvent

STEP_NS: Final = 4 * NS_PER_S
"""The picture's answer is computed on this grid and drawn straight between its points."""
STEPS: Final = 16
"""How far back it reaches: a minute."""
HALL_SHARE: Final = 0.8
"""Of the melt's change of light that the hall shows: arcs light the walls, lamps do too."""
FUEL_SHARE: Final = 1.5
"""Of that change by which flames grow: more power drives out more gas."""
HOOD_LEAVES: Final = 0.2
"""Of mist and steam: an extraction hood takes the rest, or no light would be seen to follow."""
LIGHT_LIMITS: Final = (0.3, 2.0)


@dataclass(frozen=True, slots=True)
class Coupling:
    """How one furnace's picture follows its power; each field is drawn from ``COUPLINGS``."""

    gain: float
    lag_s: float
    swing: float
    programme_s: float
    wayward: float

    @classmethod
    def of(cls, key: int) -> Self:
        """Return the coupling of the furnace with this key."""
        return cls(**{name: values.draw(key_of(key, name)) for name, values in COUPLINGS.items()})

    @property
    def weights(self) -> tuple[float, ...]:
        """What the power of each step before counts, newest first; they sum to 1."""
        keep = 1 / (1 + STEP_NS / NS_PER_S / self.lag_s)
        raw = [1.0]
        for _ in range(STEPS - 1):
            raw.append(raw[-1] * keep)
        return tuple(each / sum(raw) for each in raw)


COUPLINGS: Final[Mapping[str, Range]] = {
    "gain": Range(4.0, 6.0, "of light per power", "light grows with a high power of temperature"),
    "lag_s": Range(8, 25, "s", "the bath takes tens of seconds to warm and to cool"),
    "swing": Range(0.06, 0.10, "of level", "the operator moves the power by up to a tenth"),
    "programme_s": Range(180, 360, "s", "every few minutes"),
    "wayward": Range(0.02, 0.05, "of light", "slag, charge and draught change the light too"),
}


def _lit(event: UnseenEvent, times_ns: TimesNs) -> FloatArray:
    """The picture answers to more power than there is: light without power."""
    return event.drawn("rise", 0.12, 0.24) * event.strength(times_ns)


def _dimmed(event: UnseenEvent, times_ns: TimesNs) -> FloatArray:
    """The picture answers to less power than there is: power without light."""
    return -event.drawn("fall", 0.12, 0.24) * event.strength(times_ns)


ANSWERED: Final[Mapping[str, Callable[[UnseenEvent, TimesNs], FloatArray]]] = {
    "light without power": _lit,
    "power without light": _dimmed,
}
"""Changes of the power to which the picture seems to answer."""
STUCK_METER: Final = "stuck meter"
LATE_PICTURE: Final = "late picture"
LATE_S: Final = (120.0, 300.0)
BREAKS: Final = (*ANSWERED, STUCK_METER, LATE_PICTURE)
"""All kinds of a broken coupling."""


class CoupledFurnace(SimulatedFurnace):
    """A furnace whose picture follows its currents, until something breaks between them.

    Parameters
    ----------
    seed, furnace_id, schedule, beyond
        As of :class:`SimulatedFurnace`, on the plant's own clock.
    breaks
        When the picture does not follow; kinds of ``BREAKS``, others are left alone.
    """

    def __init__(
        self,
        seed: int,
        furnace_id: str,
        schedule: Schedule,
        breaks: Sequence[UnseenEvent] = (),
        *,
        beyond: float = 0.0,
    ) -> None:
        super().__init__(seed, furnace_id, schedule, beyond=beyond)
        self._coupling = Coupling.of(key_of(self._key, "coupling"))
        self._breaks = breaks

    def frames(self, event_times_ns: TimesNs) -> NDArray[np.uint8]:
        """Return what the camera shows; a late one shows what was minutes ago."""
        times_ns = event_times_ns.copy()
        for event, within in self._broken(event_times_ns, LATE_PICTURE):
            times_ns[within] -= round(event.drawn("late", *LATE_S) * NS_PER_S)
        return super().frames(times_ns)

    def currents(self, event_times_ns: TimesNs) -> NDArray[np.float32]:
        """Return what the meter shows; a stuck one repeats what it measured last."""
        times_ns = event_times_ns.copy()
        for event, within in self._broken(event_times_ns, STUCK_METER):
            times_ns[within] = event.start_ns
        return self._flowing(times_ns).astype(np.float32)

    def power(self, times_ns: TimesNs) -> FloatArray:
        """Return how far the power to which the picture answers is off its level, ``(n,)``.

        It looks back over the last minute and never ahead.
        """
        newest, rest = np.divmod(times_ns, np.int64(STEP_NS))
        steps, place = np.unique(
            newest[:, None] - np.arange(STEPS + 1, dtype=np.int64), return_inverse=True
        )
        flowing = self._flowing(steps * STEP_NS)
        # A sum of three in a fixed order: the same bits in every batch.
        mean = (flowing[:, 0] + flowing[:, 1] + flowing[:, 2]) / 3
        off = (mean / self._traits.level_a - 1.0)[place.reshape(len(times_ns), -1)]
        newer, older = (self._answer(off[:, start:]) for start in (0, 1))
        way = rest / STEP_NS
        return older * (1.0 - way) + newer * way

    def _answer(self, off: FloatArray) -> FloatArray:
        answer = np.zeros(len(off))
        for step, weight in enumerate(self._coupling.weights):
            answer += weight * off[:, step]
        return answer

    def _flowing(self, times_ns: TimesNs) -> FloatArray:
        """Return the currents that flow, whatever the meter shows, amperes ``(n, 3)``."""
        coupling, key = self._coupling, key_of(self._key, "programme")
        period_ns = round(coupling.programme_s * NS_PER_S)
        programme = 1.0 + coupling.swing * wander(key, times_ns, period_ns)
        return super().currents(times_ns).astype(np.float64) * programme[:, None]

    def _lights(self, times_ns: TimesNs) -> Lights:
        """Return what lights the picture: its usual lights, moved by the power."""
        usual = super()._lights(times_ns)
        power = self.power(times_ns)
        for kind, answered in ANSWERED.items():
            for event, within in self._broken(times_ns, kind):
                power[within] += answered(event, times_ns[within])
        coupling, key = self._coupling, key_of(self._key, "wayward")
        change = coupling.gain * power + coupling.wayward * wander(key, times_ns, 45 * NS_PER_S)
        return Lights(
            usual.hall * np.clip(1.0 + HALL_SHARE * change, *LIGHT_LIMITS),
            usual.melt * np.clip(1.0 + change, *LIGHT_LIMITS),
            usual.fuel * np.clip(1.0 + FUEL_SHARE * change, *LIGHT_LIMITS),
        )

    def _air(self, times_ns: TimesNs) -> Air:
        """Return what the hood leaves in the air."""
        usual = super()._air(times_ns)
        return Air(HOOD_LEAVES * usual.mist, HOOD_LEAVES * usual.steam)

    def _broken(
        self, times_ns: TimesNs, kind: str
    ) -> Iterator[tuple[UnseenEvent, NDArray[np.bool_]]]:
        for event in self._breaks:
            within = (times_ns >= event.start_ns) & (times_ns < event.end_ns)
            if event.kind == kind and within.any():
                yield event, within
