"""Writes a file as a whole or not at all."""

import os
from pathlib import Path
from typing import Final

DRAFT: Final = ".draft"
"""Ending of a file's name until the file is complete."""


def write_whole(file: Path, content: str | bytes) -> None:
    """Write a text, as UTF-8, or bytes; the old content stays if the disk is full.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    data = content.encode() if isinstance(content, str) else content
    if file.exists() and not file.is_file():
        file.write_bytes(data)  # a pipe or a device is no file to be replaced
        return
    draft = file.with_name(f"{file.name}{DRAFT}")
    try:
        with draft.open("wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        draft.replace(file)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
