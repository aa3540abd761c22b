"""Train one network: joint loss, AdamW, cosine, checkpoints that a killed run goes on from."""

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from time import monotonic
from typing import Any, Final, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from meltwatch_trainer.data.windows import UNKNOWN_MASK
from meltwatch_trainer.errors import CacheMismatchError, TrainingError
from meltwatch_trainer.train.augmentation import Batch, augmented, availability
from meltwatch_trainer.train.build import build
from meltwatch_trainer.train.study import StudyModel
from meltwatch_trainer.train.training_plan import TrainingPlan
from meltwatch_trainer.train.window_source import WindowSource, batch_index

GRADIENT_LIMIT: Final = 1.0
MIN_SHARE: Final = 1e-3
"""Of pixels that were drawn: a batch may have none."""
SMOOTHING: Final = 0.02
"""Weight of a step's loss in the smoothed one."""
CHECKPOINT_EVERY_S: Final = 10.0
"""A killed run loses this much, or one step where that takes longer."""


class TrainingProgress(NamedTuple):
    """How far a training is.

    Attributes
    ----------
    name
        Of the model.
    seen, total
        Windows seen and to see.
    loss
        Smoothed.
    windows_per_s
        Since the last report.
    """

    name: str
    seen: int
    total: int
    loss: float
    windows_per_s: float


Report = Callable[[TrainingProgress], None]


def train(
    model: StudyModel,
    windows: WindowSource,
    checkpoint: Path,
    device: torch.device,
    report: Report,
    every_s: float = CHECKPOINT_EVERY_S,
) -> nn.Module:
    """Train a model, or finish what a checkpoint began; return its network in evaluation mode.

    On a CPU, equal arguments give equal weights, killed or not. On a GPU the forward pass is in
    bfloat16 where that is safe (autocast).

    Parameters
    ----------
    checkpoint
        File that holds weights, optimiser and step; written every ``every_s`` seconds and at the
        end, right before each report.

    Raises
    ------
    CacheMismatchError
        If the checkpoint was made with other settings.
    TrainingError
        If the loss is no number any more.
    """
    run = _Run.start_anew(model, windows, checkpoint, device)
    run.network.train()
    reported, reported_s = run.step, monotonic()
    while run.step < run.steps:
        run.advance()
        elapsed_s = monotonic() - reported_s
        if elapsed_s >= every_s or run.step == run.steps:
            loss = run.save()
            rate = (run.step - reported) * run.batch / max(elapsed_s, 1e-9)
            report(
                TrainingProgress(
                    model.name, run.step * run.batch, run.steps * run.batch, loss, rate
                )
            )
            reported, reported_s = run.step, monotonic()
    return run.network.eval()


def joint_loss(
    answer: tuple[Tensor, Tensor], batch: Batch, seen: int, plan: TrainingPlan
) -> Tensor:
    """Return ``scale * L_pix + L_cls`` of a batch whose first ``seen`` windows have video.

    Unclear windows teach pixels but no class; windows without video teach a class but no pixels,
    and so do those whose mask nobody drew.

    Parameters
    ----------
    answer
        Log-odds ``(b, 1)`` and map log-odds ``(b, 64, 64)``.
    """
    logit, map_logits = answer
    weight = torch.full((), plan.pixel_weight, device=logit.device)
    drawn = (batch.mask[:seen] != UNKNOWN_MASK).float()
    pixels = binary_cross_entropy_with_logits(
        map_logits[:seen].float(), (batch.mask[:seen] == 1).float(), drawn, pos_weight=weight
    ) / drawn.mean().clamp(min=MIN_SHARE)
    clear = (batch.label >= 0).float()
    each = binary_cross_entropy_with_logits(
        logit[:, 0].float(), batch.label.clamp(min=0), weight=clear, reduction="sum"
    )
    return plan.pixel_scale * pixels + each / clear.sum().clamp(min=1)


@dataclass(slots=True)
class _Run:
    """A training under way."""

    model: StudyModel
    windows: WindowSource
    checkpoint: Path
    network: nn.Module
    optimiser: torch.optim.Optimizer
    generator: torch.Generator
    smoothed: Tensor
    batch: int
    step: int = 0

    @classmethod
    def start_anew(
        cls, model: StudyModel, windows: WindowSource, checkpoint: Path, device: torch.device
    ) -> "_Run":
        network = build(model).to(device)
        optimiser = torch.optim.AdamW(
            network.parameters(), weight_decay=model.plan.decay, fused=device.type == "cuda"
        )
        run = cls(
            model,
            windows,
            checkpoint,
            network,
            optimiser,
            torch.Generator(device),
            torch.zeros((), device=device),
            min(model.plan.batch, len(windows)),
        )
        run._resume()
        return run

    @property
    def steps(self) -> int:
        return self.model.plan.steps(self.batch)

    def advance(self) -> None:
        """Take one step; nothing in it waits for a GPU."""
        plan, device = self.model.plan, self.smoothed.device
        for group in self.optimiser.param_groups:
            group["lr"] = plan.rate_at(self.step, self.steps)
        self.generator.manual_seed(plan.seed * 1_000_003 + self.step)
        index = batch_index(plan.seed, self.step, self.batch, len(self.windows))
        batch = augmented(self.windows.batch(index), self.generator)
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            loss = self._loss(batch)
        self.optimiser.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.network.parameters(), GRADIENT_LIMIT)
        self.optimiser.step()
        self.smoothed.lerp_(loss.detach(), 1.0 if self.step == 0 else SMOOTHING)
        self.step += 1

    def _loss(self, batch: Batch) -> Tensor:
        plan = self.model.plan
        lost = round(plan.modality_dropout * self.batch)
        there = availability(self.batch, lost, batch.clip.device)
        seen = self.batch - lost
        inputs = (batch.clip, batch.currents, there)
        answer = self.network(*inputs, seen) if lost else self.network(*inputs)
        return joint_loss(answer, batch, seen, plan)

    def save(self) -> float:
        """Write the checkpoint and return the smoothed loss."""
        loss = float(self.smoothed)
        if not isfinite(loss):
            raise TrainingError(
                f"{self.model.name}, step {self.step}: expected a finite loss, got {loss}"
            )
        state = {
            "made_from": self._made_from(),
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "smoothed": self.smoothed,
            "step": self.step,
        }
        write_atomically(self.checkpoint, state)
        return loss

    def _resume(self) -> None:
        if not self.checkpoint.exists():
            return
        saved = torch.load(self.checkpoint, map_location=self.smoothed.device, weights_only=True)
        if saved["made_from"] != self._made_from():
            raise CacheMismatchError(
                f"{self.checkpoint}: expected a checkpoint of {self._made_from()}, "
                f"found {saved['made_from']}; delete it or name another folder"
            )
        self.network.load_state_dict(saved["network"])
        self.optimiser.load_state_dict(saved["optimiser"])
        self.smoothed, self.step = saved["smoothed"], saved["step"]

    def _made_from(self) -> str:
        return repr((self.model, len(self.windows)))


def write_atomically(path: Path, content: Any) -> None:
    """Save for ``torch.load`` so that a kill leaves the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    torch.save(content, draft)
    draft.replace(path)
