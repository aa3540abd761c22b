"""What the health page shows: whether the gateway listens, and whether its channels work."""

from meltwatch_chassis.clock import Clock
from meltwatch_chassis.dependencies import Dependencies
from meltwatch_chassis.loop_vitals import LoopVitals


class GatewayVitals(LoopVitals):
    """Signs of life; read by the health server's thread.

    Parameters
    ----------
    clock
        Monotonic time.
    dependencies
        What is known to be away.
    """

    def __init__(self, clock: Clock, dependencies: Dependencies) -> None:
        super().__init__(clock, dependencies)
        self._lost: dict[str, str] = {}
        self._silence: str | None = "has not yet read the alarms"

    def note_silence(self, silence: str | None) -> None:
        """Note why alarms cannot be told; None if they can."""
        self._silence = silence

    def note_channel(self, name: str, problem: str | None) -> None:
        """Note whether a channel works: None, or why not."""
        lost = {channel: why for channel, why in self._lost.items() if channel != name}
        self._lost = lost if problem is None else lost | {name: problem}

    def readiness(self) -> str | None:
        """Return why people may not be told, if so."""
        channels = (f"channel {name}: {problem}" for name, problem in self._lost.items())
        found = (self._dependencies.problem(), self._silence, *channels)
        return "; ".join(filter(None, found)) or None
