"""What the adapter's loop needs from the side that SCADA systems see."""

from collections.abc import Iterable
from typing import Protocol

from meltwatch_scada_adapter.domain.condition import ScadaCondition
from meltwatch_scada_adapter.domain.orders import Order, OrderOutcome


class ScadaFace(Protocol):
    """Shows conditions to clients."""

    @property
    def problem(self) -> str | None:
        """Why nobody can be shown anything at present; None while it can."""
        ...

    async def prepare(self, conditions: Iterable[ScadaCondition]) -> None:
        """Make conditions known that have not been shown yet, without an event."""
        ...

    async def show(self, condition: ScadaCondition) -> None:
        """Show how a condition is now, and announce it."""
        ...

    async def forget(self, alarm_id: str) -> None:
        """Take a decommissioned alarm off the list."""
        ...

    async def trust(self, *, is_live: bool) -> None:
        """Mark all values as good, or as the last that were known."""
        ...

    async def ask_to_refresh(self) -> None:
        """Tell every client to read its list anew: something may have passed it by."""
        ...

    async def count(self, link: str, watchdog: int) -> None:
        """Show the plain figures: the link, the watchdog, how many are active and wait."""
        ...


class Orders(Protocol):
    """Carries out what people call."""

    async def carry_out(self, alarm_id: str, order: Order, user: str) -> OrderOutcome:
        """Return what became of a person's order."""
        ...
