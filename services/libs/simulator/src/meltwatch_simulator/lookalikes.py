"""What looks like a hot spot and is none: splashes that cool, reflections of the melt."""

from typing import Final

import numpy as np

from meltwatch_simulator import parameters as p
from meltwatch_simulator.disturbances import Event, melt_light, occasional, rise_and_fall
from meltwatch_simulator.parameters import Traits
from meltwatch_simulator.randomness import FloatArray, TimesNs, key_of, smoothstep, texture
from meltwatch_simulator.spot import Moved, Patch
from meltwatch_simulator.still import SIDE, Image, Still

SLOT_S: Final = 150.0
SPLASH_ONSET_S: Final = 0.8
"""A splash is there at once; a fault takes five seconds and more to glow."""
REFLECTION_ONSET_S: Final = 1.5


class Lookalikes:
    """The splashes and reflections of one furnace."""

    def __init__(self, traits: Traits, still: Still, key: int) -> None:
        self._traits = traits
        self._still = still
        self._key = key
        self._lumps = texture(key_of(key, "lookalike lumps"), SIDE, 4).astype(np.float32)

    def add_lookalikes(self, picture: Image, times_ns: TimesNs, moved: Moved) -> None:
        """Add what there is at instants ``(n,)`` to ``(n, 64, 64, 3)``, in place."""
        splash = self._splashes(times_ns)
        if splash.may_show(p.SPLASH_LENGTH.high):
            self.splash(splash).add_glow(picture, moved, self._still.shell)
        reflection = self._reflections(times_ns)
        if reflection.may_show(p.REFLECTION_LENGTH.high):
            melt = melt_light(self._key, times_ns)
            self.reflection(reflection, melt).add_glow(picture, moved, self._still.shell)

    def warmths(self, times_ns: TimesNs) -> tuple[FloatArray, FloatArray]:
        """Return how strong splash and reflection are at each instant, each ``(n,)``."""
        melt = melt_light(self._key, times_ns)
        return (
            self.splash(self._splashes(times_ns)).warmth,
            self.reflection(self._reflections(times_ns), melt).warmth,
        )

    def splash(self, event: Event) -> Patch:
        """Return the splash of an event: bright within a second, then it cools and shrinks."""
        key = key_of(self._key, "splash")
        left = np.clip(1 - event.age_s / event.draw(key_of(key, "length"), p.SPLASH_LENGTH), 0, 1)
        warmth = event.happens * smoothstep(event.age_s / SPLASH_ONSET_S) * left
        radius = event.draw(key_of(key, "radius"), p.SPOT_RADIUS) * (0.4 + 0.6 * left)
        green = event.draw(key_of(key, "green"), p.SPLASH_GREEN) * (0.5 + 0.5 * left)
        return self._patch(event, key, radius, warmth, green)

    def reflection(self, event: Event, melt: FloatArray) -> Patch:
        """Return the reflection of an event: it flickers with the melt's light."""
        key = key_of(self._key, "reflection")
        length_s = event.draw(key_of(key, "length"), p.REFLECTION_LENGTH)
        warmth = event.happens * rise_and_fall(event.age_s, length_s, REFLECTION_ONSET_S) * melt
        radius = event.draw(key_of(key, "radius"), p.SPOT_RADIUS)
        green = event.draw(key_of(key, "green"), p.REFLECTION_GREEN)
        return self._patch(event, key, radius, warmth, green)

    def _splashes(self, times_ns: TimesNs) -> Event:
        key = key_of(self._key, "splash")
        return occasional(key, times_ns, SLOT_S, self._traits.splash_chance)

    def _reflections(self, times_ns: TimesNs) -> Event:
        key = key_of(self._key, "reflection")
        return occasional(key, times_ns, SLOT_S, self._traits.reflection_chance)

    def _patch(
        self, event: Event, key: int, radius: FloatArray, warmth: FloatArray, green: FloatArray
    ) -> Patch:
        left, right, top, bottom = self._still.spot_room
        return Patch(
            x=event.pick(key_of(key, "x"), left, right),
            y=event.pick(key_of(key, "y"), top, bottom),
            radius=radius,
            stretch=event.draw(key_of(key, "stretch"), p.SPOT_STRETCH),
            warmth=warmth,
            heat=event.draw(key_of(key, "heat"), p.SPOT_HEAT),
            green=green,
            lumps=self._lumps,
        )
