"""From weights and scores to a model repository, and back to proof that the repository is good."""

from pathlib import Path
from textwrap import wrap
from typing import Final

import numpy as np
from meltwatch_core.alarms.setpoints.held_level import AlarmRule
from meltwatch_core.alarms.setpoints.threshold import Budget
from meltwatch_schemas.alarm_point import Setpoint
from meltwatch_schemas.encoder import default_encoder
from meltwatch_schemas.window import PUBLISHED_SPEC

from meltwatch_trainer.data.run_sets import CALIBRATION
from meltwatch_trainer.errors import RepositoryError, ScoresError
from meltwatch_trainer.judge.fusion import fit_aggregate
from meltwatch_trainer.judge.row_calibration import calibrate, served_basis, served_judge
from meltwatch_trainer.judge.score_sets import scored_weights, scores_path
from meltwatch_trainer.judge.scores_file import read_scores
from meltwatch_trainer.judge.served_ensemble import ServedEnsemble
from meltwatch_trainer.network.steps import Aggregate
from meltwatch_trainer.release.ensemble_files import ensemble_files
from meltwatch_trainer.release.model_repository import check_repository, write_repository
from meltwatch_trainer.release.reference import (
    OUTPUTS,
    pooled,
    read_reference,
    reference_windows,
    write_reference,
)
from meltwatch_trainer.settings import Settings
from meltwatch_trainer.train.study import SHIPPED, study_model
from meltwatch_trainer.train.trained import TrainedModel, trained_model

MODEL_VERSION: Final = "0.2.0"
TRAINED_ON: Final = "simulated furnaces only"
TOLERANCE: Final = 1e-3
"""Largest difference between a server's answer and PyTorch's, on logits and map."""
_WIDTH: Final = 90
_MODULE: Final = '''"""The set-point where nobody has written one; generated with the models.

``meltwatch-trainer export`` writes this file: change it there.
"""

from typing import Final

from meltwatch_schemas.alarm_point import Setpoint

DEFAULT_SETPOINT: Final = Setpoint({values})

BASIS: Final = (
{basis}
)
"""What the threshold rests on, for an alarm point's ``setpoint_basis``."""

MODEL_DIGEST: Final = "{digest}"
"""Digest of the ensemble whose log-odds it belongs to."""
'''


def export(settings: Settings, repository: Path, reference: Path) -> str:
    """Calibrate the shipped members, write repository and reference; return the digest.

    Raises
    ------
    UnfinishedTrainingError
        If a member has not finished.
    ScoresError
        If the calibration furnaces are not scored with these very weights.
    """
    members = [trained_model(settings.models, study_model(name)) for name in SHIPPED]
    aggregate = _calibrated(settings, members)
    described = {
        "model_version": MODEL_VERSION,
        "trained_on": f"{TRAINED_ON}, seed {settings.seed}",
    }
    served = {member.name: member.network for member in members}
    files = ensemble_files(served, aggregate, default_encoder(), PUBLISHED_SPEC, described)
    write_reference(reference, list(served.values()), aggregate)
    return write_repository(repository, files)


def write_default_setpoint(settings: Settings, digest: str, path: Path) -> str:
    """Choose the default set-point on the calibration furnaces and write it as a module.

    Parameters
    ----------
    digest
        Of the ensemble that it is for.

    Returns
    -------
    What it rests on, in one line.
    """
    rule = AlarmRule()
    judges = calibrate(read_scores(scores_path(settings, CALIBRATION.name)), rule, Budget())
    basis = served_basis(judges).text()
    setpoint = rule.setpoint(round(served_judge(judges).logit_on, 2))
    write_setpoint(path, setpoint, basis, digest)
    return basis


def _calibrated(settings: Settings, members: list[TrainedModel]) -> Aggregate:
    path = scores_path(settings, CALIBRATION.name)
    scored = scored_weights(path)
    if stale := [m.name for m in members if scored.get(m.name) != m.digest]:
        raise ScoresError(
            f"{path}: expected scores by the weights in {settings.models}, found others of "
            f"{', '.join(stale)}; score again"
        )
    return Aggregate(*fit_aggregate(read_scores(path), SHIPPED))


def verify_files(repository: Path, reference: Path) -> float:
    """Check digest and answers of a repository; return the largest difference seen.

    Raises
    ------
    RepositoryError
        If the files are not those of the digest, or answer otherwise than PyTorch did.
    """
    check_repository(repository)
    ensemble = ServedEnsemble(repository, SHIPPED)
    frozen = read_reference(reference)
    clips, currents = reference_windows(frozen)
    embeddings = np.stack([default_encoder().encode(clip) for clip in clips])
    if not np.array_equal(ensemble.decode(embeddings), clips):
        raise RepositoryError("fmformer_decode: expected the very pixels back, got others")
    outputs = ensemble.score_windows(clips, currents, frozen["available"])
    answers = dict(zip(OUTPUTS, outputs, strict=True))
    answers["anomaly_map"] = pooled(answers["anomaly_map"])
    worst = max(float(np.abs(answers[name] - frozen[name]).max()) for name in OUTPUTS)
    if worst > TOLERANCE:
        raise RepositoryError(
            f"{repository}: expected answers within {TOLERANCE} of "
            f"{reference}, got a difference of {worst:.2g}; export again"
        )
    return worst


def write_setpoint(path: Path, setpoint: Setpoint, basis: str, digest: str) -> None:
    """Write the module.

    Parameters
    ----------
    basis
        One line: what the threshold rests on.
    digest
        Of the ensemble that the threshold belongs to.
    """
    values = setpoint.model_dump(exclude_none=True)
    lines = wrap(basis, _WIDTH, drop_whitespace=False)
    text = _MODULE.format(
        values=", ".join(f"{name}={round(value, 2)}" for name, value in values.items()),
        basis="\n".join(f'    "{line}"' for line in lines),
        digest=digest,
    )
    path.write_text(text)
