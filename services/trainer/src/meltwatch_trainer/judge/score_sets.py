"""Score whole sets of runs: simulated in processes aside, answered on the device, resumable."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import torch
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC
from meltwatch_simulator import SIMULATOR_REVISION

from meltwatch_trainer.data.furnace_run import FurnaceRun, span_s
from meltwatch_trainer.data.process_pool import in_processes
from meltwatch_trainer.data.run_sets import RunSet
from meltwatch_trainer.data.simulated_runs import simulated_run
from meltwatch_trainer.errors import ScoresError
from meltwatch_trainer.judge.scores import Scores
from meltwatch_trainer.judge.scores_file import read_scores, write_scores
from meltwatch_trainer.judge.scoring import Answers, answers
from meltwatch_trainer.settings import Settings
from meltwatch_trainer.train.trained import TrainedModel, trained_models

Progress = Callable[[int, int], None]
FORM: Final = 2
"""Of the files of scores: those of an older one are not read."""


def score_set(settings: Settings, runs: RunSet, device: torch.device, progress: Progress) -> Path:
    """Score a set of runs with every finished model; return the file of scores.

    Furnaces that these very weights have been scored on are not scored again.

    Parameters
    ----------
    progress
        Is called with furnaces done and furnaces in all.
    """
    models = trained_models(settings.models)
    for model in models:
        model.network.to(device)
    made_from = json.dumps(_made_from(settings, runs, models), sort_keys=True)
    folder = settings.scores / f"{runs.name}-{hashlib.sha256(made_from.encode()).hexdigest()[:12]}"
    parts = [folder / f"{number:04d}.npz" for number in range(runs.furnaces)]
    missing = [number for number, part in enumerate(parts) if not part.exists()]
    progress(len(parts) - len(missing), len(parts))
    simulate = partial(simulated_run, settings.seed, runs, settings.every)
    simulated = in_processes(simulate, missing, settings.workers)
    hop_s = settings.every * PUBLISHED_SPEC.hop_ns / NS_PER_S
    for done, (number, run) in enumerate(
        zip(missing, simulated, strict=True), start=len(parts) - len(missing) + 1
    ):
        write_scores(parts[number], run_scores(run, hop_s, models, device))
        progress(done, len(parts))
    path = scores_path(settings, runs.name)
    write_scores(path, joined([read_scores(part) for part in parts]))
    path.with_suffix(".json").write_text(made_from)
    return path


def scores_path(settings: Settings, name: str) -> Path:
    """Return the file of scores of a set of runs."""
    return settings.scores / f"{name}.npz"


def scored_weights(path: Path) -> Mapping[str, str]:
    """Return which weights a file of scores was made with: SHA-256 by model.

    Raises
    ------
    ScoresError
        If nothing tells.
    """
    try:
        weights: Mapping[str, str] = json.loads(path.with_suffix(".json").read_text())["weights"]
    except OSError as error:
        raise ScoresError(f"{path}: expected scores: {error.strerror}; score first") from error
    return weights


def joined(parts: Sequence[Scores]) -> Scores:
    """Return the scores of several sets of furnaces as those of one; keys are those of all."""
    runs = np.cumsum([0, *(len(part.furnaces) for part in parts[:-1])])

    def concatenated(field: str) -> np.ndarray:
        return np.concatenate([getattr(part, field) for part in parts])

    def shifted(field: str) -> np.ndarray:
        shifts = zip(parts, runs, strict=True)
        return np.concatenate([getattr(part, field) + first for part, first in shifts])

    def shared(field: str) -> list[str]:
        return [
            key for key in getattr(first, field) if all(key in getattr(p, field) for p in parts)
        ]

    first = parts[0]
    return Scores(
        furnaces=tuple(name for part in parts for name in part.furnaces),
        durations_s=concatenated("durations_s"),
        hop_s=first.hop_s,
        run=shifted("run").astype(np.int32),
        end_s=concatenated("end_s"),
        label=concatenated("label"),
        logits={
            key: np.concatenate([part.logits[key] for part in parts]) for key in shared("logits")
        },
        pixels={
            key: np.concatenate([part.pixels[key] for part in parts]) for key in shared("pixels")
        },
        fault_run=shifted("fault_run").astype(np.int32),
        fault_start_s=concatenated("fault_start_s"),
        fault_end_s=concatenated("fault_end_s"),
        fault_misty=concatenated("fault_misty"),
        fault_veiled=concatenated("fault_veiled"),
        fault_silent=concatenated("fault_silent"),
    )


def run_scores(
    run: FurnaceRun, hop_s: float, models: Sequence[TrainedModel], device: torch.device
) -> Scores:
    """Score one run; the models are on the device."""
    return scores_of(run, hop_s, answers(run, models, device))


def scores_of(run: FurnaceRun, hop_s: float, said: Answers) -> Scores:
    """Return what was said about one run beside the truth."""
    spans = np.array([span_s(fault, run.origin_ns) for fault in run.faults]).reshape(-1, 2)
    return Scores(
        furnaces=(run.furnace_id,),
        durations_s=np.array([run.duration_s]),
        hop_s=hop_s,
        run=np.zeros(len(run.labels), dtype=np.int32),
        end_s=(run.seen.ends_ns - run.origin_ns) / NS_PER_S,
        label=run.labels,
        logits=said.logits,
        pixels={key: counts[None] for key, counts in said.pixels.items()},
        fault_run=np.zeros(len(run.faults), dtype=np.int32),
        fault_start_s=spans[:, 0],
        fault_end_s=spans[:, 1],
        fault_misty=np.array([fault.heavy_mist for fault in run.faults], dtype=np.bool_),
        fault_veiled=np.array([fault.veiled for fault in run.faults], dtype=np.bool_),
        fault_silent=np.array([fault.silent for fault in run.faults], dtype=np.bool_),
    )


def _made_from(
    settings: Settings, runs: RunSet, models: Sequence[TrainedModel]
) -> dict[str, object]:
    """Return everything that scores depend on."""
    return {
        "form": FORM,
        "seed": settings.seed,
        "runs": asdict(runs),
        "every": settings.every,
        "spec_id": PUBLISHED_SPEC.spec_id,
        "simulator": SIMULATOR_REVISION,
        "weights": {model.name: model.digest for model in models},
    }
