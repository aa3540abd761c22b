"""From checkpoints to a model repository, and back to proof that the repository is good."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import torch
from meltwatch_schemas.encoder import default_encoder
from meltwatch_schemas.window import PUBLISHED_SPEC

from meltwatch_trainer.adapters.memory import keep_freed_memory
from meltwatch_trainer.adapters.model_repository import check_repository, write_repository
from meltwatch_trainer.adapters.onnx_export import round_weights
from meltwatch_trainer.adapters.served_ensemble import ServedEnsemble
from meltwatch_trainer.calibration import calibrated_aggregate
from meltwatch_trainer.dataset import cached_windows
from meltwatch_trainer.domain.members import SHIPPED_MEMBERS
from meltwatch_trainer.domain.windows import CALIBRATION
from meltwatch_trainer.errors import RepositoryError, UnfinishedTrainingError
from meltwatch_trainer.export import ensemble_files
from meltwatch_trainer.member_processes import checkpoint_path
from meltwatch_trainer.network.member import Member
from meltwatch_trainer.network.steps import ServedMember
from meltwatch_trainer.reference import write_reference
from meltwatch_trainer.settings import Settings

MODEL_VERSION: Final = "0.1.0"
TRAINED_ON: Final = "simulated furnaces only"
TOLERANCE: Final = 1e-3
"""Largest difference between a server's answer and PyTorch's, on logits and map."""
LETTERS: Final = tuple(spec.name for spec in SHIPPED_MEMBERS)

Progress = Callable[[int, int], None]


def export(settings: Settings, progress: Progress) -> str:
    """Calibrate the trained members, write repository and reference; return the digest."""
    keep_freed_memory()
    members = trained_members(settings)
    windows = cached_windows(settings.work, settings.seed, CALIBRATION, progress)
    aggregate = calibrated_aggregate(members, windows)
    described = {
        "model_version": MODEL_VERSION,
        "trained_on": f"{TRAINED_ON}, seed {settings.seed}",
    }
    served = {member.spec.name: ServedMember(member) for member in members}
    files = ensemble_files(served, aggregate, default_encoder(), PUBLISHED_SPEC, described)
    write_reference(settings.reference, windows, members, aggregate)
    return write_repository(settings.repository, files)


def trained_members(settings: Settings) -> list[Member]:
    """Return the members at the end of their training, weights rounded as they are exported.

    Raises
    ------
    UnfinishedTrainingError
        If a member has no checkpoint, or one that is not at its last step.
    """
    members = []
    for spec in SHIPPED_MEMBERS:
        path = checkpoint_path(settings, spec)
        if not path.exists():
            raise UnfinishedTrainingError(
                f"{path}: expected a checkpoint, found none; run train first"
            )
        saved = torch.load(path, weights_only=True)
        done, steps, _ = saved["progress"]
        if done < steps:
            raise UnfinishedTrainingError(
                f"{path}: expected {steps} steps of training, found {done}; run train again"
            )
        member = Member(spec)
        member.load_state_dict(saved["member"])
        round_weights(member)
        members.append(member.eval())
    return members


def verify_files(repository: Path, reference: Path) -> float:
    """Check digest and answers of a repository; return the largest difference seen.

    Raises
    ------
    RepositoryError
        If the files are not those of the digest, or answer otherwise than PyTorch did.
    """
    check_repository(repository)
    ensemble = ServedEnsemble(repository, LETTERS)
    frozen = np.load(reference)
    clips = frozen["clips"][frozen["clip_of_case"]]
    embeddings = np.stack([default_encoder().encode(clip) for clip in clips])
    if not np.array_equal(ensemble.decode(embeddings), clips):
        raise RepositoryError("fmformer_decode: expected the very pixels back, got others")
    currents = frozen["currents"][frozen["clip_of_case"]]
    answers = ensemble.score(clips, currents, frozen["available"])
    names = ("logit", "member_logits", "disagreement", "anomaly_map")
    worst = max(
        float(np.abs(answer - frozen[name]).max())
        for name, answer in zip(names, answers, strict=True)
    )
    if worst > TOLERANCE:
        raise RepositoryError(
            f"{repository}: expected answers within {TOLERANCE} of "
            f"{reference}, got a difference of {worst:.2g}; export again"
        )
    return worst
