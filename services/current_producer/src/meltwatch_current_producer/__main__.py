"""Run it by ``python -m meltwatch_current_producer``; ``--help`` lists its settings."""

import sys

from meltwatch_chassis.lifecycle import run_sync

from meltwatch_current_producer.bootstrap import SERVICE, run
from meltwatch_current_producer.settings import Settings


def main() -> int:
    """Publish until SIGTERM or SIGINT and return the exit code."""
    return run_sync(SERVICE, Settings, run)


if __name__ == "__main__":
    sys.exit(main())
