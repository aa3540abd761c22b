"""Late records and those refused as future ones: reasons for the scores of a furnace.

Telemetry beside the join: it changes no window and may be lost at a restart.
"""

from collections.abc import Callable, Iterable
from typing import Final

from meltwatch_core.join.window import Outcome
from meltwatch_schemas.errors import Refusal
from meltwatch_schemas.reasons import FUTURE, LATE, Reason
from meltwatch_schemas.record import RawRecord
from meltwatch_schemas.score import Modality

_WINDOWS: Final = 4
"""A reason stands for this many windows: not every hop has a record of each modality."""


class UntimelyRecords:
    """Follows the furnaces of one partition."""

    def __init__(self) -> None:
        self._left: dict[str, dict[Reason, int]] = {}

    def take(
        self,
        raw: RawRecord,
        modality: Modality,
        outcome: Outcome,
        holds: Callable[[str], bool],
    ) -> None:
        """Take a record and its outcome.

        Parameters
        ----------
        raw
            The record: a refused one names its furnace by its key alone.
        modality
            Of its topic.
        outcome
            What it led to.
        holds
            Tells whether a furnace is held: nobody else's words would ever be asked for.
        """
        word = _word(modality, outcome)
        if word is not None:
            furnace_id = (raw.key or b"").decode(errors="replace")
            if holds(furnace_id):
                self._left.setdefault(furnace_id, {})[word] = _WINDOWS

    def forget(self, furnace_ids: Iterable[str]) -> None:
        """Forget furnaces that are retired."""
        for furnace_id in furnace_ids:
            self._left.pop(furnace_id, None)

    def reasons(self, furnace_id: str) -> tuple[Reason, ...]:
        """Return the reasons for the next score of a furnace."""
        left = self._left.pop(furnace_id, {})
        if remaining := {word: count - 1 for word, count in left.items() if count > 1}:
            self._left[furnace_id] = remaining
        return tuple(word for word in Reason if word in left)


def _word(modality: Modality, outcome: Outcome) -> Reason | None:
    if outcome.late:
        return LATE[modality]
    refusal = outcome.refusal
    is_future = refusal is not None and refusal.reason is Refusal.FUTURE_EVENT_TIME
    return FUTURE[modality] if is_future else None
