"""Frozen windows and PyTorch's own answers: what any server of this ensemble must reproduce."""

from pathlib import Path
from typing import Final

import numpy as np
import torch

from meltwatch_trainer.adapters.window_cache import WindowArrays
from meltwatch_trainer.domain.availability import AVAILABILITY
from meltwatch_trainer.network.member import Member
from meltwatch_trainer.network.steps import Aggregate, ServedAggregate

CASES: Final = (
    ("normal", "both"),
    ("clear", "both"),
    ("misty", "both"),
    ("clear", "video"),
    ("misty", "video"),
    ("clear", "current"),
    ("normal", "current"),
    ("unclear", "both"),
)
"""Kind of window and availability; a kind is one window, used more than once."""


def write_reference(
    path: Path, windows: WindowArrays, members: list[Member], aggregate: Aggregate
) -> None:
    """Write the cases' inputs and the answers of the exported weights, as PyTorch computes them.

    The file holds ``clips`` uint8, ``currents`` float32 and ``available`` float32 of the kinds of
    window, ``clip_of_case`` (index into the first two), and the four outputs per case.
    """
    kinds = list(dict.fromkeys(kind for kind, _ in CASES))
    chosen = [_first(windows, kind) for kind in kinds]
    clip_of_case = np.array([kinds.index(kind) for kind, _ in CASES])
    available = np.array([AVAILABILITY[state] for _, state in CASES], dtype=np.float32)
    clips, currents = windows.clips[chosen], windows.currents[chosen]
    clip = torch.from_numpy(clips[clip_of_case]).float()
    outputs = []
    with torch.no_grad():
        there = torch.from_numpy(available)
        for member in members:
            outputs += member(clip, torch.from_numpy(currents[clip_of_case]), there)
        fused = ServedAggregate(aggregate)(there, *outputs)
    names = ("logit", "member_logits", "disagreement", "anomaly_map")
    answers = {name: tensor.numpy() for name, tensor in zip(names, fused, strict=True)}
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        path,
        clips=clips,
        currents=currents,
        available=available,
        clip_of_case=clip_of_case,
        **answers,
    )


def _first(windows: WindowArrays, kind: str) -> int:
    masks = {
        "normal": windows.labels == 0,
        "clear": (windows.labels == 1) & (windows.misty == 0),
        "misty": (windows.labels == 1) & (windows.misty == 1),
        "unclear": windows.labels == -1,
    }
    return int(np.flatnonzero(masks[kind])[0])
