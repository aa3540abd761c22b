"""A call of Triton's ensemble: a window as its question, a verdict as what its answer means."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from meltwatch_schemas import tensors
from meltwatch_schemas.bounds import MAX_LOGIT
from meltwatch_schemas.errors import ContractViolation, Refusal
from meltwatch_schemas.score import Modality
from meltwatch_schemas.tensors import TensorSpec
from numpy.typing import NDArray
from tritonclient.grpc import service_pb2

from meltwatch_core.join.window import AlignedWindow
from meltwatch_core.scoring.ports import Verdict
from meltwatch_core.scoring.triton_config import EnsembleForm

METHOD: Final = "/inference.GRPCInferenceService/ModelInfer"
_CONTENTS: Final = service_pb2.ModelInferRequest.DESCRIPTOR.fields_by_name["raw_input_contents"]
_BYTES_FOLLOW: Final = 2
"""Protobuf's word for a field whose length stands before it."""
_ROUNDING: Final = 1e-3
_BOUNDS: Final = {
    tensors.LOGIT: (-MAX_LOGIT, MAX_LOGIT),
    tensors.MEMBER_LOGITS: (-MAX_LOGIT, MAX_LOGIT),
    tensors.DISAGREEMENT: (0.0, MAX_LOGIT),
    tensors.ANOMALY_MAP: (-_ROUNDING, 1.0 + _ROUNDING),
}


class ScoringCall:
    """Writes requests and reads answers of one ensemble.

    All but the numbers is the same in each request, so it is written once. Protobuf takes a
    message in parts, and the numbers go from their arrays into the request by one copy.

    Parameters
    ----------
    ensemble
        Its name.
    form
        What is sent to it and what comes back.
    """

    def __init__(self, ensemble: str, form: EnsembleForm) -> None:
        self._outputs = form.outputs
        self._inputs = [(spec, _before_contents(spec)) for spec in form.inputs]
        inputs = [_described(spec) for spec in form.inputs]
        outputs = [{"name": spec.name} for spec in form.outputs]
        head = service_pb2.ModelInferRequest(model_name=ensemble, inputs=inputs, outputs=outputs)
        self._head: bytes = head.SerializeToString()

    def request(self, window: AlignedWindow) -> bytes:
        """Return the request about a window, serialized.

        Raises
        ------
        ContractViolation
            ``scoring_rejected`` if an array of the window has another form.
        """
        modalities, currents_a = window.modalities, window.currents_a
        available = np.array([modality in modalities for modality in Modality], np.float32)
        given = {
            tensors.PATCHES_INPUT: window.embeddings,
            tensors.CURRENTS_INPUT: None if currents_a is None else [currents_a],
            tensors.AVAILABLE_INPUT: [available],
        }
        parts: list[Any] = [self._head]
        for spec, before in self._inputs:
            parts.append(before)
            parts += _contents(spec, given[spec.name])
        return b"".join(parts)

    def verdict(self, answer: Any) -> Verdict:
        """Return what a ``ModelInferResponse`` says.

        Raises
        ------
        ContractViolation
            ``scoring_rejected`` if no verdict can hold its numbers.
        ValueError
            If its tensors are not those that the ensemble said.
        """
        return _verdict(_tensors(answer, self._outputs))


def rejected(detail: str) -> ContractViolation:
    """Return the refusal of a window by the scorer."""
    return ContractViolation(Refusal.SCORING_REJECTED, detail)


def _described(spec: TensorSpec) -> dict[str, object]:
    return {"name": spec.name, "datatype": spec.datatype, "shape": [1, *spec.shape]}


def _before_contents(spec: TensorSpec) -> bytes:
    """Return what stands before a tensor's numbers: which field follows, and how long it is."""
    size_bytes = int(np.prod(spec.shape)) * spec.dtype.itemsize
    return _varint(_CONTENTS.number << 3 | _BYTES_FOLLOW) + _varint(size_bytes)


def _varint(number: int) -> bytes:
    """Write a number as protobuf does: seven bits a byte, the lowest first."""
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)


def _contents(spec: TensorSpec, parts: Sequence[NDArray[Any]] | None) -> list[NDArray[Any]]:
    """Return a tensor's numbers: one array, or one for each place of its first dimension."""
    if parts is None:
        return [np.zeros(spec.shape, spec.dtype)]
    shape = spec.shape if len(parts) == 1 else spec.shape[1:]
    is_whole = len(parts) in (1, spec.shape[0])
    for part in parts:
        if not is_whole or part.shape != shape or part.dtype != spec.dtype:
            expected = f"{spec.dtype} {list(spec.shape)}"
            got = f"{len(parts)} of {part.dtype} {list(part.shape)}"
            raise rejected(f"input {spec.name}: expected {expected}, got {got}")
    return [np.ascontiguousarray(part) for part in parts]


def _tensors(answer: Any, specs: tuple[TensorSpec, ...]) -> dict[str, NDArray[np.float32]]:
    parts = zip(answer.outputs, answer.raw_output_contents, strict=False)
    found = {output.name: (output, contents) for output, contents in parts}
    return {spec.name: _values(spec, *found.get(spec.name, (None, b""))) for spec in specs}


def _values(spec: TensorSpec, output: Any | None, contents: bytes) -> NDArray[np.float32]:
    shape = [1, *spec.shape]
    if output is None or output.datatype != spec.datatype or output.shape != shape:
        got = None if output is None else f"{output.datatype} {list(output.shape)}"
        raise ValueError(f"output {spec.name}: expected {spec.datatype} {shape}, got {got}")
    return np.frombuffer(contents, spec.dtype).reshape(spec.shape)


def _verdict(values: Mapping[str, NDArray[np.float32]]) -> Verdict:
    for name, (least, most) in _BOUNDS.items():
        array = values[name]
        found = np.minimum.reduce(array, axis=None), np.maximum.reduce(array, axis=None)
        # Written so that NaN does not pass: it is the least and the most, and compares as neither.
        if not (found[0] >= least and found[1] <= most):
            raise rejected(
                f"output {name}: expected numbers within {least:g}..{most:g}, got others"
            )
    return Verdict(
        logit=float(values[tensors.LOGIT][0]),
        member_logits=tuple(float(logit) for logit in values[tensors.MEMBER_LOGITS]),
        disagreement=float(values[tensors.DISAGREEMENT][0]),
        anomaly_map=values[tensors.ANOMALY_MAP],
    )
