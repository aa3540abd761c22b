"""Delivers by whatever service Apprise knows.

An address holds a password or a token, and so do Apprise's debug lines and urllib3's warnings.
Neither reaches our log. A failure is told in words of ours.
"""

import asyncio
import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import apprise
from apprise.logger import logger as apprise_logger
from meltwatch_chassis.errors import ConfigurationError

from meltwatch_notify_gateway.adapters.channel_file import NamedFile
from meltwatch_notify_gateway.domain.notice_text import MessageText
from meltwatch_notify_gateway.ports import DeliveryFailed

PATIENCE_S: Final = 20.0
_STATUS: Final = re.compile(r"error[ =:]+([1-5][0-9]{2})\b")


class AppriseSender:
    """One channel.

    It has a thread of its own, so that one that hangs keeps nobody else from being told.

    Parameters
    ----------
    name
        Of the channel.
    url
        Its address.

    Raises
    ------
    ConfigurationError
        If Apprise does not know such an address; the error does not show it.
    """

    def __init__(self, name: str, url: str) -> None:
        # What it says goes to its own capture, whatever we log, and nowhere else.
        apprise_logger.propagate = False
        apprise_logger.setLevel("WARNING")
        self._services = apprise.Apprise(asset=apprise.AppriseAsset(async_mode=False))
        if not self._services.add(url) or len(self._services) != 1:
            raise ConfigurationError(
                f"channel {name}: expected one address that Apprise takes, such as "
                "mailtos://user:password@host?to=someone@plant.example (docs/notify.md)"
            )
        self._thread = ThreadPoolExecutor(1, f"channel-{name}")
        self._working: asyncio.Future[Any] | None = None

    async def deliver(self, message: MessageText) -> None:
        """Deliver one message.

        Raises
        ------
        DeliveryFailed
            If it was not taken within 20 s, or the last one is still under way.
        """
        if self._working is not None and not self._working.done():
            raise DeliveryFailed("the last message is still under way")
        loop = asyncio.get_running_loop()
        self._working = loop.run_in_executor(self._thread, self._notify, message)
        done, _ = await asyncio.wait([self._working], timeout=PATIENCE_S)
        if not done:
            raise DeliveryFailed(f"no answer within {PATIENCE_S:.0f} s")
        try:
            problem = self._working.result()
        except Exception as error:  # noqa: BLE001 - a service may raise anything, its text may be secret
            problem = f"the service's client failed: {type(error).__name__}"
        if problem is not None:
            raise DeliveryFailed(problem)

    def _notify(self, message: MessageText) -> str | None:
        result = self._services.notify(
            title=message.title,
            body=message.body or message.title,
            body_format=apprise.NotifyFormat.TEXT,
            notify_type=apprise.NotifyType.WARNING,
        )
        if result:
            return None
        return _reason(entry.message for each in result.results for entry in each.logs())


def _reason(lines: Iterable[str]) -> str:
    """Return why, in words that cannot hold a secret."""
    said = " ".join(map(str, lines))
    if status := _STATUS.search(said):
        return f"it answered with status {status[1]}"
    if "Connection error" in said:
        return "no connection, or none to the end"
    return "it did not take the message"


def open_senders(file: NamedFile) -> dict[str, AppriseSender]:
    """Return a sender for each channel of a file.

    Raises
    ------
    ConfigurationError
        If Apprise does not know an address.
    """
    try:
        return {
            entry.name: AppriseSender(entry.name, entry.url.get_secret_value())
            for entry in file.channels
        }
    except ConfigurationError as error:
        raise ConfigurationError(f"{file.path}: {error}") from None
