"""Scores of trained networks on one run, on the processor or the GPU."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from meltwatch_trainer.data.furnace_run import FurnaceRun
from meltwatch_trainer.judge.scores import score_key
from meltwatch_trainer.judge.study_rows import SERVED_ROWS
from meltwatch_trainer.network.availability import AVAILABILITY
from meltwatch_trainer.train.trained import TrainedModel

BATCH: Final = {"cuda": 512, "cpu": 32}
"""Windows at a time: what fills a GPU, and what stays within a processor's cache."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What networks said about one run.

    Attributes
    ----------
    logits
        ``model/state`` to raw log-odds ``(n,)``.
    pixels
        ``model/state`` to numbers of true positive, false positive and false negative pixels
        ``(3,)``; ``ensemble/state`` is of the members' map as it is served. Empty where nobody
        drew masks.
    """

    logits: Mapping[str, NDArray[np.float32]]
    pixels: Mapping[str, NDArray[np.int64]]


def answers(run: FurnaceRun, models: Sequence[TrainedModel], device: torch.device) -> Answers:
    """Ask every network about every window of a run, in every state that makes a difference.

    Parameters
    ----------
    models
        On the device.
    """
    # Thresholds stand far out in the tails, and servers answer in full precision.
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    windows = _Windows.of(run, device)
    logits: defaultdict[str, list[Tensor]] = defaultdict(list)
    pixels: defaultdict[str, list[Tensor]] = defaultdict(list)
    with torch.inference_mode():
        for start in range(0, len(run.labels), BATCH[device.type]):
            batch = windows.batch(slice(start, start + BATCH[device.type]))
            for state in AVAILABILITY:
                _ask(batch, state, models, logits, pixels)
    return Answers(
        {key: torch.cat(parts).cpu().numpy() for key, parts in logits.items()},
        {}
        if run.masks is None
        else {key: torch.stack(parts).sum(dim=0).cpu().numpy() for key, parts in pixels.items()},
    )


@dataclass(frozen=True, slots=True)
class _Batch:
    """Windows with their masks; ``clear`` are those whose pixels are counted."""

    clip: Tensor
    currents: Tensor
    masks: Tensor
    clear: Tensor

    def count(self, map_logits: Tensor) -> Tensor:
        """Return true positive, false positive and false negative pixels ``(3,)``."""
        found, clear = map_logits >= 0, self.clear[:, None, None]
        right, wrong, missed = found & self.masks, found & ~self.masks, ~found & self.masks
        return torch.stack([(pixels & clear).sum() for pixels in (right, wrong, missed)])


@dataclass(frozen=True, slots=True)
class _Windows:
    """A run on the device: each window is gathered there from frames and samples."""

    frames: Tensor
    samples: Tensor
    frame_of: Tensor
    sample_of: Tensor
    masks: Tensor
    clear: Tensor

    @classmethod
    def of(cls, run: FurnaceRun, device: torch.device) -> "_Windows":
        arrays = (
            run.seen.frames,
            run.seen.samples,
            run.seen.frame_of,
            run.seen.sample_of,
            np.unpackbits(run.drawn_masks, axis=-1).astype(np.bool_),
            run.labels >= 0,
        )
        return cls(*(torch.from_numpy(array).to(device) for array in arrays))

    def batch(self, part: slice) -> _Batch:
        clip = self.frames[self.frame_of[part]]
        currents = self.samples[self.sample_of[part]]
        return _Batch(clip, currents, self.masks[part], self.clear[part])


def _ask(
    batch: _Batch,
    state: str,
    models: Sequence[TrainedModel],
    logits: defaultdict[str, list[Tensor]],
    pixels: defaultdict[str, list[Tensor]],
) -> None:
    """Ask the networks about one batch in one state, and note logits and counts of pixels."""
    available = torch.tensor(AVAILABILITY[state], device=batch.clip.device)
    maps = {}
    for model in models:
        if state not in model.states:
            continue
        key = score_key(model.name, state)
        logit, map_logits = model.network(
            batch.clip, batch.currents, available.repeat(len(batch.clip), 1)
        )
        logits[key].append(logit[:, 0])
        if model.draws_in(state):
            maps[model.name] = map_logits
            pixels[key].append(batch.count(map_logits))
    for row in SERVED_ROWS:
        if row.state == state and maps.keys() >= set(row.models):
            fused = torch.stack([maps[name] for name in row.models]).mean(dim=0)
            pixels[row.pixels].append(batch.count(fused))
