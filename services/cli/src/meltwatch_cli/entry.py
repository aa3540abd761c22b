"""From a command line to an exit code; in any case at most one line on standard error.

0 done, 1 the command's own verdict is bad, 2 bad usage or configuration, 3 a dependency is
unreachable, 130 interrupted, 141 nobody reads the output any more.
"""

import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from itertools import takewhile
from typing import Final, TextIO

from cyclopts import App, CycloptsError
from meltwatch_chassis.errors import BadUsage, FatalError
from meltwatch_chassis.terminal import print_failure, print_notice

from meltwatch_cli.adapters.interrupt import (
    end_interrupts,
    leaving_interrupts,
    raising_interrupts,
)
from meltwatch_cli.command_tree import root

_NAME: Final = "meltwatch"
_DONE, _FAULT, _BAD_USAGE, _INTERRUPTED, _PIPE_CLOSED = 0, 1, 2, 130, 141


def run_command(arguments: Sequence[str]) -> int:
    """Run a command and return its exit code.

    Parameters
    ----------
    arguments
        Those of the command line, without the program's name.
    """
    _make_streams_safe()
    try:
        code = _carry_out(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        _silence(sys.stdout)
        return _PIPE_CLOSED
    except SystemExit as end:
        # Rich's answer to a closed pipe, which it has made silent already.
        if isinstance(end.__context__, BrokenPipeError):
            return _PIPE_CLOSED
        raise
    except (KeyboardInterrupt, EOFError):
        return _INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last place that can say it in one line
        code = _code_of(error)
        end_interrupts()
        print_failure(_NAME, _words_for(error))
        _show_trace(error)
        _silence_unless_writable(sys.stdout)
    return code


def _carry_out(arguments: Sequence[str]) -> int:
    for argument in arguments:
        _check_utf8(argument)
    is_help_wanted = "--help" in arguments
    words = list(takewhile(lambda argument: not argument.startswith("-"), arguments))
    # Not the app itself: for it a closed pipe is a failed command.
    with leaving_interrupts():
        app = root(words if is_help_wanted else None)
        command, bound, _ = app.parse_args(arguments, print_error=False, exit_on_error=False)
        if getattr(command, "__func__", None) is App.help_print and not is_help_wanted:
            raise BadUsage("expected a command, got none (see 'meltwatch --help')")
        with raising_interrupts():
            return command(*bound.args, **bound.kwargs) or _DONE


def _check_utf8(argument: str) -> None:
    try:
        argument.encode()
    except UnicodeEncodeError:
        raise BadUsage(f"expected arguments in UTF-8, got {argument[:200]!r}") from None


def _code_of(error: Exception) -> int:
    if isinstance(error, FatalError):
        return error.exit_code
    return _BAD_USAGE if isinstance(error, CycloptsError | OSError) else _FAULT


def _words_for(error: Exception) -> str:
    if isinstance(error, CycloptsError):
        return f"{error} (see 'meltwatch --help')"
    if isinstance(error, FatalError):
        return str(error)
    if isinstance(error, OSError):
        return f"cannot read or write: {error}"
    kind = type(error).__name__
    return (
        f"this is a fault of Meltwatch: {kind}: {str(error)[:500]} "
        "(MELTWATCH_LOG_LEVEL=debug shows where)"
    )


def _show_trace(error: Exception) -> None:
    if os.environ.get("MELTWATCH_LOG_LEVEL") != "debug":
        return
    for line in "".join(traceback.format_exception(error)).splitlines():
        print_notice(f"  {line}")


def _make_streams_safe() -> None:
    """Make sure that no encoding, and no missing stream, ends a command."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace" if stream is sys.stdout else "backslashreplace")


def _silence_unless_writable(stream: TextIO) -> None:
    try:
        stream.flush()
    except OSError:
        _silence(stream)


def _silence(stream: TextIO) -> None:
    """Send the interpreter's last flush nowhere: it would print a message of its own."""
    with suppress(OSError, ValueError), open(os.devnull, "wb") as nowhere:  # noqa: PTH123
        os.dup2(nowhere.fileno(), stream.fileno())
