"""What is trained: the shipped members, the published network, and member a less one thing each.

All see equally many windows, so that their results compare like with like.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from meltwatch_trainer.network.member_spec import MemberSpec
from meltwatch_trainer.network.published.spec import FmFormerSpec
from meltwatch_trainer.train.training_plan import TrainingPlan

_APART: Final = 1000


@dataclass(frozen=True, slots=True)
class StudyModel:
    """One network to train.

    Parameters
    ----------
    name
        Names its files, its scores and its row; a shipped member's is its letter.
    spec
        Its shape: ours, or the published one.
    plan
        How it learns.
    begin
        File of weights to go on from; None begins with fresh ones. Which file it is tells the
        folder of the training, not the model's description.
    """

    name: str
    spec: MemberSpec | FmFormerSpec
    plan: TrainingPlan
    begin: Path | None = field(default=None, repr=False)

    def scaled(self, scale: float) -> "StudyModel":
        """Return the same model with a shorter training, for a quick look."""
        return replace(self, plan=self.plan.scaled(scale))

    def repeated(self, number: int) -> "StudyModel":
        """Return the same model, trained with other random numbers; with 0 it is the same."""
        return replace(self, plan=replace(self.plan, seed=self.plan.seed + _APART * number))


_A: Final = MemberSpec(width=48, depth=3, heads=3, frames_per_token=5, samples_per_token=4)
"""Half a clip and two seconds of currents per token: what two cores can train in minutes."""

_B: Final = MemberSpec(
    width=48, depth=3, heads=3, frames_per_token=10, samples_per_token=2, dilated=False
)
"""The whole clip per token, and the currents second by second."""

_C: Final = MemberSpec(
    width=64, depth=3, heads=4, frames_per_token=10, samples_per_token=8, cross=False
)
"""The whole clip and four seconds of currents per token; the streams meet at their heads only."""

_PUBLISHED: Final = FmFormerSpec(
    segments=True,
    width=_A.width,
    depth=_A.depth,
    heads=_A.heads,
    decoder_widths=_A.decoder_widths,
)
"""The published network with both heads and its own tokenisation, of member a's size."""

_PLAN_A: Final = TrainingPlan(seed=11)
_ALONE: Final = replace(_PLAN_A, modality_dropout=0.0)

_PUBLISHED_PLAN: Final = TrainingPlan(44, modality_dropout=0.0, pixel_weight=1.0, pixel_scale=1.0)
"""The published loss; the published network knows no lost modality."""

STUDY: Final = (
    StudyModel("a", _A, _PLAN_A),
    StudyModel("b", _B, TrainingPlan(seed=22)),
    StudyModel("c", _C, TrainingPlan(seed=33)),
    StudyModel("faithful", _PUBLISHED, _PUBLISHED_PLAN),
    StudyModel("no_levels", replace(_A, levels=False), _PLAN_A),
    StudyModel("no_dilated", replace(_A, dilated=False), _PLAN_A),
    StudyModel("no_cross", replace(_A, cross=False), _PLAN_A),
    StudyModel("video_only", replace(_A, modality="video"), _ALONE),
    StudyModel("current_only", replace(_A, modality="current"), replace(_ALONE, pixel_scale=0.0)),
)

SHIPPED: Final = ("a", "b", "c")
"""Names of the ensemble's members, in order."""


def study_model(name: str) -> StudyModel:
    """Return the model of a name."""
    return next(model for model in STUDY if model.name == name)
