"""Stand-in for Triton's C++ ONNX Runtime backend, where only the Python backend is at hand.

Triton falls back to ``<backend folder>/onnxruntime/model.py`` for ``backend: "onnxruntime"`` when
it has no such library. So a repository made for a GPU server is served here unchanged, on the
processor. Runs in Triton's own Python (numpy 1) and uses nothing newer than Triton 24.10.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    """One instance of one ONNX model."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the model file.

        Parameters
        ----------
        args
            From Triton: ``model_config`` as JSON, ``model_repository``, ``model_version``.

        Notes
        -----
        The parameter ``intra_op_thread_count`` has the name and meaning of the C++ backend's; the
        default is one thread, because instances share few cores here.
        """
        config = json.loads(args["model_config"])
        file_name = config.get("default_model_filename") or "model.onnx"
        path = Path(args["model_repository"], args["model_version"], file_name)
        parameters = config.get("parameters", {})
        threads = parameters.get("intra_op_thread_count", {}).get("string_value", "1")
        self._batches = config.get("max_batch_size", 0) > 0
        self._session = _session(path, int(threads))
        self._input_names = [node.name for node in self._session.get_inputs()]
        self._output_names = [node.name for node in self._session.get_outputs()]

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Answer requests, all in one run where the model has a batch dimension.

        Parameters
        ----------
        requests
            From Triton's batcher, at least one.

        Returns
        -------
        One response a request, in their order; an error response where the model refused.
        """
        responses: list[Any] = [None] * len(requests)
        for group in self._groups(requests):
            answers = self._answer([requests[index] for index in group])
            for index, response in zip(group, answers, strict=True):
                responses[index] = response
        return responses

    def _groups(self, requests: Sequence[Any]) -> list[list[int]]:
        """Group the indices of requests that can be stacked: those of equal shapes."""
        if not self._batches:
            return [[index] for index in range(len(requests))]
        groups: dict[str, list[int]] = {}
        for index, request in enumerate(requests):
            shapes = [tensor.shape()[1:] for tensor in request.inputs()]
            groups.setdefault(str(shapes), []).append(index)
        return list(groups.values())

    def _answer(self, requests: Sequence[Any]) -> list[Any]:
        """Answer requests of equal shapes in one run."""
        try:
            inputs = [self._arrays(request) for request in requests]
            stacked = {
                name: np.concatenate([arrays[name] for arrays in inputs])
                if len(inputs) > 1
                else inputs[0][name]
                for name in self._input_names
            }
            outputs = self._session.run(self._output_names, stacked)
            results = dict(zip(self._output_names, outputs, strict=True))
        except Exception as error:  # noqa: BLE001 - ONNX Runtime's errors share no other base
            refusal = pb_utils.TritonError(_one_line(error), pb_utils.TritonError.INVALID_ARG)
            return [pb_utils.InferenceResponse(error=refusal) for _ in requests]
        if len(requests) == 1:
            return [_response(requests[0], results)]
        ends = np.cumsum([arrays[self._input_names[0]].shape[0] for arrays in inputs])
        rows = [slice(start, end) for start, end in zip([0, *ends[:-1]], ends, strict=True)]
        return [
            _response(request, {name: array[own] for name, array in results.items()})
            for request, own in zip(requests, rows, strict=True)
        ]

    def _arrays(self, request: Any) -> dict[str, Any]:
        tensors = {tensor.name(): tensor.as_numpy() for tensor in request.inputs()}
        missing = [name for name in self._input_names if name not in tensors]
        if missing:
            raise ValueError(f"expected inputs {self._input_names}, the request lacks {missing}")
        return tensors


def _response(request: Any, results: dict[str, Any]) -> Any:
    """Answer with the outputs that the request asks for, and no others."""
    wanted = request.requested_output_names()
    return pb_utils.InferenceResponse(
        output_tensors=[
            pb_utils.Tensor(name, np.ascontiguousarray(array))
            for name, array in results.items()
            if name in wanted
        ]
    )


def _session(path: Path, threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Few cores, many processes: a thread that spins while it waits takes a core from another model.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
