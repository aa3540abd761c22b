"""``meltwatch-notify test``: send a message that nobody can take for an alarm."""

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cyclopts import App, CycloptsError
from meltwatch_chassis.clock import SystemClock
from meltwatch_chassis.errors import BadUsage, FatalError
from meltwatch_chassis.settings import load
from meltwatch_chassis.terminal import print_failure, print_line
from meltwatch_schemas.instants import utc_from_ns

from meltwatch_notify_gateway.adapters.apprise_sender import AppriseSender, open_senders
from meltwatch_notify_gateway.adapters.channel_file import read_channels
from meltwatch_notify_gateway.domain.notice_text import trial_message
from meltwatch_notify_gateway.ports import DeliveryFailed
from meltwatch_notify_gateway.settings import Settings

_DONE, _BAD_VERDICT = 0, 1
_PROGRAM: Final = "meltwatch-notify"
app = App(name=_PROGRAM, help="The notify gateway's channels.", version_flags=[])


@app.command(name="test")
def try_channels(*channels: str, file: Path | None = None) -> int:
    """Send a test message by each channel, or by some, and say what became of it.

    Parameters
    ----------
    channels
        Names of channels; all of the file if none is given.
    file
        The channel file; that of MELTWATCH_CHANNELS_FILE if absent.
    """
    chosen = read_channels(file or load(Settings, os.environ).channels_file)
    senders = open_senders(chosen)
    if unknown := [name for name in channels if name not in senders]:
        raise BadUsage(
            f"expected channels of {chosen.path}: {', '.join(senders)}; got {unknown[0]}"
        )
    wanted = {name: senders[name] for name in channels or senders}
    outcomes = asyncio.run(_outcomes(wanted))
    for name, problem in zip(wanted, outcomes, strict=True):
        print_line(f"{name}: {'delivered' if problem is None else f'FAILED, {problem}'}")
    return _BAD_VERDICT if any(outcomes) else _DONE


async def _outcomes(senders: dict[str, AppriseSender]) -> list[str | None]:
    return await asyncio.gather(*(_outcome(name, sender) for name, sender in senders.items()))


async def _outcome(name: str, sender: AppriseSender) -> str | None:
    try:
        await sender.deliver(trial_message(name, utc_from_ns(SystemClock().now_ns())))
    except DeliveryFailed as error:
        return str(error)
    return None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    try:
        given = sys.argv[1:] if arguments is None else arguments
        return int(
            app(given, print_error=False, exit_on_error=False, result_action="return_value") or 0
        )
    except CycloptsError as error:
        print_failure(_PROGRAM, f"{error} (see '{_PROGRAM} --help')")
        return BadUsage.exit_code
    except FatalError as error:
        print_failure(_PROGRAM, str(error))
        return error.exit_code
