"""Run it by ``python -m meltwatch_source_producer``; ``--help`` lists its settings."""

import sys

from meltwatch_source_producer.bootstrap import main

if __name__ == "__main__":
    sys.exit(main())
