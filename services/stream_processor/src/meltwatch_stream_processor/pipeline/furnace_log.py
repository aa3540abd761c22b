"""What is said of furnaces beside their windows: log lines that people act on, words for scores.

A furnace speaks, is silent, goes blind or is refused: each is one line of the log. Records that
came too late or were refused as future ones become words of the next scores. All this is telemetry:
it changes no window and may be lost at a restart.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import structlog
from meltwatch_chassis.tracing import trace_id
from meltwatch_core.join.window import Outcome
from meltwatch_schemas.errors import Refusal
from meltwatch_schemas.reasons import FUTURE, LATE, Reason
from meltwatch_schemas.record import RawRecord
from meltwatch_schemas.score import Modality, WindowScore

_LASTING: Final = 3
"""Windows in a row before a change is said: one lost frame is no event, a flicker not twenty."""
_REMEMBERED: Final = 10_000
"""Furnaces that somebody spoke of and that may never come back."""
_log = structlog.get_logger()

_WINDOWS: Final = 4
"""A reason stands for this many windows: not every hop has a record of each modality."""


@dataclass(slots=True)
class _Furnace:
    """``said`` is None while only an earlier life of the process knows what it has said."""

    said: frozenset[Modality] | None = frozenset()
    seen: frozenset[Modality] = frozenset()
    streak: int = 0
    last_end_ns: int | None = None


class FurnaceLog:
    """Writes one line when a furnace appears, loses or regains a modality, or is retired.

    Lines name the furnace, and where a window is meant its id and its trace.
    """

    def __init__(self) -> None:
        self._furnaces: dict[str, _Furnace] = {}

    def restored(self, furnace_ids: Iterable[str]) -> None:
        """Take over furnaces that an earlier life has spoken of: only what changes is said."""
        for furnace_id in furnace_ids:
            self._begin(furnace_id, _Furnace(said=None))

    def published(self, score: WindowScore, traceparent: str | None) -> None:
        """Take note of a furnace's next published window."""
        furnace = self._furnaces.get(score.furnace_id)
        if furnace is None:
            furnace = self._begin(score.furnace_id, _Furnace())
            _log.info("furnace_appeared", **_subject(score, traceparent))
        available = frozenset(score.modalities)
        furnace.streak = furnace.streak + 1 if available == furnace.seen else 1
        furnace.seen = available
        self._say_availability(furnace, score, traceparent)
        if score.window_end_ns == furnace.last_end_ns:
            self._say_retired(score.furnace_id)

    def _say_availability(
        self, furnace: _Furnace, score: WindowScore, traceparent: str | None
    ) -> None:
        available = furnace.seen
        if available == furnace.said or furnace.streak < _LASTING:
            return
        subject, said = _subject(score, traceparent), furnace.said
        furnace.said = available
        if said is None:
            return
        for modality in available - said:
            _log.info("modality_available", modality=modality.value, **subject)
        for modality in said - available:
            reasons = list(score.reasons)
            _log.warning(
                "modality_unavailable", modality=modality.value, reasons=reasons, **subject
            )

    def rejected(self, score: WindowScore, detail: str, traceparent: str | None) -> None:
        """Take note of a window that the ensemble refused."""
        _log.error("window_rejected", detail=detail, **_subject(score, traceparent))

    def handed_on(self, outcome: Outcome) -> None:
        """Take note of retired furnaces; each is said once its last window is published."""
        last_ends_ns = {window.furnace_id: window.window_end_ns for window in outcome.windows}
        for furnace_id in outcome.retired:
            if furnace_id in last_ends_ns:
                furnace = self._furnaces.get(furnace_id) or self._begin(furnace_id, _Furnace())
                furnace.last_end_ns = last_ends_ns[furnace_id]
            else:
                self._say_retired(furnace_id)

    def _begin(self, furnace_id: str, furnace: _Furnace) -> _Furnace:
        self._furnaces[furnace_id] = furnace
        if len(self._furnaces) > _REMEMBERED:
            del self._furnaces[next(iter(self._furnaces))]
        return furnace

    def _say_retired(self, furnace_id: str) -> None:
        if self._furnaces.pop(furnace_id, None) is not None:
            _log.info("furnace_retired", furnace=furnace_id)


def _subject(score: WindowScore, traceparent: str | None) -> dict[str, str]:
    subject = {"furnace": score.furnace_id, "window": score.window_id}
    trace = trace_id(traceparent)
    return subject if trace is None else subject | {"trace": trace}


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
