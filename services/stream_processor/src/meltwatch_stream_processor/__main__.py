"""``python -m meltwatch_stream_processor``: settings by environment, exit code 0, 1, 2 or 3."""

import sys
from operator import attrgetter

from meltwatch_chassis.lifecycle import run_async

from meltwatch_stream_processor.bootstrap import serve
from meltwatch_stream_processor.settings import Settings


def main() -> int:
    """Run the service until SIGTERM or SIGINT; return the exit code."""
    # After longer the group has put us out anyway; nothing is lost by leaving.
    limit_s = attrgetter("session_timeout_s")
    return run_async("stream_processor", Settings, serve, limit_s)


if __name__ == "__main__":
    sys.exit(main())
