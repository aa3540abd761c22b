"""The alarm points of the load's furnaces: each rule of raising and clearing has one.

The load's frames are noise, on which logits lie around 8.4: these are crossed every few windows.
"""

from dataclasses import dataclass
from typing import Any, Final

from meltwatch_schemas.default_setpoint import DEFAULT_SETPOINT

from tests.chaos.load import MEMBERS

S: Final = 1_000_000_000
HOP: Final = 1_440_000_000


@dataclass(frozen=True)
class Point:
    """When an alarm is raised and cleared.

    Attributes
    ----------
    furnace, condition
        Together its id.
    on, off
        Logits.
    on_delay, off_delay
        In ns.
    k, n
        So many of the last so many windows raise it; None where a delay does.
    """

    furnace: str
    condition: str
    on: float
    off: float
    on_delay: int = 0
    off_delay: int = 0
    k: int | None = None
    n: int | None = None

    @property
    def alarm_id(self) -> str:
        return f"{self.furnace}/{self.condition}"

    @property
    def fields(self) -> dict[str, Any]:
        """The message that tells a manager."""
        return {
            "alarm_id": self.alarm_id,
            "equipment_path": self.furnace,
            "title": f"{self.condition} in a campaign",
            "condition": self.condition,
            "priority": "high",
            "consequence_if_no_action": "None.",
            "operator_action": "None.",
            "time_to_respond_s": 600.0,
            "setpoint": {
                "logit_on": self.on,
                "logit_off": self.off,
                "on_delay_s": self.on_delay / S,
                "off_delay_s": self.off_delay / S,
                "k": self.k,
                "n": self.n,
            },
        }


def points_of(furnace: str) -> list[Point]:
    """What a furnace has: no delay, delays, a count."""
    return [
        Point(furnace, "OVERHEAT", 8.8, 7.9),
        Point(furnace, "LINGERS", 8.4, 8.2, on_delay=HOP, off_delay=2 * HOP),
        Point(furnace, "OFTEN", 8.6, 8.2, off_delay=HOP, k=2, n=4),
    ]


def default_point(furnace: str) -> Point:
    """What a furnace has for which nobody has written any."""
    default = DEFAULT_SETPOINT
    return Point(
        furnace,
        "OVERHEAT",
        default.logit_on,
        default.logit_off,
        on_delay=round(default.on_delay_s * S),
        off_delay=round(default.off_delay_s * S),
        k=default.k,
        n=default.n,
    )


POINTS: Final = [point for member in MEMBERS for point in points_of(member.name)]
