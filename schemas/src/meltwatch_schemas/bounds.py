"""How long, how many, how large: the bounds of what crosses a process border, each stated once.

Writers keep them and readers refuse what lies beyond, so no part of a message can grow until it
breaks its reader. ``record`` says by which word a record is refused.
"""

import math
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field

from meltwatch_schemas.errors import ContractViolation, Refusal, violation
from meltwatch_schemas.text import escaped, is_printable

MAX_USER: Final = 64
MAX_COMMENT: Final = 1_000
MAX_TEXT: Final = 2_000
MAX_ID: Final = 1_024
"""Characters of a name that others choose: of a source, an encoder, a model, a run, an event."""
MAX_WORD: Final = 64
MAX_WORDS: Final = 64
MAX_DELAY_S: Final = 86_400.0
MAX_DURATION_S: Final = 31 * 86_400.0
MAX_AGE_S: Final = 1e9
MAX_WINDOWS: Final = 10_000
"""Windows that a decision may look back upon, some four hours."""
MAX_COUNTER: Final = 2**53 - 1
"""Whole numbers that JavaScript and Lua hold exactly."""
MAX_LOGIT: Final = 1e6
MAX_MEMBERS: Final = 64
MAX_FEATURE: Final = 1e12
MAX_IMBALANCE: Final = 10.0
"""Shares of the mean current; all of it in one phase of three is 2."""
MAX_SURPRISE: Final = 12.0
"""How unlike its portrait a window can be called: as one normal window in 10^12."""
MAX_PLACE: Final = 7
"""Row or column of a patch of the picture, from the upper left on."""
MAX_CURRENT_A: Final = 1e9
MAX_INPUTS: Final = 8
MAX_NEWEST_FRAMES: Final = 16
"""Frames of one hop that a score names; the published spec has two."""
MAX_PARTITION: Final = 2**31 - 1
MAX_OFFSET: Final = 2**63 - 1
MAX_WHOLE: Final = 2**64 - 1
"""The largest whole number of msgpack, and so of a ``seq`` that a producer counts up."""
MAX_HEADER_BYTES: Final = 64 * 1024
"""All names and values of a record's headers together."""
MAX_HEADERS: Final = 1_000
"""Empty headers cost nothing on the wire but much in memory."""


def check_text(name: str, text: str, most: int = MAX_ID, least: int = 1) -> None:
    """Refuse a text that is too short or too long, or that a person could not be shown.

    Raises
    ------
    ContractViolation
        ``contract_violation``.
    """
    is_short = least <= len(text) <= most
    if not is_short or not (text.isprintable() or is_printable(text)):
        raise violation(
            f"{name}: expected {least}..{most} printable characters, "
            f"got {len(text)}: {escaped(text[:80])!r}"
        )


def check_words(name: str, words: tuple[str, ...]) -> None:
    """Refuse too many words, or a word of the wrong form."""
    check_most(name, len(words), MAX_WORDS)
    for word in words:
        check_text(name, word, MAX_WORD)


def check_most(name: str, count: int, most: int) -> None:
    """Refuse a list or map of too many entries."""
    if count > most:
        raise violation(f"{name}: expected at most {most} entries, got {count}")


def check_whole(name: str, number: int, most: int, least: int = 0) -> None:
    """Refuse a whole number beyond its bounds."""
    if not least <= number <= most:
        raise violation(f"{name}: expected {least}..{most}, got {number}")


def check_real(name: str, number: float | None, most: float, least: float | None = None) -> None:
    """Refuse a real number beyond its bounds; the lower one is ``-most`` unless given. None passes.

    Raises
    ------
    ContractViolation
        ``non_finite`` for NaN and infinities, else ``contract_violation``.
    """
    if number is None:
        return
    lowest = -most if least is None else least
    if not math.isfinite(number):
        raise ContractViolation(
            Refusal.NON_FINITE, f"{name}: expected a finite number, got {number}"
        )
    if not lowest <= number <= most:
        raise violation(f"{name}: expected {lowest:g}..{most:g}, got {number:g}")


def _printable(text: str) -> str:
    if not is_printable(text):
        raise ValueError(f"expected printable characters alone, got {escaped(text[:80])!r}")
    return text


def _told(most: int) -> BeforeValidator:
    """Show what cannot be shown as escapes, and cut what is too long.

    For records of our own, which must stay readable: version 0.1 wrote whatever a person typed.
    """
    return BeforeValidator(lambda text: escaped(text)[:most] if isinstance(text, str) else text)


Printable = AfterValidator(_printable)
Text = Annotated[str, Field(max_length=MAX_TEXT), Printable]
"""What people write for people: titles, guidance, reasons."""
Name = Annotated[str, Field(min_length=1, max_length=MAX_ID), Printable]
"""What others named."""
User = Annotated[str, Field(min_length=1, max_length=MAX_USER), Printable]
"""A person or a program that speaks for one."""
Word = Annotated[str, Field(min_length=1, max_length=MAX_WORD), Printable]
"""One word of a list, such as a reason."""
ToldText = Annotated[str, _told(MAX_TEXT), Field(max_length=MAX_TEXT)]
ToldName = Annotated[str, _told(MAX_ID), Field(max_length=MAX_ID)]
ToldUser = Annotated[str, _told(MAX_USER), Field(max_length=MAX_USER)]
ToldComment = Annotated[str, _told(MAX_COMMENT), Field(max_length=MAX_COMMENT)]
ToldWord = Annotated[str, _told(MAX_WORD), Field(max_length=MAX_WORD)]
Counter = Annotated[int, Field(ge=0, le=MAX_COUNTER)]
Logit = Annotated[float, Field(ge=-MAX_LOGIT, le=MAX_LOGIT)]
Imbalance = Annotated[float, Field(ge=0, le=MAX_IMBALANCE)]
Surprise = Annotated[float, Field(ge=0, le=MAX_SURPRISE)]
Delay = Annotated[float, Field(ge=0, le=MAX_DELAY_S)]
Duration = Annotated[float, Field(gt=0, le=MAX_DURATION_S)]
