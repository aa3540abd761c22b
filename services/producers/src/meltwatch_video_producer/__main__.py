"""Run it by ``python -m meltwatch_video_producer``; ``--help`` lists its settings."""

import sys

from meltwatch_producers.bootstrap import VIDEO

if __name__ == "__main__":
    sys.exit(VIDEO.main())
