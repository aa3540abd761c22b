"""Counting what records and windows led to, in all and per furnace."""

from collections.abc import Callable
from functools import cache, partial
from typing import Final

from meltwatch_chassis.metrics import Metrics
from meltwatch_core.join.window import UNEVENTFUL, Outcome
from meltwatch_schemas.identifiers import is_path
from meltwatch_schemas.record import RawRecord
from meltwatch_schemas.score import Modality

from meltwatch_stream_processor.pipeline.delivery import SERVICE

MAX_FURNACES: Final = 1000
OTHER: Final = "other"
UNKNOWN: Final = "unknown"


class Counts:
    """The counters of records and windows of one process.

    Late and duplicate records that are handed on again after a crash, because no score names them
    yet, are counted again.

    Parameters
    ----------
    metrics
        Where to count.
    max_furnaces
        How many furnaces are told apart; the further ones share the label ``other``.
    """

    def __init__(self, metrics: Metrics, max_furnaces: int = MAX_FURNACES) -> None:
        self._metrics = metrics
        self._max_furnaces = max_furnaces
        self._furnaces: dict[str, set[tuple[str, str]]] = {}
        # To look for a counter among its labels costs more than to count.
        self._handed_on = cache(partial(metrics.records.labels, SERVICE))
        # Shown before the first of them.
        metrics.windows.labels("skipped")
        for modality in Modality:
            metrics.duplicates.labels(modality.value)

    def record(
        self,
        raw: RawRecord,
        modality: Modality,
        outcome: Outcome,
        holds: Callable[[str], bool],
    ) -> None:
        """Count a record that was handed on, and what it closed.

        Parameters
        ----------
        raw, modality, outcome
            The record, and what it led to.
        holds
            Tells whether a furnace is held: others share a label, for they are never retired.
        """
        metrics = self._metrics
        self._handed_on(raw.topic, _fate(outcome)).inc()
        if outcome is UNEVENTFUL:
            return
        if outcome.duplicates:
            metrics.duplicates.labels(modality.value).inc(outcome.duplicates)
        if outcome.late:
            metrics.late.labels(modality.value).inc()
        if outcome.late or outcome.duplicates or outcome.refusal is not None:
            furnace_id = _furnace_of(raw)
            is_named = furnace_id == UNKNOWN or holds(furnace_id)
            self._count_irregular(furnace_id if is_named else OTHER, modality, outcome)
        self.closed(outcome)

    def closed(self, outcome: Outcome) -> None:
        """Count the bad quality of the windows that closed, those skipped, and who is retired."""
        if outcome.skipped:
            self._metrics.windows.labels("skipped").inc(outcome.skipped)
        for window in outcome.windows:
            for whose, words in window.irregularities.items():
                for word in words:
                    self.irregular(window.furnace_id, whose, word)
        for furnace_id in outcome.retired:
            self._forget(furnace_id)

    def clear(self) -> None:
        """Forget all furnaces: whoever has their partitions next counts them."""
        for furnace_id in tuple(self._furnaces):
            self._forget(furnace_id)

    def irregular(
        self, furnace_id: str, modality: Modality | None, kind: str, amount: int = 1
    ) -> None:
        """Count something that was not as it should be.

        Parameters
        ----------
        furnace_id
            Whose; ``unknown`` if nothing says so.
        modality
            Of which modality; None if it concerns both.
        kind
            One word.
        amount
            How many.
        """
        label = self._label(furnace_id)
        which = "both" if modality is None else modality.value
        self._metrics.irregularities.labels(label, which, kind).inc(amount)
        if label in self._furnaces:
            self._furnaces[label].add((which, kind))

    def _count_irregular(self, furnace_id: str, modality: Modality, outcome: Outcome) -> None:
        if outcome.late:
            self.irregular(furnace_id, modality, "late")
        if outcome.duplicates:
            self.irregular(furnace_id, modality, "duplicate", outcome.duplicates)
        if outcome.refusal is not None:
            self.irregular(furnace_id, modality, outcome.refusal.reason.value)

    def _label(self, furnace_id: str) -> str:
        if furnace_id in (UNKNOWN, OTHER) or furnace_id in self._furnaces:
            return furnace_id
        if len(self._furnaces) >= self._max_furnaces:
            return OTHER
        self._furnaces[furnace_id] = set()
        return furnace_id

    def _forget(self, furnace_id: str) -> None:
        """Take a retired furnace out of the metrics: its name makes room for another."""
        for which, kind in self._furnaces.pop(furnace_id, ()):
            self._metrics.irregularities.remove(furnace_id, which, kind)


def _furnace_of(raw: RawRecord) -> str:
    """Return the furnace that a record's key names: refused ones have nothing better."""
    try:
        key = (raw.key or b"").decode()
    except UnicodeDecodeError:
        return UNKNOWN
    return key if is_path(key) else UNKNOWN


def _fate(outcome: Outcome) -> str:
    if outcome.history:
        return "history"
    if outcome.refusal is not None:
        return "dead_letter"
    return "late" if outcome.late else "joined"
