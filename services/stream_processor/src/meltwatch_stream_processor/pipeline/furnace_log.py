"""What people would act on at a furnace: it speaks, it is silent, it goes blind, it is refused."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import structlog
from meltwatch_chassis.tracing import trace_id
from meltwatch_core.join.window import Outcome
from meltwatch_schemas.score import Modality, WindowScore

_LASTING: Final = 3
"""Windows in a row before a change is said: one lost frame is no event, a flicker not twenty."""
_REMEMBERED: Final = 10_000
"""Furnaces that somebody spoke of and that may never come back."""
_log = structlog.get_logger()


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
