"""What comes of a fit: the exported ensemble, its set-point, its card and all figures."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from meltwatch_chassis.whole_file import write_whole
from meltwatch_core.alarms.setpoints.held_level import AlarmRule
from meltwatch_core.alarms.setpoints.threshold import Budget
from meltwatch_schemas.encoder import default_encoder
from meltwatch_schemas.window import PUBLISHED_SPEC

from meltwatch_trainer.data.recorded.enough import HOUR_S, RecordingSize
from meltwatch_trainer.errors import RepositoryError
from meltwatch_trainer.fit.card import FitFacts, card, window_figures
from meltwatch_trainer.fit.plan import FitPlan
from meltwatch_trainer.fit.scored import members_of_all
from meltwatch_trainer.judge.fusion import fit_aggregate
from meltwatch_trainer.judge.judging import JudgingVerdict, Terms
from meltwatch_trainer.judge.left_out import judge_left_out
from meltwatch_trainer.judge.score_sets import joined
from meltwatch_trainer.judge.scores import Scores
from meltwatch_trainer.judge.served_ensemble import ServedEnsemble
from meltwatch_trainer.judge.verdict_document import document
from meltwatch_trainer.network.availability import AVAILABILITY
from meltwatch_trainer.network.steps import Aggregate, ServedAggregate
from meltwatch_trainer.release.ensemble_files import ensemble_files
from meltwatch_trainer.release.export import TOLERANCE
from meltwatch_trainer.release.model_repository import check_repository, write_repository
from meltwatch_trainer.train.study import SHIPPED
from meltwatch_trainer.train.trained import TrainedModel

KIND: Final = "recorded stretches of own furnaces"
OUTPUTS: Final = ("repository", "setpoint.yaml", "card.md", "evaluation.json")
"""What a fit writes, in this order."""
_CHECKED: Final = 4
"""Windows of each recording on which the files are held against the networks."""


@dataclass(frozen=True, slots=True)
class FitResult:
    """A fit at its end.

    Attributes
    ----------
    digest
        Of the exported ensemble.
    refusal
        Why there is no set-point; None if there is one.
    """

    verdict: JudgingVerdict
    digest: str
    refusal: str | None


def write_results(
    plan: FitPlan,
    scores: Sequence[Scores],
    sizes: Sequence[RecordingSize],
    budget: float | None,
    to: Path,
) -> FitResult:
    """Judge, export, check what was exported, and write it all down.

    Parameters
    ----------
    scores
        Of each recording, by members that have not learned from it.
    budget
        False alarms per furnace-day; None claims no set-point.
    to
        Gets ``repository/``, ``card.md``, ``evaluation.json`` and ``setpoint.yaml``.

    Raises
    ------
    ScoresError
        If there is nothing to calibrate on.
    RepositoryError
        If the exported files do not answer as the networks do.
    """
    terms = Terms(AlarmRule(), Budget() if budget is None else Budget(false_alarms=budget))
    verdict = judge_left_out(scores, plan.groups, terms, KIND)
    digest = _export(plan, scores, sizes, to / "repository")
    refusal = "none was asked for" if budget is None else verdict.served_basis.refusal
    result = FitResult(verdict, digest, refusal)
    _write_setpoint(result, to / "setpoint.yaml")
    windows = window_figures(plan.groups, scores)
    facts = FitFacts(sizes, len(plan.groups), digest, refusal, windows)
    write_whole(to / "card.md", card(verdict, facts))
    figures = document(verdict) | {"windows": windows, "digest": digest}
    write_whole(to / "evaluation.json", f"{json.dumps(figures, indent=1, allow_nan=False)}\n")
    return result


def _export(
    plan: FitPlan, scores: Sequence[Scores], sizes: Sequence[RecordingSize], repository: Path
) -> str:
    members = members_of_all(plan)
    aggregate = Aggregate(*fit_aggregate(joined(list(scores)), SHIPPED))
    hours = sum(size.normal_s for size in sizes) / HOUR_S
    faults = sum(size.faults for size in sizes)
    version = hashlib.sha256("".join(member.digest for member in members).encode()).hexdigest()
    described = {
        "model_version": f"fit-{version[:12]}",
        "trained_on": f"{len(sizes)} own recordings, {faults} labelled faults, "
        f"{hours:.1f} hours of normal operation",
    }
    served = {member.name: member.network for member in members}
    files = ensemble_files(served, aggregate, default_encoder(), PUBLISHED_SPEC, described)
    digest = write_repository(repository, files)
    check_repository(repository)
    _check_answers(plan, members, aggregate, repository)
    return digest


def _check_answers(
    plan: FitPlan, members: Sequence[TrainedModel], aggregate: Aggregate, repository: Path
) -> None:
    """Hold the files against the networks, on windows of every recording and state."""
    ensemble = ServedEnsemble(repository, SHIPPED)
    for recording in plan.recordings:
        rows = np.linspace(0, len(recording.labels) - 1, _CHECKED).astype(np.int64)
        seen = recording.furnace.observed(np.unique(rows))
        clips, currents = seen.frames[seen.frame_of], seen.samples[seen.sample_of]
        embeddings = np.stack([default_encoder().encode(clip) for clip in clips])
        if not np.array_equal(ensemble.decode(embeddings), clips):
            raise RepositoryError("fmformer_decode: expected the very pixels back, got others")
        for state in AVAILABILITY.values():
            available = np.tile(np.array(state, dtype=np.float32), (len(clips), 1))
            inputs = [torch.from_numpy(array) for array in (clips, currents, available)]
            outputs: list[torch.Tensor] = []
            with torch.inference_mode():
                for member in members:
                    outputs += member.network(*inputs)
                said = ServedAggregate(aggregate)(inputs[2], *outputs)[0].numpy()
            told = ensemble.score_windows(clips, currents, available)[0]
            worst = float(np.abs(told - said).max())
            if not worst <= TOLERANCE:
                raise RepositoryError(
                    f"{repository}: expected answers within {TOLERANCE} of the networks', "
                    f"got a difference of {worst:.2g}"
                )


def _write_setpoint(result: FitResult, path: Path) -> None:
    """Write the lines of an alarm point, or take an earlier file away."""
    path.unlink(missing_ok=True)
    if result.refusal is not None:
        return
    setpoint = result.verdict.rule.setpoint(round(result.verdict.served.logit_on, 2))
    values = setpoint.model_dump(exclude_none=True)
    lines = [
        f'setpoint_digest: "{result.digest}"',
        f"setpoint: {json.dumps(values)}",
        f'setpoint_basis: "{result.verdict.served_basis.text()}"',
    ]
    write_whole(path, "\n".join(lines) + "\n")
