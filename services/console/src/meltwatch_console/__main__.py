"""``python -m meltwatch_console``: the operator console."""

import sys
from typing import Final

from meltwatch_chassis.lifecycle import run_async

from meltwatch_console.bootstrap import main
from meltwatch_console.settings import Settings

_STOP_LIMIT_S: Final = 5.0
"""Nothing is lost by it: browsers connect again and are sent the whole picture."""

if __name__ == "__main__":
    sys.exit(run_async("console", Settings, main, lambda _: _STOP_LIMIT_S))
