"""The steps that make a repository of weights and scores, and judge both."""

import hashlib
import shutil
from pathlib import Path
from typing import Final

import numpy as np
from meltwatch_chassis.terminal import print_line
from meltwatch_schemas.default_setpoint import DEFAULT_SETPOINT
from meltwatch_schemas.encoder import default_encoder
from meltwatch_schemas.window import PUBLISHED_SPEC
from rich.console import Console

from meltwatch_trainer.errors import WeightsError
from meltwatch_trainer.judge.evaluation import Outputs, evaluate, write_repeats
from meltwatch_trainer.judge.served_ensemble import ServedEnsemble
from meltwatch_trainer.network.availability import AVAILABILITY
from meltwatch_trainer.network.published.served import ServedFmFormer
from meltwatch_trainer.network.published.weights import load_fmformer
from meltwatch_trainer.network.steps import Aggregate
from meltwatch_trainer.release.acceptance import demo_runs, long_runs, verdict
from meltwatch_trainer.release.ensemble_files import ensemble_files
from meltwatch_trainer.release.export import export, verify_files, write_default_setpoint
from meltwatch_trainer.release.model_repository import write_repository
from meltwatch_trainer.settings import Settings
from meltwatch_trainer.train.progress import shown_steps
from meltwatch_trainer.train.study import SHIPPED

JUDGEMENT: Final = Outputs(
    page=Path("docs/models.md"),
    images=Path("docs/images/models"),
    document=Path("triton_models/evaluation.json"),
)
SETPOINT: Final = Path("schemas/src/meltwatch_schemas/default_setpoint.py")
HELD_OUT_SEED: Final = 500_000
"""First seed of the verified runs: far from the training seeds that anybody would name."""
LONG_RUN_MINUTES: Final = 12.0

LETTER: Final = "a"
MODEL_VERSION: Final = "published"


def export_study(settings: Settings, repository: Path, reference: Path) -> None:
    """Calibrate the members; write the model repository and the default set-point."""
    digest = export(settings, repository, reference)
    print_line(f"wrote {repository}, digest {digest}")
    setpoint = settings.work / SETPOINT.name if settings.is_trial else SETPOINT
    basis = write_default_setpoint(settings, digest, setpoint)
    print_line(f"wrote {setpoint}: {basis}")


def judge_study(settings: Settings, repository: Path) -> None:
    """Judge everything that was scored, and write tables, figures and document."""
    outputs = _outputs(settings)
    found = evaluate(settings, repository, outputs)
    print_line(f"wrote {outputs.page}, {outputs.images}, {outputs.document}")
    print_line(f"one threshold for all states: {found.served_basis.text()}")


def _outputs(settings: Settings) -> Outputs:
    """Return where the judgement goes: a trial's beside its scores."""
    if not settings.is_trial:
        return JUDGEMENT
    page = settings.work / JUDGEMENT.page.name
    shutil.copy(JUDGEMENT.page, page)
    return Outputs(page, settings.work / "images", settings.work / JUDGEMENT.document.name)


def compare_repeats(settings: Settings) -> None:
    """Compare the study with its repetitions, and write the table."""
    page = _outputs(settings).page
    count = write_repeats(settings, page)
    print_line(f"wrote {page}: {count} trainings of each network")


def verify_repository(repository: Path, reference: Path, seeds: int, console: Console) -> bool:
    """Print the results of a repository's files, answers, demo runs and hours of operation.

    Returns
    -------
    Whether every fault was shown and nothing else was.
    """
    worst = verify_files(repository, reference)
    print_line(f"files match their digest; answers within {worst:.1g} of PyTorch's")
    ensemble = ServedEnsemble(repository, SHIPPED)
    numbers = range(HELD_OUT_SEED, HELD_OUT_SEED + seeds)
    with shown_steps("demo runs", console) as show:
        demo = verdict(demo_runs(ensemble, numbers, ("both",), show), DEFAULT_SETPOINT)
    print_line(f"demo: {demo.line()}")
    with shown_steps("hours of operation", console) as show:
        runs = long_runs(ensemble, numbers, LONG_RUN_MINUTES, tuple(AVAILABILITY), show)
    for column, state in enumerate(AVAILABILITY):
        print_line(f"operation, {state}: {verdict(runs, DEFAULT_SETPOINT, column).line()}")
    return demo.accepted and verdict(runs, DEFAULT_SETPOINT).accepted


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
