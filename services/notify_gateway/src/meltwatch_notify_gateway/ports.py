"""What the gateway needs of the world: somebody who delivers a message."""

from typing import Protocol

from meltwatch_notify_gateway.domain.notice_text import MessageText


class DeliveryFailed(Exception):  # noqa: N818 - the name says what is the matter
    """A message was not taken; the reason is one line that holds no secret."""


class Sender(Protocol):
    """Delivers messages by one channel."""

    async def deliver(self, message: MessageText) -> None:
        """Deliver one message.

        Raises
        ------
        DeliveryFailed
            If it was not taken within its time.
        """
        ...
