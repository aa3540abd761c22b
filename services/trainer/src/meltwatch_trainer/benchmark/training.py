"""Train a published network on the benchmark, in steps that a killed run goes on from."""

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy

from meltwatch_trainer.benchmark.evaluation import tensors
from meltwatch_trainer.benchmark.files import BenchmarkBatch, BenchmarkWindows
from meltwatch_trainer.benchmark.plan import BenchmarkPlan
from meltwatch_trainer.benchmark.windows import LoaderRule
from meltwatch_trainer.errors import BenchmarkError, CacheMismatchError
from meltwatch_trainer.network.published.fmformer import FmFormer, FmFormerOutput

CHECKPOINT_EVERY: Final = 100
"""Steps."""
_SHARE_FLIPPED: Final = 0.5
_ORDER, _FLIPS = 1, 2

Report = Callable[[int, int, float], None]


@dataclass(slots=True)
class BenchmarkTraining:
    """One training run; equal arguments give equal weights on a CPU, killed or not.

    Attributes
    ----------
    network
        With fresh weights.
    windows
        Of the training split.
    plan
        How long and how fast.
    seed
        Of order and flips.
    checkpoint
        File that holds weights, optimiser and step.
    device
        Where to compute; on a GPU the forward pass is in bfloat16 where that is safe (autocast).
    """

    network: FmFormer
    windows: BenchmarkWindows
    plan: BenchmarkPlan
    seed: int
    checkpoint: Path
    device: torch.device

    def train_network(self, report: Report) -> None:
        """Train to the end, or finish what the checkpoint began.

        Parameters
        ----------
        report
            Is called with steps done, steps in all, and the smoothed loss.

        Raises
        ------
        CacheMismatchError
            If the checkpoint was made with other settings.
        BenchmarkError
            If the loss is no number any more.
        """
        network = self.network.to(self.device)
        optimiser = torch.optim.AdamW(
            network.parameters(), lr=self.plan.rate, weight_decay=self.plan.decay
        )
        first, smoothed = self._resume(optimiser)
        each = self.plan.steps_per_epoch(len(self.windows))
        steps = self.plan.epochs * each
        network.train()
        for step in range(first, steps):
            for group in optimiser.param_groups:
                group["lr"] = self.plan.rate_in(step // each)
            loss = self._step(optimiser, self._batch(*divmod(step, each)))
            smoothed = loss if step == 0 else 0.98 * smoothed + 0.02 * loss
            if not isfinite(loss):
                raise BenchmarkError(f"step {step}: expected a finite loss, got {loss}")
            report(step + 1, steps, smoothed)
            if (step + 1) % CHECKPOINT_EVERY == 0 or step + 1 == steps:
                self._save(optimiser, step + 1, smoothed)
        network.eval()

    def _step(self, optimiser: torch.optim.Optimizer, batch: BenchmarkBatch) -> float:
        labels = torch.from_numpy(batch.labels).long().to(self.device)
        # Column before row, as the clip.
        masks = torch.from_numpy(batch.masks.transpose(0, 2, 1).copy()).long().to(self.device)
        on_gpu = self.device.type == "cuda"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=on_gpu):
            output = self.network(*tensors(batch, self.device))
            loss = joint_loss(output, labels, masks, self.plan.alpha)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        return float(loss.detach())

    def _batch(self, epoch: int, number: int) -> BenchmarkBatch:
        """Read a step's windows: each epoch is a new order of all, and new flips."""
        order = np.random.default_rng((self.seed, epoch, _ORDER)).permutation(len(self.windows))
        size = self.plan.batch
        batch = self.windows.read(order[number * size : (number + 1) * size])
        chance = np.random.default_rng((self.seed, epoch, _FLIPS, number))
        flipped = chance.random(len(batch.labels)) < _SHARE_FLIPPED
        return flip(batch, flipped, self.windows.spec.rule)

    def _made_from(self) -> str:
        described = (self.network.spec, self.windows.spec, self.plan, self.seed, len(self.windows))
        return repr(described)

    def _save(self, optimiser: torch.optim.Optimizer, step: int, smoothed: float) -> None:
        self.checkpoint.parent.mkdir(parents=True, exist_ok=True)
        draft = self.checkpoint.with_suffix(".new")
        state = {
            "made_from": self._made_from(),
            "network": self.network.state_dict(),
            "optimiser": optimiser.state_dict(),
            "progress": (step, smoothed),
        }
        torch.save(state, draft)
        draft.replace(self.checkpoint)

    def _resume(self, optimiser: torch.optim.Optimizer) -> tuple[int, float]:
        if not self.checkpoint.exists():
            return 0, 0.0
        saved = torch.load(self.checkpoint, map_location=self.device, weights_only=True)
        if saved["made_from"] != self._made_from():
            raise CacheMismatchError(
                f"{self.checkpoint}: expected a checkpoint of {self._made_from()}, "
                f"found {saved['made_from']}; delete it or name another folder"
            )
        self.network.load_state_dict(saved["network"])
        optimiser.load_state_dict(saved["optimiser"])
        step, smoothed = saved["progress"]
        return int(step), float(smoothed)


def flip(batch: BenchmarkBatch, flipped: NDArray[np.bool_], rule: LoaderRule) -> BenchmarkBatch:
    """Mirror some windows' pictures with their masks, left to right.

    The published loader means the same, but mirrors the axis that holds the rows: its pictures
    stand on their heads.

    Parameters
    ----------
    flipped
        Shape ``(b,)``: which windows.
    """
    across = slice(None, None, -1)
    side = (across,) if rule is LoaderRule.PUBLISHED else (slice(None), across)
    clips, masks = batch.clips.copy(), batch.masks.copy()
    clips[flipped] = clips[flipped][(slice(None), slice(None), *side)]
    masks[flipped] = masks[flipped][(slice(None), *side)]
    return batch._replace(clips=clips, masks=masks)


def joint_loss(output: FmFormerOutput, label: Tensor, mask: Tensor, alpha: float = 1.0) -> Tensor:
    """Return ``L_pix + alpha * L_cls``, both cross-entropy; a head that is absent adds nothing.

    Parameters
    ----------
    label
        Shape ``(b,)``, int64: 1 where the newest frame is abnormal.
    mask
        Shape ``(b, 64, 64)``, int64, of the newest frame, column before row as the clip.
    alpha
        Weight of the class loss; the paper's value is not public.
    """
    loss = torch.zeros((), device=label.device)
    if output.map_logits is not None:
        loss = loss + cross_entropy(output.map_logits, mask)
    if output.logits is not None:
        loss = loss + alpha * cross_entropy(output.logits, label)
    return loss
