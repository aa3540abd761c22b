"""``python -m meltwatch_alarm_manager``: one active alarm manager, any number of standbys."""

import sys

from meltwatch_chassis.lifecycle import run_async

from meltwatch_alarm_manager.bootstrap import main
from meltwatch_alarm_manager.settings import Settings

if __name__ == "__main__":
    sys.exit(run_async("alarm_manager", Settings, main))
