"""Roughly how long the study takes, from what was seen on one machine each."""

from collections.abc import Sequence
from typing import Final

from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC

from meltwatch_trainer.settings import Settings
from meltwatch_trainer.train.study import STUDY, StudyModel

# Processor seconds, seen on a machine of two cores: for a window to learn from, and to simulate,
# to learn or to answer it with all models of the study.
SIMULATED_S: Final = 0.01
LEARNT_S: Final = 0.15
ANSWERED_S: Final = 0.1


def estimated_hours(settings: Settings, unfinished: Sequence[StudyModel]) -> float:
    """Return the hours that simulating, training and scoring may take on CPUs.

    Parameters
    ----------
    unfinished
        Models to train; without any, nothing is simulated to learn from.
    """
    seen = sum(model.scaled(settings.scale).plan.windows_seen for model in unfinished) / len(STUDY)
    simulated = settings.training.size if unfinished else 0
    hop_s = settings.every * PUBLISHED_SPEC.hop_ns / NS_PER_S
    windows = sum(runs.furnaces * runs.duration_s / hop_s for runs in settings.run_sets)
    work_s = simulated * SIMULATED_S + seen * LEARNT_S + windows * ANSWERED_S
    return work_s / settings.workers / 3600


def outlook(settings: Settings, unfinished: Sequence[StudyModel], device: str, name: str) -> str:
    """Return one line for people: what is left to do, on what, and for roughly how long."""
    left = f"{len(unfinished)} models to train, then to score and to judge"
    if device == "cuda":
        return f"{left}: on {name}; an H100 with 16 processors took 7 minutes"
    return f"{left}: roughly {estimated_hours(settings, unfinished):.1f} hours without a GPU"
