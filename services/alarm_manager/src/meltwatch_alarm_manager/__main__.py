"""``python -m meltwatch_alarm_manager``: one active alarm manager, any number of standbys."""

import sys
from typing import Final

from meltwatch_chassis.lifecycle import run_async

from meltwatch_alarm_manager.bootstrap import main
from meltwatch_alarm_manager.settings import Settings

_STOP_LIMIT_S: Final = 5.0
"""A standby leads after 6 s in any case. A transaction that is cut off was never written."""

if __name__ == "__main__":
    sys.exit(run_async("alarm_manager", Settings, main, lambda _: _STOP_LIMIT_S))
