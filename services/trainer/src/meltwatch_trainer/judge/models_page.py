"""The generated parts of a page: each between its markers, the rest left as it is."""

from collections.abc import Mapping
from pathlib import Path

from meltwatch_trainer.errors import PageError


def write_parts(path: Path, parts: Mapping[str, str]) -> None:
    """Put each part between ``<!-- NAME: generated -->`` and ``<!-- NAME: end -->``.

    Raises
    ------
    PageError
        If the page is not there or lacks a part's markers; nothing is written then.
    """
    try:
        page = path.read_text()
    except OSError as error:
        raise PageError(f"{path}: expected a page to write into: {error.strerror}") from error
    for name, text in parts.items():
        page = _with_part(page, name, text, path)
    path.write_text(page)


def _with_part(page: str, name: str, text: str, path: Path) -> str:
    begin, end = f"<!-- {name}: generated -->\n", f"<!-- {name}: end -->"
    before, found, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise PageError(f"{path}: expected the markers {begin.strip()} and {end}")
    return f"{before}{begin}{text}\n{end}{after}"
