"""What a check says of a source: what is wrong, with what to do, or that it was not looked at."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SourceFinding:
    """One thing that is wrong, or that could not be checked.

    Attributes
    ----------
    code
        Its name, such as ``wrong_byte_order``.
    said
        What was seen.
    advice
        What to do.
    is_checked
        False: it could not be checked, so nothing is known of it.
    """

    code: str
    said: str
    advice: str
    is_checked: bool = True


def unchecked(code: str, said: str) -> SourceFinding:
    """Return that something was not looked at, and why: never that it is good."""
    return SourceFinding(code, said, "not checked", is_checked=False)
