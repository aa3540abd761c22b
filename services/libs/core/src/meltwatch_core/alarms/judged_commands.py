"""Which commands were judged already, within a bound."""

from collections import OrderedDict
from typing import Final

from meltwatch_schemas.alarm import ResultCode

MAX_IDS: Final = 100_000
_JUDGED: Final = frozenset({ResultCode.OK, ResultCode.STALE, ResultCode.WRONG_STATE})


class JudgedCommands:
    """The ids of the last commands that were judged on their merits.

    One that was refused before that (malformed, not permitted …) may come again under its id.

    Parameters
    ----------
    limit
        How many ids are kept.
    """

    def __init__(self, limit: int = MAX_IDS) -> None:
        self._limit = limit
        self._ids: OrderedDict[str, None] = OrderedDict()

    def __contains__(self, command_id: str) -> bool:
        """Tell whether a command of this id was judged."""
        return command_id.lower() in self._ids

    def note(self, command_id: str | None, code: ResultCode) -> None:
        """Remember a result."""
        if command_id is None or code not in _JUDGED:
            return
        self._ids[command_id.lower()] = None
        if len(self._ids) > self._limit:
            self._ids.popitem(last=False)
