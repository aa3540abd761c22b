"""The study's models, small enough for unit tests."""

from dataclasses import replace

from meltwatch_trainer.network.member_spec import MemberSpec
from meltwatch_trainer.train.study import StudyModel
from meltwatch_trainer.train.training_plan import TrainingPlan

SMALL_PLAN = TrainingPlan(seed=7, windows_seen=24, batch=4)


def small(model: StudyModel) -> StudyModel:
    """Return a model of the study at a small width and depth, with a short training."""
    spec = replace(model.spec, width=12, depth=2, heads=3)
    if isinstance(spec, MemberSpec):
        spec = replace(spec, decoder_widths=(4, 4, 4))
    plan = replace(model.plan, windows_seen=SMALL_PLAN.windows_seen, batch=SMALL_PLAN.batch)
    return StudyModel(model.name, spec, plan)
