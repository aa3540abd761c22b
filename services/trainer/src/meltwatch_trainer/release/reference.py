"""Frozen windows and PyTorch's own answers: what any server of this ensemble must reproduce.

A window is kept as the recipe that draws it: ``Scenario(seed, furnaces, origin_ns, None)`` shows
one of its furnaces at the instants of the published window rule, frames and samples at exactly
those times.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC
from meltwatch_simulator import SIMULATOR_REVISION, Scenario, SimulatedFurnace
from numpy.typing import NDArray
from torch import nn

from meltwatch_trainer.data.windows import seconds
from meltwatch_trainer.errors import RepositoryError
from meltwatch_trainer.network.availability import AVAILABILITY
from meltwatch_trainer.network.steps import Aggregate, ServedAggregate

WINDOWS: Final = 200
FURNACES: Final = 20
SPAN_S: Final = 3600.0
SEED: Final = 424_242
ORIGIN_NS: Final = 1_770_000_000 * NS_PER_S
WITHIN_SHARE: Final = 0.5
POOL: Final = 8
"""A map is frozen as the means of squares of so many pixels a side."""
OUTPUTS: Final = ("logit", "member_logits", "disagreement", "anomaly_map")

Arrays = Mapping[str, NDArray[Any]]


def write_reference(path: Path, members: Sequence[nn.Module], aggregate: Aggregate) -> None:
    """Write the recipe of 200 windows and the answers of the exported weights to them.

    A third of the windows has both modalities, a third only video, a third only currents; half
    end within a fault. The file holds ``simulator`` (its revision), ``seed``, ``origin_ns``,
    ``furnaces``, and by window ``furnace`` (index), ``end_ns``, ``available``, and the outputs,
    the anomaly map pooled to ``(8, 8)``.
    """
    recipe = _recipe()
    clips, currents = reference_windows(recipe)
    available = torch.from_numpy(recipe["available"])
    outputs: list[torch.Tensor] = []
    with torch.inference_mode():
        for member in members:
            outputs += member(torch.from_numpy(clips), torch.from_numpy(currents), available)
        fused = ServedAggregate(aggregate)(available, *outputs)
    answers = {name: tensor.numpy() for name, tensor in zip(OUTPUTS, fused, strict=True)}
    answers["anomaly_map"] = pooled(answers["anomaly_map"])
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, allow_pickle=False, **recipe, **answers)


def read_reference(path: Path) -> Arrays:
    """Return what ``write_reference`` wrote.

    Raises
    ------
    RepositoryError
        If there is no such file, or its windows are of another simulator.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            frozen = dict(archive)
    except OSError as error:
        raise RepositoryError(f"{path}: expected frozen answers: {error.strerror}") from error
    revision = int(frozen.get("simulator", 0))
    if revision != SIMULATOR_REVISION:
        raise RepositoryError(
            f"{path}: expected windows of simulator revision {SIMULATOR_REVISION}, found "
            f"{revision}; export again"
        )
    return frozen


def reference_windows(recipe: Arrays) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return the clips ``(n, 10, 64, 64, 3)`` and currents ``(n, 240, 3)`` of a recipe."""
    spec = PUBLISHED_SPEC
    furnaces = _furnaces(recipe)
    frames_ns = np.arange(1 - spec.clip_frames, 1) * spec.frame_stride_ns
    samples_ns = np.arange(1 - spec.lookback_samples, 1) * spec.sample_period_ns
    seen = [(furnaces[i], t) for i, t in zip(recipe["furnace"], recipe["end_ns"], strict=True)]
    return (
        np.stack([furnace.frames(end_ns + frames_ns) for furnace, end_ns in seen]),
        np.stack([furnace.currents(end_ns + samples_ns) for furnace, end_ns in seen]),
    )


def pooled(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return maps ``(n, 64, 64)`` as means of squares of 8 x 8 pixels, ``(n, 8, 8)``."""
    side = maps.shape[1] // POOL
    means: NDArray[np.float32] = maps.reshape(-1, side, POOL, side, POOL).mean(axis=(2, 4))
    return means


def _recipe() -> dict[str, NDArray[Any]]:
    rng = np.random.default_rng(SEED)
    recipe: dict[str, NDArray[Any]] = {
        "simulator": np.array(SIMULATOR_REVISION),
        "seed": np.array(SEED),
        "origin_ns": np.array(ORIGIN_NS),
        "furnaces": np.array([f"reference/furnace-{number:02d}" for number in range(FURNACES)]),
        "furnace": np.arange(WINDOWS) % FURNACES,
        "available": np.array(
            [list(AVAILABILITY.values())[i % len(AVAILABILITY)] for i in range(WINDOWS)],
            dtype=np.float32,
        ),
    }
    furnaces = _furnaces(recipe)
    within = rng.random(WINDOWS) < WITHIN_SHARE
    ends_ns = [
        _end_ns(furnaces[number], rng, within=inside)
        for number, inside in zip(recipe["furnace"], within, strict=True)
    ]
    return {**recipe, "end_ns": np.array(ends_ns)}


def _furnaces(recipe: Arrays) -> list[SimulatedFurnace]:
    names = tuple(recipe["furnaces"].tolist())
    scenario = Scenario(int(recipe["seed"]), names, int(recipe["origin_ns"]), None)
    return [scenario.furnace(name) for name in names]


def _end_ns(furnace: SimulatedFurnace, rng: np.random.Generator, *, within: bool) -> int:
    """Return a window's end within an hour of operation, or within one of its faults."""
    if not within:
        return ORIGIN_NS + int(rng.integers(seconds(SPAN_S)))
    faults = furnace.faults_between(ORIGIN_NS, ORIGIN_NS + seconds(SPAN_S))
    fault = faults[int(rng.integers(len(faults)))]
    return int(rng.integers(fault.start_ns, fault.end_ns))
