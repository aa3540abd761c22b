"""The alarm points of the load's furnaces: each rule of raising and clearing has one.

They are for the ensemble that is shipped, and lie where a furnace's logits are. So they are crossed
every few windows, and some delay or count is running at each moment: who forgets it in a take-over
raises too late.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self

from meltwatch_schemas.default_setpoint import DEFAULT_SETPOINT, MODEL_DIGEST

from tests.chaos.load import MEMBERS, Member

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
    needs_reset
        It latches.
    prepared
        By digest, what is in force for the scores of another ensemble.
    """

    furnace: str
    condition: str
    on: float
    off: float
    on_delay: int = 0
    off_delay: int = 0
    k: int | None = None
    n: int | None = None
    needs_reset: bool = False
    prepared: Mapping[str, "Point"] = field(default_factory=dict)

    def under(self, digest: str) -> "Point":
        """What is in force for the scores of an ensemble."""
        return self.prepared.get(digest, self)

    def with_prepared(self, fields: Mapping[str, Any] | None) -> Self:
        """The same, with what a message prepares beside it."""
        prepared = (fields or {}).get("prepared")
        if prepared is None:
            return self
        said = prepared["setpoint"]
        other = replace(
            self,
            on=said["logit_on"],
            off=said["logit_off"],
            on_delay=round(said["on_delay_s"] * S),
            off_delay=round(said["off_delay_s"] * S),
            k=said.get("k"),
            n=said.get("n"),
        )
        return replace(self, prepared={prepared["setpoint_digest"]: other})

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
            "reset_required": self.needs_reset,
            "setpoint": {
                "logit_on": self.on,
                "logit_off": self.off,
                "on_delay_s": self.on_delay / S,
                "off_delay_s": self.off_delay / S,
                "k": self.k,
                "n": self.n,
            },
            "setpoint_digest": MODEL_DIGEST,
        }


def points_of(member: Member) -> list[Point]:
    """What a furnace has: no delay, delays, a count that takes long."""
    middle, spread = next(
        usual for stem, usual in _USUAL.items() if member.name.startswith(f"chaos/{stem}/")
    )
    high, low = middle + spread / 2, middle - spread / 2
    return [
        Point(member.name, "OVERHEAT", high, low),
        Point(member.name, "LINGERS", middle, low, on_delay=2 * HOP, off_delay=HOP),
        Point(member.name, "OFTEN", high, middle, off_delay=HOP, k=4, n=10, needs_reset=True),
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


_USUAL: Final[Mapping[str, tuple[float, float]]] = {
    "steady": (8.1, 1.2),
    "blind": (1.2, 0.5),
    "visitor": (7.0, 0.9),
    "deaf": (7.0, 0.9),
    "moody": (7.0, 0.9),
}
"""Around which logit a furnace's windows lie, and how widely: as a campaign has shown.

Nothing rests on it but how much happens.
"""
POINTS: Final = [point for member in MEMBERS for point in points_of(member)]
