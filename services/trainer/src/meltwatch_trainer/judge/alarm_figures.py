"""What a row's alarms are worth to people: faults shown, how soon, and false alarms."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from meltwatch_core.alarms.setpoints.bootstrap import (
    FloatArray,
    ratio,
    unit_sums,
    weighted_quantiles,
)
from meltwatch_schemas.alarm_point import Setpoint
from numpy.typing import NDArray

from meltwatch_trainer.judge.alarm_delay import alarms
from meltwatch_trainer.judge.events import match, normal_s
from meltwatch_trainer.judge.scores import Scores

BoolArray = NDArray[np.bool_]

DAY_S: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class AlarmOutcome:
    """Alarms of all runs set against the faults.

    Attributes
    ----------
    delay_s
        Shape ``(f,)``: from each fault's start to its alarm, infinity if it was missed.
    false_s
        Per run, when alarms were raised that no fault explains.
    repeats
        Shape ``(runs,)``: further alarms of faults already shown.
    """

    delay_s: FloatArray
    false_s: tuple[tuple[float, ...], ...]
    repeats: FloatArray

    @property
    def false_alarms(self) -> FloatArray:
        """Return the number of false alarms of each run, shape ``(runs,)``."""
        return np.array([float(len(times_s)) for times_s in self.false_s])

    @property
    def shown(self) -> BoolArray:
        """Return which faults were shown."""
        return np.isfinite(self.delay_s)


def raised_by_rule(
    scores: Scores, logits: FloatArray, setpoints: Sequence[Setpoint]
) -> list[list[float]]:
    """Return when the alarm rule raises, per run, seconds from its origin; not in the warm-up.

    Parameters
    ----------
    setpoints
        One for each run.
    """
    raised = []
    for part, setpoint in zip(scores.runs(), setpoints, strict=True):
        series = zip(scores.end_s[part].tolist(), logits[part].tolist(), strict=True)
        times_s = [alarm.raised_s for alarm in alarms(series, setpoint)]
        raised.append([time_s for time_s in times_s if time_s > 0])
    return raised


def alarm_outcome(scores: Scores, raised: Sequence[Sequence[float]]) -> AlarmOutcome:
    """Match alarms, a sequence of times per run, to faults."""
    delay_s = np.full(len(scores.fault_run), np.inf)
    false_s, repeats = [], []
    for run, times_s in enumerate(raised):
        own = scores.fault_run == run
        matching = match(times_s, scores.fault_start_s[own], scores.fault_end_s[own])
        delay_s[own] = matching.raised_s - scores.fault_start_s[own]
        false_s.append(matching.false_s)
        repeats.append(float(matching.repeats))
    return AlarmOutcome(delay_s, tuple(false_s), np.array(repeats))


def normal_days(scores: Scores) -> FloatArray:
    """Return the days of each run in which an alarm would be false, shape ``(runs,)``."""
    own = [scores.fault_run == run for run in range(len(scores.furnaces))]
    spans = [(scores.fault_start_s[faults], scores.fault_end_s[faults]) for faults in own]
    lengths_s = scores.durations_s.tolist()
    normal = [normal_s(length, *span) for length, span in zip(lengths_s, spans, strict=True)]
    return np.array(normal) / DAY_S


def fault_kinds(scores: Scores) -> Mapping[str, BoolArray]:
    """Return which faults are of a kind; a misty one may be silent too, a plain one is neither."""
    misty, veiled, silent = scores.fault_misty, scores.fault_veiled, scores.fault_silent
    plain = ~(misty | veiled | silent)
    return {"plain": plain, "misty": misty, "veiled": veiled, "silent": silent}


def alarm_figures(
    scores: Scores, outcome: AlarmOutcome, weights: FloatArray
) -> dict[str, FloatArray]:
    """Return the figures of an outcome, each ``(sets,)``, for sets of weights of the runs.

    Delays are over all faults, a missed one at infinity: nothing is gained by missing slow ones.
    """
    drawn = weights[:, scores.fault_run]
    groups = {"recall": np.ones(len(outcome.delay_s), dtype=bool)}
    groups |= {f"recall_{kind}": own for kind, own in fault_kinds(scores).items()}
    figures = {
        name: ratio(drawn[:, own] @ outcome.shown[own], drawn[:, own].sum(axis=1))
        for name, own in groups.items()
    }
    figures["false_per_day"] = ratio(weights @ outcome.false_alarms, weights @ normal_days(scores))
    raised = outcome.false_alarms + outcome.repeats
    raised += unit_sums(outcome.shown, scores.fault_run, len(scores.furnaces))
    days = weights @ scores.durations_s / DAY_S
    figures["alarms_per_day"] = weights @ raised / days
    for name, share in (("delay_median_s", 0.5), ("delay_p95_s", 0.95)):
        figures[name] = weighted_quantiles(outcome.delay_s, drawn, share)
    return figures


def delay_curve(outcome: AlarmOutcome, within_s: FloatArray) -> FloatArray:
    """Return the share of all faults that were shown within each time, same shape."""
    return np.array((outcome.delay_s[:, None] <= within_s).mean(axis=0))


def random_raises(scores: Scores, per_day: float, seed: int = 1) -> list[list[float]]:
    """Return alarms at random times, so many per furnace-day: what chance would show."""
    rng = np.random.default_rng(seed)
    counts = rng.poisson(per_day * scores.durations_s / DAY_S)
    lengths = zip(scores.durations_s.tolist(), counts, strict=True)
    return [np.sort(rng.uniform(0, length_s, count)).tolist() for length_s, count in lengths]


def constant_raises(scores: Scores, every_s: float) -> list[list[float]]:
    """Return alarms as often as a rule could raise them at all."""
    return [np.arange(every_s, length_s, every_s).tolist() for length_s in scores.durations_s]
