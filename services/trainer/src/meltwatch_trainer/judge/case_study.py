"""Best and worst cases of what is served, simulated again and shown to the ensemble again."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from meltwatch_core.alarms.setpoints.bootstrap import FloatArray

from meltwatch_trainer.data.run_sets import RunSet
from meltwatch_trainer.data.simulated_runs import simulated_run
from meltwatch_trainer.judge.alarm_figures import alarm_outcome, raised_by_rule
from meltwatch_trainer.judge.case_pictures import CasePicture, draw_cases
from meltwatch_trainer.judge.cases import Case, choose_cases
from meltwatch_trainer.judge.judging import Verdict
from meltwatch_trainer.judge.scores import Scores
from meltwatch_trainer.judge.served_ensemble import ServedEnsemble
from meltwatch_trainer.settings import Settings


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
    path: Path, scored: ScoredRuns, verdict: Verdict, ensemble: ServedEnsemble
) -> None:
    """Draw the cases of a set of runs as one picture; takes seconds for each of them."""
    scores, served = scored.scores, verdict.served
    logits = served.fusion.logits(scores)
    raised = raised_by_rule(scores, logits, verdict.rule.setpoint(served.logit_on))
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
    answer = ensemble.score(clip[None], currents[None], np.ones((1, 2), dtype=np.float32))
    end_s = scores.end_s[case.window]
    return CasePicture(
        title=case.title,
        frame=clip[-1],
        mask=np.unpackbits(run.masks[window], axis=-1),
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
