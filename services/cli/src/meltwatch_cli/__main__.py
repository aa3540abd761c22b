"""The ``meltwatch`` command: one line on standard error per failure, and the exit codes.

0 done, 1 the command's own verdict is bad, 2 bad usage or configuration, 3 a dependency is
unreachable, 130 interrupted.
"""

import sys

import typer
from meltwatch_chassis.errors import FatalError

from meltwatch_cli.command_tree import root


def main() -> int:
    """Run the command of the command line and return its exit code."""
    try:
        return root().main(prog_name="meltwatch", standalone_mode=False) or 0
    except typer.TyperException as error:
        return _fail(f"{error.format_message()} (see 'meltwatch --help')", error.exit_code)
    except FatalError as error:
        return _fail(str(error), error.exit_code)


def _fail(text: str, exit_code: int) -> int:
    sys.stderr.write(f"meltwatch: {' '.join(text.split())}\n")
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
