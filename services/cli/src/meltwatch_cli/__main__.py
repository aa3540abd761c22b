"""The ``meltwatch`` command; imports stand inside the guard, because Ctrl-C may come at once."""

import sys

INTERRUPTED = 130


def main() -> int:
    """Run the command of the command line and return its exit code; see ``entry``."""
    try:
        from meltwatch_cli.entry import run_command  # noqa: PLC0415 - see above

        return run_command(sys.argv[1:])
    except KeyboardInterrupt:
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
