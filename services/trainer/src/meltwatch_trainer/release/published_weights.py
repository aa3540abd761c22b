"""From a file of published weights to an ensemble of one member that Triton serves."""

import hashlib
from pathlib import Path
from typing import Final

import numpy as np
from meltwatch_schemas.encoder import default_encoder
from meltwatch_schemas.window import PUBLISHED_SPEC

from meltwatch_trainer.errors import WeightsError
from meltwatch_trainer.network.availability import AVAILABILITY
from meltwatch_trainer.network.published.served import ServedFmFormer
from meltwatch_trainer.network.published.weights import load_fmformer
from meltwatch_trainer.network.steps import Aggregate
from meltwatch_trainer.release.ensemble_files import ensemble_files
from meltwatch_trainer.release.model_repository import write_repository

LETTER: Final = "a"
MODEL_VERSION: Final = "published"


def export_weights(weights: Path, repository: Path) -> str:
    """Write the ensemble of a file of weights; return its digest.

    The weights are exported as they are, in float32. The aggregate passes their log-odds through:
    calibrating them needs recordings of the furnaces that they were trained for.

    Raises
    ------
    WeightsError
        If the file's keys are not the published ones, or its clips are not those of the windows.
    """
    network = load_fmformer(weights)
    if network.spec.frames != PUBLISHED_SPEC.clip_frames:
        raise WeightsError(
            f"{weights}: expected weights for clips of {PUBLISHED_SPEC.clip_frames} frames, as the "
            f"windows have, got {network.spec.frames}"
        )
    sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()
    described = {
        "model_version": MODEL_VERSION,
        "trained_on": f"unknown, weights of SHA-256 {sha256}, not calibrated",
    }
    members = {LETTER: ServedFmFormer(network)}
    files = ensemble_files(
        members, _uncalibrated(len(members)), default_encoder(), PUBLISHED_SPEC, described
    )
    return write_repository(repository, files)


def _uncalibrated(members: int) -> Aggregate:
    table = np.ones((len(AVAILABILITY), members + 1), dtype=np.float32)
    return Aggregate(scale=table, shift=np.zeros_like(table))
