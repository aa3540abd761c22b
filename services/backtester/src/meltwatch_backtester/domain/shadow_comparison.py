"""Two ensembles over the same windows: the live one, and one that is only watched."""

import math
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np
from meltwatch_core.alarms.sweep import LevelSeries, activations
from meltwatch_schemas.alarm_point import AlarmPoint, Setpoint
from meltwatch_schemas.instants import rfc3339, utc_from_ns
from meltwatch_schemas.raises import RaiseAnswer, Raised, answer_of
from meltwatch_schemas.score import ScoreStatus, WindowScore
from meltwatch_schemas.window import NS_PER_S
from numpy.typing import NDArray

from meltwatch_backtester.domain.span import Span
from meltwatch_backtester.errors import BadUsage

FloatArray = NDArray[np.float64]
_SHOWN: Final = 12
_BELOW: Final = "below both"


class Side(NamedTuple):
    """What one ensemble said of one furnace, in order of time, each window once.

    Attributes
    ----------
    ends_ns
        Shape ``(n,)``: window ends.
    logits
        Shape ``(n,)``: NaN where a window has no verdict.
    delays_s
        Shape ``(n,)``: from a window's end to its published score.
    contents
        Shape ``(n,)``: equal where windows held the same frames and currents.
    """

    ends_ns: NDArray[np.int64]
    logits: FloatArray
    delays_s: FloatArray
    contents: NDArray[np.int64]


class EnsembleWatch:
    """What one ensemble said, 32 bytes a window; of one published twice the first stands.

    Attributes
    ----------
    models
        Digests of the ensembles that spoke.
    statuses
        Windows by status, as they were published.
    reasons
        Words that unscored windows bear.
    """

    def __init__(self) -> None:
        self.models: set[str] = set()
        self.statuses: Counter[ScoreStatus] = Counter()
        self.reasons: Counter[str] = Counter()
        self._whole: defaultdict[str, tuple[array[int], array[float], array[float], array[int]]]
        self._whole = defaultdict(lambda: (array("q"), array("d"), array("d"), array("q")))

    def add_score(self, score: WindowScore) -> None:
        """Take a window."""
        self.models.add(score.model.digest)
        self.statuses[score.status] += 1
        if score.status is ScoreStatus.UNSCORED:
            self.reasons.update(score.reasons)
        ends, logits, delays, contents = self._whole[score.furnace_id]
        ends.append(score.window_end_ns)
        logits.append(math.nan if score.logit is None else score.logit)
        delays.append((score.times.published_ns - score.window_end_ns) / NS_PER_S)
        contents.append(_fingerprint(score))

    @property
    def furnaces(self) -> list[str]:
        """Furnaces of which there is a window, by name."""
        return sorted(self._whole)

    def of(self, furnace_id: str) -> Side:
        """Return what was said of a furnace; nothing of one that is not known."""
        if furnace_id not in self._whole:
            return Side(np.empty(0, np.int64), np.empty(0), np.empty(0), np.empty(0, np.int64))
        ends, logits, delays, contents = self._whole[furnace_id]
        _, first = np.unique(np.array(ends, np.int64), return_index=True)
        return Side(
            np.array(ends, np.int64)[first],
            np.array(logits, np.float64)[first],
            np.array(delays, np.float64)[first],
            np.array(contents, np.int64)[first],
        )


@dataclass
class ShadowComparison:
    """How an ensemble that is only watched does beside the live one.

    Attributes
    ----------
    span
        What was compared.
    models
        Digests of the live one and of the one in shadow.
    live_windows, shadow_windows
        What each published.
    pairs
        Windows of both, by what they have in common.
    agreement
        Of the pairs with two verdicts: who is at or above the threshold.
    raised
        Raises of the live one and of the one in shadow.
    """

    span: Span
    models: tuple[str, str]
    live_windows: EnsembleWatch
    shadow_windows: EnsembleWatch
    pairs: Counter[str] = field(default_factory=Counter)
    agreement: Counter[str] = field(default_factory=Counter)
    raised: tuple[list[Raised], list[Raised]] = field(default_factory=lambda: ([], []))
    # An array a furnace, joined when asked for: growing one would copy a plant's windows each time.
    _logits: tuple[list[FloatArray], list[FloatArray]] = field(default_factory=lambda: ([], []))
    _delays_s: tuple[list[FloatArray], list[FloatArray]] = field(default_factory=lambda: ([], []))

    @property
    def live_logits(self) -> FloatArray:
        """Shape ``(n,)``: of the pairs of the same content with two verdicts."""
        return _joined(self._logits[0])

    @property
    def shadow_logits(self) -> FloatArray:
        """Shape ``(n,)``: of the same pairs."""
        return _joined(self._logits[1])

    @property
    def live_delays_s(self) -> FloatArray:
        """Shape ``(n,)``: of all windows of the live one."""
        return _joined(self._delays_s[0])

    @property
    def shadow_delays_s(self) -> FloatArray:
        """Shape ``(n,)``: of all windows of the one in shadow."""
        return _joined(self._delays_s[1])

    @property
    def correlation(self) -> float | None:
        """Pearson's, of paired logits; None where there is nothing that varies."""
        live, shadow = self.live_logits, self.shadow_logits
        if live.size < 2 or not (np.ptp(live) and np.ptp(shadow)):
            return None
        return float(np.corrcoef(live, shadow)[0, 1])

    @property
    def mean_difference(self) -> float | None:
        """Of paired logits, shadow minus live."""
        if not self.live_logits.size:
            return None
        return float(np.mean(self.shadow_logits - self.live_logits))

    @property
    def agreed(self) -> float | None:
        """Share of pairs on whose side of the threshold both agree."""
        total = self.agreement.total()
        alike = self.agreement["above both"] + self.agreement[_BELOW]
        return alike / total if total else None

    def answer(self) -> RaiseAnswer:
        """Return which raises one has and the other not."""
        return answer_of(*self.raised)

    def add_furnace(
        self, furnace_id: str, setpoints: tuple[Setpoint, Setpoint], priority: str
    ) -> None:
        """Add what both said of a furnace, each judged by a set-point."""
        sides = self.live_windows.of(furnace_id), self.shadow_windows.of(furnace_id)
        self._pair(*sides, setpoints)
        for number, side in enumerate(sides):
            self._delays_s[number].append(side.delays_s)
            raised = _raises(furnace_id, side, setpoints[number], priority)
            self.raised[number].extend(raised)

    def _pair(self, live: Side, shadow: Side, setpoints: tuple[Setpoint, Setpoint]) -> None:
        _, here, there = np.intersect1d(
            live.ends_ns, shadow.ends_ns, assume_unique=True, return_indices=True
        )
        self.pairs["live alone"] += live.ends_ns.size - here.size
        self.pairs["shadow alone"] += shadow.ends_ns.size - there.size
        ours, theirs = live.logits[here], shadow.logits[there]
        have, has = ~np.isnan(ours), ~np.isnan(theirs)
        alike = live.contents[here] == shadow.contents[there]
        both = have & has
        for name, which in (
            ("same content", both & alike),
            ("other content", both & ~alike),
            ("verdict of live alone", have & ~has),
            ("verdict of shadow alone", ~have & has),
            ("no verdict", ~have & ~has),
        ):
            self.pairs[name] += int(which.sum())
        same = both & alike
        self._logits[0].append(ours[same])
        self._logits[1].append(theirs[same])
        above, beyond = ours[same] >= setpoints[0].on, theirs[same] >= setpoints[1].on
        for name, which in (
            ("above both", above & beyond),
            ("above live alone", above & ~beyond),
            ("above shadow alone", ~above & beyond),
            (_BELOW, ~above & ~beyond),
        ):
            self.agreement[name] += int(which.sum())

    def document(self) -> dict[str, Any]:
        """Return the comparison for programs."""
        return {
            "from": rfc3339(utc_from_ns(self.span.from_ns)),
            "to": rfc3339(utc_from_ns(self.span.to_ns)),
            "live": _side_document(self.models[0], self.live_windows, self.live_delays_s),
            "shadow": _side_document(self.models[1], self.shadow_windows, self.shadow_delays_s),
            "pairs": dict(self.pairs),
            "correlation": self.correlation,
            "mean_difference": self.mean_difference,
            "agreement": dict(self.agreement),
            "agreed": self.agreed,
            "raises": self.answer().model_dump(mode="json"),
        }

    def lines(self) -> Iterator[str]:
        """Yield the comparison for people."""
        yield f"{self.span}"
        sides = ("live", self.live_windows, self.live_delays_s), (
            "shadow", self.shadow_windows, self.shadow_delays_s,
        )  # fmt: skip
        for (name, watch, delays_s), model in zip(sides, self.models, strict=True):
            yield f"{name:<10} {_side_line(model, watch, delays_s)}"
        yield f"{'windows':<10} " + ", ".join(f"{n} {name}" for name, n in self.pairs.items() if n)
        if self.mean_difference is not None:
            known = "none" if self.correlation is None else f"{self.correlation:.4f}"
            yield (
                f"{'logits':<10} correlation {known}, shadow minus live in the mean "
                f"{self.mean_difference:+.3f}, of {self.live_logits.size} pairs of the same content"
            )
        if self.agreed is not None:
            parts = ", ".join(f"{n} {name}" for name, n in self.agreement.items())
            yield f"{'set-point':<10} both say the same of {self.agreed:.2%}: {parts}"
        found = self.answer()
        yield found.sentence
        alone = [each for each in found.occasions if each.shift_s is None]
        for each in alone[:_SHOWN]:
            name, at = ("shadow", each.after) if each.before is None else ("live", each.before)
            yield f"  {name} alone: {each.alarm_id} at {rfc3339(at)}"  # type: ignore[arg-type]
        if len(alone) > _SHOWN:
            yield f"  and {len(alone) - _SHOWN} more: --json has all"


def compared(
    span: Span,
    watches: tuple[EnsembleWatch, EnsembleWatch],
    points: Mapping[str, AlarmPoint],
    candidate: Setpoint | None,
) -> ShadowComparison:
    """Hold an ensemble that is only watched against the live one.

    Parameters
    ----------
    span
        What was watched.
    watches
        What live said, and what was said in shadow.
    points
        First alarm point of each furnace, which live is judged by.
    candidate
        By which the one in shadow is judged; None takes live's own.

    Raises
    ------
    BadUsage
        If one of both said nothing, or was several models.
    """
    models = tuple(
        _only_model(watch.models, name, span)
        for watch, name in zip(watches, ("scores", "shadow scores"), strict=True)
    )
    found = ShadowComparison(span, (models[0], models[1]), *watches)
    for furnace_id in _furnaces(watches):
        point = points[furnace_id]
        setpoints = point.setpoint, candidate or point.setpoint
        found.add_furnace(furnace_id, setpoints, point.priority.value)
    return found


def _joined(parts: Sequence[FloatArray]) -> FloatArray:
    return np.concatenate([np.empty(0), *parts])


def _furnaces(watches: Iterable[EnsembleWatch]) -> Sequence[str]:
    return sorted({name for watch in watches for name in watch.furnaces})


def _only_model(models: set[str], name: str, span: Span) -> str:
    if len(models) != 1:
        got = ", ".join(sorted(digest[:16] for digest in models)) or "none"
        raise BadUsage(f"expected {name} of one model from {span}, got {got}; choose another span")
    return next(iter(models))


def _fingerprint(score: WindowScore) -> int:
    """Return a number that windows of the same content share."""
    seen = score.features
    numbers = (
        *(score.video_coverage, score.current_coverage),
        *(seen.current_mean_a or ()),
        *(seen.current_std_a or ()),
        *(seen.imbalance, seen.video_mean, seen.video_motion),
    )
    return hash(tuple(math.inf if number is None else number for number in numbers))


def _raises(furnace_id: str, side: Side, setpoint: Setpoint, priority: str) -> Iterator[Raised]:
    for each in activations(LevelSeries.of(side.ends_ns, side.logits), setpoint):
        if each.raised_ns is not None:
            until = None if each.cleared_ns is None else utc_from_ns(each.cleared_ns)
            yield Raised(f"{furnace_id}/OVERHEAT", priority, "", utc_from_ns(each.raised_ns), until)


def _side_document(model: str, watch: EnsembleWatch, delays_s: FloatArray) -> dict[str, Any]:
    return {
        "model_digest": model,
        "windows": {status.value: watch.statuses[status] for status in ScoreStatus},
        "unscored_for": dict(watch.reasons),
        "delay_s": {f"p{share}": value for share, value in _delays(delays_s)},
    }


def _side_line(model: str, watch: EnsembleWatch, delays_s: FloatArray) -> str:
    parts = [f"{watch.statuses[status]} {status.value}" for status in ScoreStatus]
    why = ", ".join(f"{word} {n}" for word, n in watch.reasons.most_common(3))
    delays = ", ".join(f"p{share} {value:.2f} s" for share, value in _delays(delays_s))
    return f"{model[:16]}: {', '.join(parts)}{f' ({why})' if why else ''}; {delays}"


def _delays(delays_s: FloatArray) -> Iterator[tuple[int, float]]:
    """Yield quantiles of the time from a window's end to its published score."""
    for share in (50, 95):
        yield share, round(float(np.percentile(delays_s, share)), 3)
