"""From PyTorch modules to ONNX bytes that the server's runtime reads."""

import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import onnx
import torch
from torch import nn

from meltwatch_trainer.errors import RepositoryError
from meltwatch_trainer.network.model_config import ModelSpec

OPSET = 17
"""The newest operator set that needs nothing newer than what release 24.10 serves for years."""

_TORCH_TYPES = {
    "TYPE_FP16": torch.float16,
    "TYPE_FP32": torch.float32,
    "TYPE_UINT8": torch.uint8,
}
_ONNX_TYPES = {
    "TYPE_FP16": onnx.TensorProto.FLOAT16,
    "TYPE_FP32": onnx.TensorProto.FLOAT,
    "TYPE_UINT8": onnx.TensorProto.UINT8,
}


def export_onnx(module: nn.Module, model: ModelSpec) -> bytes:
    """Export a module under the names, types and dimensions of its contract.

    Parameters
    ----------
    module
        Takes the model's inputs in order, batch first, and gives its outputs in order.
    model
        The contract; a leading batch dimension of any size is added to every tensor.

    Raises
    ------
    RepositoryError
        If the exported graph is not valid ONNX or needs a newer operator set.
    """
    examples = tuple(
        torch.zeros((2, *tensor.dims), dtype=_TORCH_TYPES[tensor.data_type])
        for tensor in model.inputs
    )
    inputs = [tensor.name for tensor in model.inputs]
    outputs = [tensor.name for tensor in model.outputs]
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        path = Path(folder) / "model.onnx"
        # The tracing exporter is deprecated but is the one that writes this operator set itself.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module.eval(),
            examples,
            path,
            input_names=inputs,
            output_names=outputs,
            opset_version=OPSET,
            dynamo=False,
            dynamic_axes={name: {0: "batch"} for name in (*inputs, *outputs)},
        )
        return _checked(_with_every_input(path.read_bytes(), model), model.name)


def _with_every_input(content: bytes, model: ModelSpec) -> bytes:
    """Declare the inputs again that the exporter left out because the module does not read them."""
    exported = onnx.load_from_string(content)
    kept = {value.name: value for value in exported.graph.input}
    if len(kept) == len(model.inputs):
        return content
    del exported.graph.input[:]
    for tensor in model.inputs:
        unread = onnx.helper.make_tensor_value_info(
            tensor.name, _ONNX_TYPES[tensor.data_type], ["batch", *tensor.dims]
        )
        exported.graph.input.append(kept.get(tensor.name, unread))
    return exported.SerializeToString()


def _checked(content: bytes, name: str) -> bytes:
    model = onnx.load_from_string(content)
    onnx.checker.check_model(model, full_check=True)
    version = max(entry.version for entry in model.opset_import if entry.domain == "")
    if version > OPSET:
        raise RepositoryError(
            f"{name}: expected ONNX operator set <= {OPSET}, exporter wrote {version}"
        )
    return content
