"""``python -m meltwatch_notify_gateway``: tells people of alarms by the channels of a file."""

import sys
from typing import Final

from meltwatch_chassis.lifecycle import run_async

from meltwatch_notify_gateway.bootstrap import main
from meltwatch_notify_gateway.settings import Settings

_STOP_LIMIT_S: Final = 5.0
"""A service that hangs is not waited for. What it took without a receipt is told once more."""

if __name__ == "__main__":
    sys.exit(run_async("notify_gateway", Settings, main, lambda _: _STOP_LIMIT_S))
