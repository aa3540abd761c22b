"""Whose metrics the System page reads: names and addresses, as somebody has written them."""

import re
from typing import Final

MOST_SERVICES: Final = 100
_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_ADDRESS: Final = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}")


def metrics_sources_of(text: str) -> dict[str, str]:
    """Return ``host:port`` by name of ``name=host:port, name=host:port``.

    Raises
    ------
    ValueError
        If it is not of this form, or names one twice.
    """
    found: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        name, _, address = pair.partition("=")
        if not _NAME.fullmatch(name) or not _ADDRESS.fullmatch(address):
            raise ValueError("expected name=host:port, name=host:port")
        if name in found:
            raise ValueError(f"expected each name once, got {name} twice")
        found[name] = address
    if len(found) > MOST_SERVICES:
        raise ValueError(f"expected at most {MOST_SERVICES} services, got {len(found)}")
    return found
