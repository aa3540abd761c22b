"""A real Triton over the committed repository answers as the trainer's PyTorch did."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from meltwatch_schemas import tensors
from meltwatch_schemas.encoder import default_encoder
from numpy.typing import NDArray
from tritonclient import grpc

pytestmark = pytest.mark.integration

TOLERANCE: Final = 1e-3
ANSWERS: Final = (
    tensors.LOGIT,
    tensors.MEMBER_LOGITS,
    tensors.DISAGREEMENT,
    tensors.ANOMALY_MAP,
)


@pytest.fixture(scope="module")
def reference() -> dict[str, NDArray[Any]]:
    with np.load(Path(__file__).parent / "reference.npz") as frozen:
        return dict(frozen)


@pytest.fixture
def client(triton: Any) -> Iterator[grpc.InferenceServerClient]:
    with grpc.InferenceServerClient(triton.address) as connected:
        yield connected


def infer(
    client: grpc.InferenceServerClient,
    patches: NDArray[np.float16],
    currents: NDArray[np.float32],
    available: NDArray[np.float32],
) -> dict[str, NDArray[np.float32]]:
    values: dict[str, tuple[NDArray[Any], str]] = {
        tensors.PATCHES_INPUT: (patches, "FP16"),
        tensors.CURRENTS_INPUT: (currents, "FP32"),
        tensors.AVAILABLE_INPUT: (available, "FP32"),
    }
    inputs = []
    for name, (array, datatype) in values.items():
        tensor = grpc.InferInput(name, list(array.shape), datatype)
        tensor.set_data_from_numpy(array)
        inputs.append(tensor)
    answer = client.infer(tensors.ENSEMBLE, inputs, client_timeout=60)
    return {name: answer.as_numpy(name) for name in ANSWERS}


def case(reference: dict[str, NDArray[Any]], number: int) -> tuple[NDArray[Any], ...]:
    """Return patches, currents, available of one case, batch of one."""
    window = reference["clip_of_case"][number]
    patches = default_encoder().encode(reference["clips"][window])
    return patches[None], reference["currents"][window][None], reference["available"][number][None]


def test_every_frozen_case_is_answered_as_frozen(
    client: grpc.InferenceServerClient, reference: dict[str, NDArray[Any]]
) -> None:
    for number in range(len(reference["available"])):
        answer = infer(client, *case(reference, number))
        for name in ANSWERS:
            worst = np.abs(answer[name][0] - reference[name][number]).max()
            assert worst <= TOLERANCE, f"case {number}, {name}: off by {worst}"


def test_a_batch_is_answered_as_its_windows_one_by_one(
    client: grpc.InferenceServerClient, reference: dict[str, NDArray[Any]]
) -> None:
    cases = [case(reference, number) for number in (0, 3, 5)]
    batch = [np.concatenate(arrays) for arrays in zip(*cases, strict=True)]
    answer = infer(client, batch[0], batch[1], batch[2])
    for row, number in enumerate((0, 3, 5)):
        worst = np.abs(answer[tensors.LOGIT][row] - reference[tensors.LOGIT][number]).max()
        assert worst <= TOLERANCE


@pytest.mark.parametrize("garbage", [np.nan, np.inf, -1e4, 0.0])
@pytest.mark.parametrize("absent", [0, 1], ids=["video", "current"])
def test_an_absent_modality_has_no_influence_whatever_its_tensor_holds(
    client: grpc.InferenceServerClient,
    reference: dict[str, NDArray[Any]],
    absent: int,
    garbage: float,
) -> None:
    window = list(case(reference, 1))
    available = np.ones((1, 2), dtype=np.float32)
    available[0, absent] = 0
    expected = infer(client, window[0], window[1], available)
    window[absent] = np.full_like(window[absent], garbage)
    answer = infer(client, window[0], window[1], available)
    for name in ANSWERS:
        assert np.array_equal(answer[name], expected[name])
    if absent == 0:
        assert not answer[tensors.ANOMALY_MAP].any()


def test_the_map_shows_where_the_spot_is(
    client: grpc.InferenceServerClient, reference: dict[str, NDArray[Any]]
) -> None:
    normal, hot = (infer(client, *case(reference, number)) for number in (0, 1))
    assert normal[tensors.LOGIT][0, 0] < 0 < hot[tensors.LOGIT][0, 0]
    assert hot[tensors.ANOMALY_MAP].max() > 0.5 > normal[tensors.ANOMALY_MAP].max()
    assert 0 <= hot[tensors.ANOMALY_MAP].min() <= hot[tensors.ANOMALY_MAP].max() <= 1
