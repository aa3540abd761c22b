"""How the event time of a run follows the wall clock, which the caller reads."""

from dataclasses import dataclass

from meltwatch_chassis.errors import ConfigurationError
from meltwatch_schemas.window import NS_PER_S

from meltwatch_producers.settings import Settings


@dataclass(frozen=True, slots=True)
class Pace:
    """Event time that runs ``speed`` times as fast as the wall clock and never passes it.

    Attributes
    ----------
    wall_ns, event_ns
        An instant of both clocks, ns UTC.
    speed
        Event seconds per wall second, at least 1.
    """

    wall_ns: int
    event_ns: int
    speed: float = 1.0

    def event_time_ns(self, wall_ns: int) -> int:
        """Return the event time at a wall time, ns UTC."""
        return min(self.event_ns + int(self.speed * (wall_ns - self.wall_ns)), wall_ns)

    def seconds_until(self, event_ns: int, wall_ns: int) -> float:
        """Return how long the wall clock takes until an event time is reached, 0 if it has been."""
        missing_ns = max(0, event_ns - self.event_time_ns(wall_ns))
        return missing_ns / (self.speed * NS_PER_S)


@dataclass(frozen=True, slots=True)
class SimulatedRun:
    """Where a simulated run lies in time.

    Attributes
    ----------
    origin_ns
        Event time at which it begins; faults are counted from here.
    end_ns
        Event time at which it ends, or None.
    pace
        How event time goes on.
    """

    origin_ns: int
    end_ns: int | None
    pace: Pace


def simulated_run(settings: Settings, wall_ns: int) -> SimulatedRun:
    """Return where the run that settings describe lies, seen from a wall time.

    In real time the event time is the wall clock. A faster run begins so far in the past that it
    reaches the wall clock when it ends.

    Raises
    ------
    ConfigurationError
        If a run faster than real time states neither its origin nor its duration, or a recording
        has no origin.
    """
    if settings.recording_dir is not None and not settings.simulator_origin_ns:
        raise ConfigurationError(
            f"MELTWATCH_RECORDING_DIR={settings.recording_dir}: expected "
            "MELTWATCH_SIMULATOR_ORIGIN_NS beside it, so that frames and currents play in step"
        )
    speed, duration_s = settings.simulator_speed, settings.simulator_duration_s
    if speed > 1 and not settings.simulator_origin_ns and duration_s is None:
        raise ConfigurationError(
            f"MELTWATCH_SIMULATOR_SPEED={speed:g}: expected MELTWATCH_SIMULATOR_DURATION_S or "
            "_ORIGIN_NS beside it, since event time cannot run ahead of the wall clock"
        )
    lead_s = (1 - 1 / speed) * (duration_s or 0)
    origin_ns = settings.simulator_origin_ns or wall_ns - int(lead_s * NS_PER_S)
    end_ns = None if duration_s is None else origin_ns + int(duration_s * NS_PER_S)
    pace = Pace(wall_ns, wall_ns if speed == 1 else origin_ns, speed)
    return SimulatedRun(origin_ns, end_ns, pace)
