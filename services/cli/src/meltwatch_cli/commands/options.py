"""By what name commands act, and whether a person agrees: what commands share."""

import sys
from typing import Final

from meltwatch_cli.commands.output import print_notice

VIA: Final = "cli"
"""By what name commands say that they come from here."""


def can_be_asked() -> bool:
    """Tell whether a person sits at the terminal."""
    return sys.stdin.isatty()


def agrees(question: str) -> bool:
    """Ask the person at the terminal; an answer that is not yes is no."""
    print_notice(f"{question}? y or n:")
    try:
        return input().strip().lower() in {"y", "yes"}
    except EOFError:
        return False
