"""What the console needs of the world beside its topics."""

from typing import Protocol

from meltwatch_schemas.alarm import AlarmCommand, CommandResult


class AlarmDesk(Protocol):
    """Passes commands on to the alarm manager."""

    async def ask(self, command: AlarmCommand, within_s: float) -> CommandResult | None:
        """Send a command and return its result, or None if none has come in time."""
        ...
