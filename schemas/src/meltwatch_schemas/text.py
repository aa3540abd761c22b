"""Text from outside: what counts as printable, and how the rest is shown to a person.

Control characters move a terminal's cursor, and format characters turn the reading direction
round, so that text can show what nobody wrote (CVE-2021-25743, CVE-2021-42574). Spaces of any
width are printable: the ideographic one is everyday Chinese.
"""

import unicodedata
from typing import Final

_HIDDEN: Final = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
"""Unicode categories: controls, formats, unassigned, private, surrogates, line ends."""


def is_printable(text: str) -> bool:
    """Tell whether a text may stand in a record, a log or on a screen as it is."""
    return text.isprintable() or not any(map(_is_hidden, text))


def escaped(text: str) -> str:
    r"""Return a text with each unprintable character as an escape like ``\\x1b`` or ``\\u202e``.

    What comes out is printable, in one line, and encodes in UTF-8.
    """
    if text.isprintable():
        return text
    return "".join(_escape(character) if _is_hidden(character) else character for character in text)


def _is_hidden(character: str) -> bool:
    return unicodedata.category(character) in _HIDDEN


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
