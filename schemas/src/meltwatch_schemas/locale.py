"""How the people of a plant read: their time zone and the language of their texts."""

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo


@dataclass(frozen=True, slots=True)
class Locale:
    """Time zone and language of a plant.

    Attributes
    ----------
    zone
        For times within texts.
    time_zone
        Its name as adapters need it, e.g. ``Asia/Shanghai``; None where nobody has said it.
    language
        Of the alarm points' texts, as a BCP 47 tag; None where nobody has said it.
    """

    zone: tzinfo = UTC
    time_zone: str | None = None
    language: str | None = None

    def clock(self, time: datetime) -> str:
        """Return a time of day with its zone, e.g. ``18:27:27 UTC+08:00``."""
        local = time.astimezone(self.zone)
        offset = local.strftime("%z")
        return f"{local:%H:%M:%S} UTC" + ("" if int(offset) == 0 else f"{offset[:3]}:{offset[3:5]}")


NOWHERE = Locale()
"""Of a plant that has not said it."""
