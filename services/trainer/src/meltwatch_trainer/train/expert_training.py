"""Train an expert on currents alone, and boosted trees: what a network on currents has to beat.

The trees read plain features of the look-back. They need scikit-learn, which nothing else does.
"""

from collections.abc import Callable
from importlib import import_module
from math import isfinite
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from meltwatch_schemas.window import PUBLISHED_SPEC
from numpy.typing import NDArray
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from meltwatch_trainer.data.current_runs import CurrentWindows
from meltwatch_trainer.errors import TrainerError, TrainingError
from meltwatch_trainer.network.expert import Expert
from meltwatch_trainer.network.member_spec import PHASES
from meltwatch_trainer.network.tokens import current_levels
from meltwatch_trainer.train.trained import round_weights
from meltwatch_trainer.train.training import GRADIENT_LIMIT
from meltwatch_trainer.train.training_plan import TrainingPlan
from meltwatch_trainer.train.window_source import batch_index

EXPERT_PLAN: Final = TrainingPlan(
    seed=55, windows_seen=500_000, batch=256, rate=3e-3, decay=0.01, modality_dropout=0.0
)
"""Two thirds of what 2,000 furnaces show in an hour, a window every 10 s, with as many faults as
there are: neighbours share eleven twelfths of their look-back, so that no window is missed."""
SMOOTHING: Final = 0.01
REPORT_EVERY: Final = 50

NEWEST: Final = (4, 8, 20, 40, 80, 160, PUBLISHED_SPEC.lookback_samples)
"""Over how many of the newest samples the statistics are."""
ORDERED_BY: Final = 40
"""Phases are ordered by their mean over so many of the newest samples: none is special."""
FEATURES_AT_ONCE: Final = 4096
TREES: Final = {"max_iter": 400, "learning_rate": 0.08, "max_leaf_nodes": 31}


def train_expert(
    windows: CurrentWindows,
    plan: TrainingPlan,
    report: Callable[[int, int, float], None],
    *,
    own_scale: bool = False,
) -> Expert:
    """Train an expert; equal arguments give equal weights.

    Parameters
    ----------
    windows
        Unclear ones teach nothing.
    report
        Is called with steps done, steps in all, and the smoothed loss.
    own_scale
        As in ``Expert``.

    Raises
    ------
    TrainingError
        If the loss is no number any more.
    """
    clear = np.flatnonzero(windows.labels >= 0)
    batch = min(plan.batch, len(clear))
    steps = plan.steps(batch)
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(plan.seed)
        network = Expert(own_scale=own_scale)
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=plan.decay)
    there = torch.ones(batch, 2)
    smoothed = 0.0
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = plan.rate_at(step, steps)
        index = clear[batch_index(plan.seed, step, batch, len(clear))]
        currents = torch.from_numpy(windows.currents(index))
        labels = torch.from_numpy(windows.labels[index]).float()
        loss = binary_cross_entropy_with_logits(network(currents, there)[:, 0], labels)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(network.parameters(), GRADIENT_LIMIT)
        optimiser.step()
        smoothed += (1.0 if step == 0 else SMOOTHING) * (float(loss.detach()) - smoothed)
        if not isfinite(smoothed):
            raise TrainingError(f"expert, step {step}: expected a finite loss, got {smoothed}")
        if (step + 1) % REPORT_EVERY == 0 or step + 1 == steps:
            report(step + 1, steps, smoothed)
    return network.eval()


def read_expert(path: Path, *, own_scale: bool = False) -> Expert:
    """Return an expert with its weights, rounded as they are exported."""
    network = Expert(own_scale=own_scale)
    network.load_state_dict(torch.load(path, weights_only=True))
    round_weights(network)
    return network.eval()


def plain_features(currents: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the features ``(n, f)`` of look-backs ``(n, 240, 3)``."""
    levels = current_levels(torch.from_numpy(currents), samples=1).numpy()
    phases, mean, level = np.split(levels, (PHASES, PHASES + 1), axis=2)
    order = np.argsort(-phases[:, -ORDERED_BY:].mean(axis=1), axis=1)
    series = np.concatenate([np.take_along_axis(phases, order[:, None], axis=2), mean], axis=2)
    found = [np.take_along_axis(level[:, 0], order, axis=1)]
    for count in NEWEST:
        part = series[:, -count:]
        steps = np.diff(part, axis=1).std(axis=1)
        found += [part.mean(axis=1), part.std(axis=1), part.min(axis=1), part.max(axis=1), steps]
    return np.concatenate(found, axis=1)


def train_trees(windows: CurrentWindows, seed: int) -> Any:
    """Return trained trees.

    Raises
    ------
    TrainerError
        If scikit-learn is not installed.
    """
    try:
        ensemble = import_module("sklearn.ensemble")
    except ImportError as error:
        raise TrainerError("--trees: expected scikit-learn, found none installed") from error
    clear = np.flatnonzero(windows.labels >= 0)
    parts = np.array_split(clear, max(1, len(clear) // FEATURES_AT_ONCE))
    features = np.concatenate([plain_features(windows.currents(part)) for part in parts])
    trees = ensemble.HistGradientBoostingClassifier(**TREES, random_state=seed)
    return trees.fit(features, windows.labels[clear])
