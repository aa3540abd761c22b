"""How far the port's answers lie from the reference implementation's, in PyTorch and in ONNX."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from meltwatch_trainer.benchmark.parity_case import (
    OUTPUT_SHAPES,
    SPECS,
    ParityCase,
    read_cases,
    seeded_inputs,
    seeded_weights,
)
from meltwatch_trainer.judge.served_ensemble import onnx_session
from meltwatch_trainer.network.model_config import ConfigTensor, ModelSpec
from meltwatch_trainer.network.published.fmformer import FmFormer, build_fmformer
from meltwatch_trainer.release.onnx_export import export_onnx

TOLERANCE: Final = 1e-4
"""Largest absolute difference of a faithful port's logits in float32."""


@dataclass(frozen=True, slots=True)
class Parity:
    """Largest absolute difference of one output, by who computed it."""

    output: str
    pytorch: float
    onnx: float

    @property
    def holds(self) -> bool:
        """Whether both are within the tolerance; a NaN is not."""
        return self.pytorch <= TOLERANCE and self.onnx <= TOLERANCE


class _Logits(nn.Module):
    """The network with its one output as a tensor, as ONNX wants it."""

    def __init__(self, network: FmFormer) -> None:
        super().__init__()
        self.network = network

    def forward(self, clip: Tensor, current: Tensor) -> Tensor:
        answer = self.network(clip, current)
        return answer.map_logits if self.network.spec.segments else answer.logits


def measure_file(path: Path) -> Iterator[Parity]:
    """Measure every output of a file of golden outputs, one by one as they are asked for.

    Raises
    ------
    ParityFileError
        If the file is not of the form; raised at once, not when the first output is asked for.
    """
    cases = read_cases(path)
    return (measure(case) for case in cases)


def measure(case: ParityCase) -> Parity:
    """Rebuild a case from its seeds, answer it with PyTorch and ONNX Runtime, and compare."""
    module = _Logits(seeded_network(case))
    clip, current = seeded_inputs(case.input_seed)
    inputs = {"clip": clip.astype(np.float32), "current": current}
    with torch.no_grad():
        answer = module(*(torch.from_numpy(array) for array in inputs.values()))
    session = onnx_session(export_onnx(module, _contract(case, inputs)))
    return Parity(
        case.output,
        _largest(answer.numpy() - case.expected),
        _largest(session.run(None, inputs)[0] - case.expected),
    )


def seeded_network(case: ParityCase) -> FmFormer:
    """Return the network of a case with its weights, in evaluation mode."""
    network = build_fmformer(SPECS[case.output])
    shapes = {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}
    weights = seeded_weights(shapes, case.weight_seed)
    network.load_state_dict({key: torch.from_numpy(w) for key, w in weights.items()})
    return network.eval()


def _contract(case: ParityCase, inputs: dict[str, NDArray[np.float32]]) -> ModelSpec:
    tensors = [ConfigTensor(name, "TYPE_FP32", array.shape[1:]) for name, array in inputs.items()]
    output = ConfigTensor(case.output, "TYPE_FP32", OUTPUT_SHAPES[case.output][1:])
    return ModelSpec("fmformer_published", tuple(tensors), (output,))


def _largest(difference: NDArray[np.float32]) -> float:
    return float(np.abs(difference).max())
