"""Weights out of a model repository, so that training can go on from what is served.

An exported graph keeps tensors in the order in which the exporter meets them, but not their names.
A network of the same shape with weights that nobody else has is exported beside it and tells which
is which; what both then answer proves it.
"""

from pathlib import Path
from typing import Final

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

from meltwatch_trainer.errors import RepositoryError
from meltwatch_trainer.judge.served_ensemble import onnx_session
from meltwatch_trainer.network.availability import AVAILABILITY
from meltwatch_trainer.network.model_config import ENSEMBLE, member_spec
from meltwatch_trainer.release.model_repository import check_repository
from meltwatch_trainer.release.onnx_export import export_onnx
from meltwatch_trainer.train.build import build
from meltwatch_trainer.train.study import StudyModel

TOLERANCE: Final = 1e-3
"""Largest difference of log-odds between the file and the network made of it."""
_SEED: Final = 20_251_129

Array = NDArray[np.generic]


def served_weights(repository: Path, model: StudyModel) -> dict[str, Tensor]:
    """Return the state dict of a member as a repository serves it.

    Raises
    ------
    RepositoryError
        If the files are not those of the digest, or the member is of another shape.
    """
    check_repository(repository)
    path = repository / f"{ENSEMBLE}_member_{model.name}" / "1" / "model.onnx"
    if not path.is_file():
        raise RepositoryError(f"{path}: expected member {model.name}, found no file")
    content = path.read_bytes()
    probe = build(model)
    weights = _matched(_initializers(content), _marked(probe, model.name), probe, path)
    probe.load_state_dict(weights)
    _check_answers(content, probe.eval(), path)
    return weights


def _marked(probe: nn.Module, name: str) -> list[Array]:
    """Give a network weights of its own and return the tensors of its export."""
    generator = torch.Generator().manual_seed(_SEED)
    with torch.no_grad():
        for tensor in probe.state_dict().values():
            if tensor.is_floating_point():
                tensor.copy_(torch.rand(tensor.shape, generator=generator) - 0.5)
    return _initializers(export_onnx(probe, member_spec(name)))


def _initializers(content: bytes) -> list[Array]:
    graph = onnx.load_from_string(content).graph
    return [numpy_helper.to_array(tensor) for tensor in graph.initializer]


def _matched(
    served: list[Array], marked: list[Array], probe: nn.Module, path: Path
) -> dict[str, Tensor]:
    shapes = [[array.shape for array in arrays] for arrays in (served, marked)]
    if shapes[0] != shapes[1]:
        raise RepositoryError(
            f"{path}: expected a member of the shape that this version trains "
            f"({len(shapes[1])} tensors), got another ({len(shapes[0])} tensors)"
        )
    state = probe.state_dict()
    # Counters of steps are in no graph, and nothing that is answered rests on them.
    found = {key: tensor for key, tensor in state.items() if not tensor.is_floating_point()}
    for key, tensor in state.items():
        values = tensor.numpy()
        for other, mark in zip(served, marked, strict=True):
            if np.array_equal(mark, values):
                found[key] = torch.from_numpy(other.copy())
            elif mark.ndim == 2 and np.array_equal(mark.T, values):
                found[key] = torch.from_numpy(other.T.copy())
            elif mark.size == values.size and np.array_equal(mark.ravel(), values.ravel()):
                found[key] = torch.from_numpy(other.reshape(values.shape).copy())
    if missing := state.keys() - found.keys():
        raise RepositoryError(
            f"{path}: expected all weights in the file, did not find {', '.join(sorted(missing))}"
        )
    return found


def _check_answers(content: bytes, network: nn.Module, path: Path) -> None:
    rng = np.random.default_rng(_SEED)
    count = len(AVAILABILITY)
    inputs = {
        "clip": rng.integers(0, 256, (count, 10, 64, 64, 3), dtype=np.uint8),
        "currents": rng.normal(6500, 300, (count, 240, 3)).astype(np.float32),
        "available": np.array(list(AVAILABILITY.values()), dtype=np.float32),
    }
    told = onnx_session(content).run(["logit"], inputs)[0]
    with torch.inference_mode():
        said = network(*map(torch.from_numpy, inputs.values()))[0].numpy()
    worst = float(np.abs(told - said).max())
    if not worst <= TOLERANCE:
        raise RepositoryError(
            f"{path}: expected the answers of the weights in it, got a difference of {worst:.2g}"
        )
