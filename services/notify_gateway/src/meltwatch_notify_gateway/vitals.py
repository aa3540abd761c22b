"""What the health page shows: whether the gateway listens, and whether its channels work."""

from typing import Final

from meltwatch_chassis.clock import Clock
from meltwatch_chassis.dependencies import Dependencies
from meltwatch_schemas.window import NS_PER_S

HUNG_NS: Final = 15 * NS_PER_S
STALLED_NS: Final = 60 * NS_PER_S


class GatewayVitals:
    """Signs of life; read by the health server's thread.

    Parameters
    ----------
    clock
        Monotonic time.
    dependencies
        What is known to be away.
    """

    def __init__(self, clock: Clock, dependencies: Dependencies) -> None:
        self._clock = clock
        self._dependencies = dependencies
        self._turn_ns = self._look_ns = clock.monotonic_ns()
        self._lost: dict[str, str] = {}
        self._silence: str | None = "has not yet read the alarms"

    def beat(self) -> None:
        """Note that the process runs at all."""
        self._turn_ns = self._clock.monotonic_ns()

    def note_look(self, silence: str | None) -> None:
        """Note a look at the topics, and why alarms cannot be told, if so."""
        self._look_ns = self._clock.monotonic_ns()
        self._silence = silence

    def note_channel(self, name: str, problem: str | None) -> None:
        """Note whether a channel works: None, or why not."""
        lost = {channel: why for channel, why in self._lost.items() if channel != name}
        self._lost = lost if problem is None else lost | {name: problem}

    def progress(self) -> str | None:
        """Return what is stuck, if anything; waiting for Kafka is not."""
        now_ns = self._clock.monotonic_ns()
        if (hung_ns := now_ns - self._turn_ns) > HUNG_NS:
            return f"expected a beat every second, the last was {hung_ns // NS_PER_S} s ago"
        stalled_ns = now_ns - max(self._look_ns, self._dependencies.well_since_ns())
        if stalled_ns > STALLED_NS:
            return f"expected a look at the topics, the last was {stalled_ns // NS_PER_S} s ago"
        return None

    def readiness(self) -> str | None:
        """Return why people may not be told, if so."""
        channels = (f"channel {name}: {problem}" for name, problem in self._lost.items())
        found = (self._dependencies.problem(), self._silence, *channels)
        return "; ".join(filter(None, found)) or None
