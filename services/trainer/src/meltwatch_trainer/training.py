"""Train one member: joint loss, AdamW, cosine, checkpoints that a killed run goes on from."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from meltwatch_trainer.adapters.window_cache import WindowArrays
from meltwatch_trainer.augmentation import Batch, augmented_batch
from meltwatch_trainer.domain.members import MemberSpec
from meltwatch_trainer.domain.training_plan import TrainingPlan
from meltwatch_trainer.errors import CacheMismatchError
from meltwatch_trainer.network.member import Member

CLASS_WEIGHT: Final = 1.0
"""alpha of the published joint loss ``L_pix + alpha * L_cls`` (its value is not published)."""
PIXEL_WEIGHT: Final = 4.0
"""An anomalous pixel counts this many times: one in a hundred pixels is one."""
PIXEL_SCALE: Final = 10.0
"""Brings the mean over 4096 mostly empty pixels to the size of the class loss."""
GRADIENT_LIMIT: Final = 1.0
CHECKPOINT_EVERY: Final = 50
"""Steps; a killed run loses at most a minute."""


Report = Callable[[int, int, float], None]


def train_member(
    spec: MemberSpec, windows: WindowArrays, plan: TrainingPlan, checkpoint: Path, report: Report
) -> Member:
    """Train a member, or finish what a checkpoint began.

    Parameters
    ----------
    checkpoint
        File that holds weights, optimiser and step; written every 50 steps and at the end.
    report
        Is called with steps done, steps in all, and the smoothed loss.
    """
    torch.manual_seed(spec.seed)
    member = Member(spec)
    optimiser = torch.optim.AdamW(member.parameters(), lr=plan.rate, weight_decay=plan.decay)
    steps = plan.steps(len(windows.labels))
    first, smoothed = _resume(checkpoint, (spec, plan), member, optimiser)
    member.train()
    for step in range(first, steps):
        rng = np.random.default_rng((spec.seed, step))
        index = _batch_index(spec.seed, step, plan.batch, len(windows.labels))
        for group in optimiser.param_groups:
            group["lr"] = plan.rate_at(step, steps)
        loss = _step(member, optimiser, augmented_batch(windows, index, rng))
        smoothed = loss if step == 0 else 0.98 * smoothed + 0.02 * loss
        if (step + 1) % CHECKPOINT_EVERY == 0 or step + 1 == steps:
            _save(checkpoint, (spec, plan), member, optimiser, (step + 1, steps, smoothed))
            report(step + 1, steps, smoothed)
    member.eval()
    return member


def joint_loss(member: Member, batch: Batch) -> Tensor:
    """Return ``L_pix + alpha * L_cls`` of a batch.

    Unclear windows teach pixels but no class; windows without video teach a class but no pixels.
    """
    streams = member.encode(batch.clip, batch.currents, batch.available)
    seen = streams.has_video[:, 0, 0]
    # Absent video stays out of the head altogether, or it would bend its batch statistics.
    seen_logits = member.dense_head(streams.video[seen])
    pixels = binary_cross_entropy_with_logits(
        seen_logits, batch.mask[seen], pos_weight=torch.tensor(PIXEL_WEIGHT)
    )
    map_logits = torch.zeros_like(batch.mask).masked_scatter(seen[:, None, None], seen_logits)
    clear = ~batch.label.isnan()
    logit = member.classify(streams, map_logits)[:, 0]
    class_loss = binary_cross_entropy_with_logits(logit[clear], batch.label[clear])
    return PIXEL_SCALE * pixels + CLASS_WEIGHT * class_loss


def _step(member: Member, optimiser: torch.optim.Optimizer, batch: Batch) -> float:
    loss = joint_loss(member, batch)
    optimiser.zero_grad()
    torch.autograd.backward(loss)
    nn.utils.clip_grad_norm_(member.parameters(), GRADIENT_LIMIT)
    optimiser.step()
    return float(loss.detach())


def _batch_index(seed: int, step: int, batch: int, windows: int) -> np.ndarray:
    """Return a step's windows: each epoch is a new order of all of them."""
    positions = np.arange(step * batch, (step + 1) * batch)
    epochs = np.unique(positions // windows)
    orders = {int(e): np.random.default_rng((seed, int(e), 1)).permutation(windows) for e in epochs}
    chosen = [orders[int(p // windows)][p % windows] for p in positions]
    return np.sort(np.array(chosen))


def _save(
    path: Path,
    made_from: tuple[MemberSpec, TrainingPlan],
    member: Member,
    optimiser: torch.optim.Optimizer,
    progress: tuple[int, int, float],
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".new")
    torch.save(
        {
            "made_from": repr(made_from),
            "member": member.state_dict(),
            "optimiser": optimiser.state_dict(),
            "progress": progress,
        },
        temporary,
    )
    temporary.replace(path)


def _resume(
    path: Path,
    made_from: tuple[MemberSpec, TrainingPlan],
    member: Member,
    optimiser: torch.optim.Optimizer,
) -> tuple[int, float]:
    if not path.exists():
        return 0, 0.0
    saved = torch.load(path, weights_only=True)
    if saved["made_from"] != repr(made_from):
        raise CacheMismatchError(
            f"{path}: expected a checkpoint of {made_from!r}, found {saved['made_from']}; "
            f"delete it or name another folder"
        )
    member.load_state_dict(saved["member"])
    optimiser.load_state_dict(saved["optimiser"])
    step, _, smoothed = saved["progress"]
    return int(step), float(smoothed)
