"""What a model said of furnaces over a span, and which windows are normal operation."""

from array import array
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from meltwatch_core.alarms.setpoints.held_level import AlarmRule, held_levels
from meltwatch_core.alarms.setpoints.threshold import NormalOperation
from meltwatch_schemas.window import INT64_MAX, NS_PER_S, PUBLISHED_SPEC
from numpy.typing import NDArray

from meltwatch_backtester.domain.span import Span

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_HOP_S: Final = PUBLISHED_SPEC.hop_ns / NS_PER_S
_HOUR_NS: Final = 3600 * NS_PER_S
_APART_S: Final = 1e6
"""Between furnaces on the common axis of time."""


class Said(NamedTuple):
    """The calibrated log-odds of one window; None if it was not scored."""

    furnace_id: str
    end_ns: int
    logit: float | None
    model_digest: str


@dataclass(frozen=True, slots=True)
class Abnormal:
    """A stretch of time in which an alarm would be right: no normal operation.

    Attributes
    ----------
    furnace_id
        Of this furnace; None for all.
    """

    span: Span
    furnace_id: str | None = None


class LogOddsWatch:
    """The log-odds of furnaces, 16 bytes a window; of a window that came twice the first stands.

    Attributes
    ----------
    models
        Digests of the models that spoke.
    """

    def __init__(self) -> None:
        self.models: set[str] = set()
        self._ends: defaultdict[str, array[int]] = defaultdict(lambda: array("q"))
        self._logits: defaultdict[str, array[float]] = defaultdict(lambda: array("d"))

    def add_window(self, said: Said) -> None:
        """Take a window; one without a score leaves a gap."""
        if said.logit is not None:
            self.models.add(said.model_digest)
            self._ends[said.furnace_id].append(said.end_ns)
            self._logits[said.furnace_id].append(said.logit)

    @property
    def furnaces(self) -> list[str]:
        """Furnaces of which there is a score, by name."""
        return sorted(self._ends)

    def of(self, furnace_id: str) -> tuple[IntArray, FloatArray]:
        """Return window ends, ns UTC, and log-odds of a furnace, in order."""
        ends = np.array(self._ends[furnace_id], np.int64)
        ends, first = np.unique(ends, return_index=True)
        return ends, np.array(self._logits[furnace_id], np.float64)[first]


def normal_operation(
    watch: LogOddsWatch, abnormal: Iterable[Abnormal], rule: AlarmRule, settle_s: float
) -> NormalOperation:
    """Return the windows from which an alarm rule could raise a false alarm.

    An alarm whose on-delay spans a gap is not foreseen. Intervals draw furnace-hours again:
    windows of one hour depend on each other.

    Parameters
    ----------
    settle_s
        So long after its end a stretch is still abnormal: until then its own alarm may stand.
    """
    spans = tuple(abnormal)
    held, ends, number = [np.empty(0)], [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for index, furnace_id in enumerate(watch.furnaces):
        of_furnace = [each.span for each in spans if each.furnace_id in (None, furnace_id)]
        levels, at = _held_when_normal(*watch.of(furnace_id), of_furnace, rule, settle_s)
        held.append(levels)
        ends.append(at)
        number.append(np.full(len(at), index))
    return _joined(np.concatenate(held), np.concatenate(ends), np.concatenate(number))


def _held_when_normal(
    ends: IntArray, logits: FloatArray, abnormal: Sequence[Span], rule: AlarmRule, settle_s: float
) -> tuple[FloatArray, IntArray]:
    """Return held levels and ends of the windows from which an alarm would be a false one."""
    breaks = np.flatnonzero(np.diff(ends) != PUBLISHED_SPEC.hop_ns) + 1
    runs = np.split(logits, breaks)
    held = np.concatenate([held_levels(run, _HOP_S, rule) for run in runs])
    raised = ends + rule.windows_held(_HOP_S) * PUBLISHED_SPEC.hop_ns
    is_normal = np.isfinite(held)
    for span in abnormal:
        is_normal &= (raised < span.from_ns) | (raised >= span.to_ns + round(settle_s * NS_PER_S))
    return held[is_normal], ends[is_normal]


def _joined(held: FloatArray, ends: IntArray, furnace: IntArray) -> NormalOperation:
    since_ns = ends - ends.min(initial=INT64_MAX)
    times_s = since_ns / NS_PER_S
    hours, unit = np.unique([furnace, since_ns // _HOUR_NS], axis=1, return_inverse=True)
    return NormalOperation(
        held=held,
        times_s=times_s + furnace * (times_s.max(initial=0.0) + _APART_S),
        unit=unit.reshape(-1),
        units=hours.shape[1],
        hop_s=_HOP_S,
        furnaces=len(np.unique(furnace)),
    )
