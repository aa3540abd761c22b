"""A calm alarm, and which scores leave it calm: most scores leave most alarms so.

Such a score changes nothing but which sample is the alarm's newest. That is noted beside the alarm,
and becomes part of it when somebody looks at it.
"""

from dataclasses import dataclass, replace
from typing import Final, Self

from meltwatch_schemas.alarm import AlarmPoint, Quality, ns_from_utc

from meltwatch_core.alarms.alarm import Alarm, Reading, ReceivedScore, reading_of
from meltwatch_core.alarms.condition import Sample
from meltwatch_core.alarms.trust import quality_of

_MICROSECOND_NS: Final = 1000


@dataclass(slots=True)
class Calm:
    """What stirs an alarm that is calm: no delay of it runs, and no other quality is counted.

    Attributes
    ----------
    point
        The alarm point that it is judged by.
    reading
        What a score says about its condition.
    active
        Its condition holds: then a sample below the lower threshold stirs it, else one at or above
        the upper one.
    told
        The quality that it has told, if it tells of any: another one stirs it.
    known_before_ns
        Its record rests on windows that end before this instant, or on later ones.
    heard
        Window end, level and offset of the newest sample, until it is part of the alarm.
    """

    point: AlarmPoint
    reading: Reading
    active: bool
    told: Quality | None
    known_before_ns: int
    heard: tuple[int, float, int] | None = None

    @classmethod
    def of(cls, alarm: Alarm) -> Self:
        """Return what stirs a calm alarm."""
        known = alarm.known_until
        return cls(
            alarm.point,
            reading_of(alarm.point),
            alarm.condition.active,
            alarm.quality if alarm.shows_quality else None,
            0 if known is None else ns_from_utc(known) + _MICROSECOND_NS,
        )

    def is_stirred(self, level: float | None, received: ReceivedScore) -> bool:
        """Tell whether a score of this level may change more than the newest sample."""
        if self.told is not None and quality_of(received.score) is not self.told:
            return True
        if level is None:
            return False
        setpoint = self.point.setpoint
        is_against = level < setpoint.off if self.active else level >= setpoint.on
        return is_against and not self.knows(received)

    def knows(self, received: ReceivedScore) -> bool:
        """Tell whether the alarm's record already rests on this window or a later one."""
        return received.score.window_end_ns < self.known_before_ns

    def part_of(self, alarm: Alarm) -> Alarm:
        """Return the alarm with what was heard of it since it became calm."""
        if self.heard is None:
            return alarm
        newest, self.heard = Sample(*self.heard), None
        return replace(alarm, condition=replace(alarm.condition, newest=newest))
