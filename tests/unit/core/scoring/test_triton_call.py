"""What is written by hand of Triton's protocol is what its own client would write."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from google.protobuf.wrappers_pb2 import UInt64Value  # type: ignore[import-untyped]  # ships no types
from meltwatch_core.join.window import AlignedWindow
from meltwatch_core.scoring.triton_call import METHOD, ScoringCall, _varint
from meltwatch_schemas.errors import ContractViolation, Refusal
from meltwatch_schemas.tensors import TensorSpec
from tritonclient.grpc import InferInput, InferRequestedOutput, service_pb2
from tritonclient.grpc._utils import _get_inference_request

from tests.unit.core.scoring.samples import FORM, window

CALL = ScoringCall("fmformer", FORM)
DIMS = FORM.inputs[0].shape[-1]


def random_window() -> AlignedWindow:
    chance = np.random.default_rng(7)
    return replace(
        window(),
        embeddings=list(chance.normal(50, 20, (10, 64, DIMS)).astype(np.float16)),
        currents_a=chance.normal(40_000, 2_000, (240, 3)).astype(np.float32),
    )


def by_the_client(asked: AlignedWindow) -> Any:
    """The request as Triton's own client writes it."""
    present = [asked.clip is not None, asked.currents_a is not None]
    arrays = {
        "patches": asked.clip,
        "currents": asked.currents_a,
        "available": np.array(present, np.float32),
    }
    none = {"sequence_id": 0, "sequence_start": False, "sequence_end": False, "priority": 0}
    return _get_inference_request(
        model_name="fmformer",
        inputs=[_input(spec, arrays[spec.name]) for spec in FORM.inputs],
        outputs=[InferRequestedOutput(spec.name) for spec in FORM.outputs],
        model_version="", request_id="", timeout=None, parameters=None, **none,
    )  # fmt: skip


def _input(spec: TensorSpec, array: Any) -> InferInput:
    values = np.zeros(spec.shape, spec.dtype) if array is None else array
    made = InferInput(spec.name, [1, *spec.shape], spec.datatype)
    made.set_data_from_numpy(values[np.newaxis])
    return made


@pytest.mark.parametrize("absent", [{}, {"embeddings": None}, {"currents_a": None}])
def test_a_request_is_that_of_the_client(absent: dict[str, None]) -> None:
    asked = replace(random_window(), **absent)  # type: ignore[arg-type]
    request = service_pb2.ModelInferRequest.FromString(CALL.request(asked))
    assert request == by_the_client(asked)


def test_an_array_that_is_not_in_one_piece_is_sent_as_it_reads() -> None:
    asked = random_window()
    assert asked.currents_a is not None
    turned = replace(asked, currents_a=np.asfortranarray(asked.currents_a))
    assert CALL.request(turned) == CALL.request(asked)


@pytest.mark.parametrize(
    "other",
    [
        {"embeddings": [*np.zeros((10, 64, DIMS + 1), np.float16)]},
        {"embeddings": [*np.zeros((10, 64, DIMS), np.float32)]},
        {"embeddings": [*np.zeros((9, 64, DIMS), np.float16)]},
        {"currents_a": np.zeros((239, 3), np.float32)},
    ],
)
def test_a_window_of_another_form_is_rejected(other: dict[str, Any]) -> None:
    with pytest.raises(ContractViolation) as refusal:
        CALL.request(replace(random_window(), **other))
    assert refusal.value.reason is Refusal.SCORING_REJECTED


@pytest.mark.parametrize("number", [1, 127, 128, 200, 255, 256, 16_383, 16_384, 245_760, 2**32])
def test_a_length_is_written_as_protobuf_writes_it(number: int) -> None:
    assert b"\x08" + _varint(number) == UInt64Value(value=number).SerializeToString()


def test_the_method_is_the_clients() -> None:
    (service,) = service_pb2.DESCRIPTOR.services_by_name.values()
    method = service.methods_by_name["ModelInfer"]
    assert f"/{service.full_name}/{method.name}" == METHOD
