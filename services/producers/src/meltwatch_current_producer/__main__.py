"""Run it by ``python -m meltwatch_current_producer``; ``--help`` lists its settings."""

import sys

from meltwatch_producers.bootstrap import CURRENT

if __name__ == "__main__":
    sys.exit(CURRENT.main())
