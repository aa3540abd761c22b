"""Writes a file as a whole or not at all."""

import os
from pathlib import Path
from typing import Final

DRAFT: Final = ".draft"
"""Ending of a file's name until the file is complete."""


def write_whole(file: Path, text: str) -> None:
    """Write a text; the old content stays if the disk is full.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    if file.exists() and not file.is_file():
        file.write_text(text, encoding="utf-8")  # a pipe or a device is no file to be replaced
        return
    draft = file.with_name(f"{file.name}{DRAFT}")
    try:
        with draft.open("w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        draft.replace(file)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
