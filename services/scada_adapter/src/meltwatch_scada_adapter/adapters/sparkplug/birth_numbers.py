"""The numbers that tie deaths to births: counted on at each connection, also over restarts."""

from pathlib import Path
from typing import Final

import structlog
from meltwatch_chassis.errors import ConfigurationError
from meltwatch_chassis.whole_file import write_whole
from meltwatch_schemas.text import escaped

from meltwatch_scada_adapter.domain.sparkplug.edge_node import NUMBERS

_LONGEST: Final = 8
_log = structlog.get_logger()


class BirthNumbers:
    """``bdSeq`` of the connections to come.

    Parameters
    ----------
    file
        Holds the next one.
    start
        The first one, where no file says it: of a life before, a host must not take it for ours.

    Raises
    ------
    ConfigurationError
        If the file cannot be written.
    """

    def __init__(self, file: Path, start: int) -> None:
        self._file = file
        self._next = _read(file, start % NUMBERS)
        self._write()

    def take(self) -> int:
        """Return the number of a connection that is about to be made.

        Raises
        ------
        ConfigurationError
            If the file cannot be written any more.
        """
        number = self._next
        self._next = (number + 1) % NUMBERS
        self._write()
        return number

    def _write(self) -> None:
        try:
            write_whole(self._file, f"{self._next}\n")
        except OSError as error:
            raise ConfigurationError(
                f"MELTWATCH_SPARKPLUG_STATE_FILE: expected a file that can be written, "
                f"got {str(self._file)!r}: {error.strerror}"
            ) from None


def _read(file: Path, start: int) -> int:
    try:
        text = file.read_bytes()[:_LONGEST].decode(errors="replace").strip()
    except OSError:
        return start
    if text.isascii() and text.isdecimal() and int(text) < NUMBERS:
        return int(text)
    _log.warning("birth_number_lost", file=str(file), got=escaped(text))
    return start
