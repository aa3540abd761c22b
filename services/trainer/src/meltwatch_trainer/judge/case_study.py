"""Best and worst cases of what is served, simulated again and shown to the ensemble again."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from meltwatch_core.alarms.setpoints.bootstrap import FloatArray

from meltwatch_trainer.data.run_sets import RunSet
from meltwatch_trainer.data.simulated_runs import simulated_run
from meltwatch_trainer.judge.alarm_figures import AlarmOutcome, alarm_outcome, raised_by_rule
from meltwatch_trainer.judge.case_pictures import CasePicture, draw_cases
from meltwatch_trainer.judge.judging import JudgingVerdict
from meltwatch_trainer.judge.scores import Scores
from meltwatch_trainer.judge.served_ensemble import ServedEnsemble
from meltwatch_trainer.settings import Settings

OF_EACH: Final = 2


@dataclass(frozen=True, slots=True)
class Case:
    """One window that is worth a look.

    Attributes
    ----------
    title
        What it shows.
    run
        Index of the furnace.
    window
        Index of the window among those of all runs.
    """

    title: str
    run: int
    window: int


def choose_cases(scores: Scores, logits: FloatArray, outcome: AlarmOutcome) -> tuple[Case, ...]:
    """Return the faults shown soonest and last, missed ones, and false alarms: two of each.

    Of the missed the longest are taken, of the false alarms those with the highest logit.

    Parameters
    ----------
    logits
        Shape ``(n,)``, fused.
    outcome
        What its alarms came to.
    """
    order = np.argsort(outcome.delay_s, kind="stable")
    shown = order[outcome.shown[order]]
    soonest, last = shown[:OF_EACH], shown[::-1][: min(OF_EACH, max(0, len(shown) - OF_EACH))]
    lengths_s = scores.fault_end_s - scores.fault_start_s
    missed = np.flatnonzero(~outcome.shown)
    longest = missed[np.argsort(-lengths_s[missed], kind="stable")][:OF_EACH]
    return (
        *(_shown(scores, outcome, fault) for fault in soonest.tolist()),
        *(_shown(scores, outcome, fault) for fault in last.tolist()),
        *(_missed(scores, logits, fault) for fault in longest.tolist()),
        *_false(scores, logits, outcome),
    )


def _shown(scores: Scores, outcome: AlarmOutcome, fault: int) -> Case:
    run, delay_s = int(scores.fault_run[fault]), float(outcome.delay_s[fault])
    raised_s = float(scores.fault_start_s[fault]) + delay_s
    title = f"shown after {delay_s:.0f} s{_kind(scores, fault)}"
    return Case(title, run, _window_at(scores, run, raised_s))


def _missed(scores: Scores, logits: FloatArray, fault: int) -> Case:
    run = int(scores.fault_run[fault])
    start_s, end_s = scores.fault_start_s[fault], scores.fault_end_s[fault]
    within = (scores.run == run) & (scores.end_s >= start_s) & (scores.end_s <= end_s)
    window = int(np.argmax(np.where(within, logits, -np.inf)))
    return Case(f"missed, {end_s - start_s:.0f} s long{_kind(scores, fault)}", run, window)


def _false(scores: Scores, logits: FloatArray, outcome: AlarmOutcome) -> list[Case]:
    moments = [
        (run, _window_at(scores, run, raised_s))
        for run, times_s in enumerate(outcome.false_s)
        for raised_s in times_s
    ]
    highest = sorted(moments, key=lambda moment: -logits[moment[1]])[:OF_EACH]
    return [Case("false alarm", run, window) for run, window in highest]


def _kind(scores: Scores, fault: int) -> str:
    kinds = {
        "heavy mist": scores.fault_misty,
        "veiled": scores.fault_veiled,
        "silent": scores.fault_silent,
    }
    return "".join(f", {kind}" for kind, of_kind in kinds.items() if of_kind[fault])


def _window_at(scores: Scores, run: int, time_s: float) -> int:
    """Return the last window of a run that has ended by then."""
    return int(np.flatnonzero((scores.run == run) & (scores.end_s <= time_s + 1e-6))[-1])


@dataclass(frozen=True, slots=True)
class ScoredRuns:
    """A set of runs as it was scored.

    Attributes
    ----------
    settings
        What it was simulated with.
    """

    settings: Settings
    runs: RunSet
    scores: Scores


def draw_best_and_worst(
    path: Path, scored: ScoredRuns, verdict: JudgingVerdict, ensemble: ServedEnsemble
) -> None:
    """Draw the cases of a set of runs as one picture; takes seconds for each of them."""
    scores, served = scored.scores, verdict.served
    logits = served.fusion.logits(scores)
    raised = raised_by_rule(scores, logits, served.setpoints(scores, verdict.rule))
    cases = choose_cases(scores, logits, alarm_outcome(scores, raised))
    draw_cases(path, [_picture(scored, logits, case, ensemble) for case in cases], served.logit_on)


def _picture(
    scored: ScoredRuns, logits: FloatArray, case: Case, ensemble: ServedEnsemble
) -> CasePicture:
    settings, scores = scored.settings, scored.scores
    run = simulated_run(settings.seed, scored.runs, settings.every, case.run)
    own = scores.run == case.run
    window = case.window - int(np.argmax(own))
    clip = run.seen.frames[run.seen.frame_of[window]]
    currents = run.seen.samples[run.seen.sample_of[window]]
    answer = ensemble.score_windows(clip[None], currents[None], np.ones((1, 2), dtype=np.float32))
    end_s = scores.end_s[case.window]
    return CasePicture(
        title=case.title,
        frame=clip[-1],
        mask=np.unpackbits(run.drawn_masks[window], axis=-1),
        anomaly_map=answer[3][0],
        currents=currents,
        since_s=scores.end_s[own] - end_s,
        logits=logits[own],
        faults_s=[
            (start_s - end_s, stop_s - end_s)
            for number, start_s, stop_s in scores.faults()
            if number == case.run
        ],
    )
