"""A real Triton over the committed repository answers as the trainer's PyTorch did."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from meltwatch_schemas import tensors
from meltwatch_schemas.encoder import default_encoder
from meltwatch_schemas.window import PUBLISHED_SPEC
from meltwatch_simulator import SIMULATOR_REVISION, Scenario
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
Window = tuple[NDArray[np.float16], NDArray[np.float32], NDArray[np.float32]]
Arrays = dict[str, NDArray[Any]]


@pytest.fixture(scope="module")
def reference() -> Arrays:
    """Recipes of 200 random windows, a third of each availability, and PyTorch's answers."""
    with np.load(Path(__file__).parent / "reference.npz") as frozen:
        arrays = dict(frozen)
    assert arrays["simulator"] == SIMULATOR_REVISION, "export again: the windows have changed"
    return arrays


@pytest.fixture(scope="module")
def windows(reference: Arrays) -> list[Window]:
    """Patches, currents, available of each window, batches of one, drawn again."""
    names = tuple(reference["furnaces"].tolist())
    scenario = Scenario(int(reference["seed"]), names, int(reference["origin_ns"]), None)
    furnaces = [scenario.furnace(name) for name in names]
    frames_ns = np.arange(-9, 1) * PUBLISHED_SPEC.frame_stride_ns
    samples_ns = np.arange(-239, 1) * PUBLISHED_SPEC.sample_period_ns
    drawn = []
    for row, (number, end_ns) in enumerate(
        zip(reference["furnace"], reference["end_ns"], strict=True)
    ):
        patches = default_encoder().encode(furnaces[number].frames(end_ns + frames_ns))
        currents = furnaces[number].currents(end_ns + samples_ns)
        drawn.append((patches[None], currents[None], reference["available"][row][None]))
    return drawn


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


def pooled(anomaly_map: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a map as it is frozen: means of squares of 8 x 8 pixels."""
    means: NDArray[np.float32] = anomaly_map.reshape(8, 8, 8, 8).mean(axis=(1, 3))
    return means


def seen_with_both(reference: Arrays) -> NDArray[np.int64]:
    """Return the windows that have both modalities, from the least to the most anomalous."""
    both = np.flatnonzero(reference["available"].all(axis=1))
    ordered: NDArray[np.int64] = both[np.argsort(reference[tensors.LOGIT][both, 0])]
    return ordered


def test_every_window_is_answered_as_pytorch_did(
    client: grpc.InferenceServerClient, reference: Arrays, windows: list[Window]
) -> None:
    assert len(windows) == 200
    for row, window in enumerate(windows):
        answer = infer(client, *window)
        answer[tensors.ANOMALY_MAP] = pooled(answer[tensors.ANOMALY_MAP])[None]
        for name in ANSWERS:
            worst = np.abs(answer[name][0] - reference[name][row]).max()
            assert worst <= TOLERANCE, f"window {row}, {name}: off by {worst}"


def test_a_batch_is_answered_as_its_windows_one_by_one(
    client: grpc.InferenceServerClient, reference: Arrays, windows: list[Window]
) -> None:
    rows = range(4)
    patches, currents, available = (
        np.concatenate(arrays) for arrays in zip(*(windows[row] for row in rows), strict=True)
    )
    answer = infer(client, patches, currents, available)
    for row in rows:
        worst = np.abs(answer[tensors.LOGIT][row] - reference[tensors.LOGIT][row]).max()
        assert worst <= TOLERANCE


@pytest.mark.parametrize("garbage", [np.nan, np.inf, -1e4, 0.0])
@pytest.mark.parametrize("absent", [0, 1], ids=["video", "current"])
def test_an_absent_modality_has_no_influence_whatever_its_tensor_holds(
    client: grpc.InferenceServerClient,
    reference: Arrays,
    windows: list[Window],
    absent: int,
    garbage: float,
) -> None:
    window: list[NDArray[Any]] = list(windows[seen_with_both(reference)[-1]])
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
    client: grpc.InferenceServerClient, reference: Arrays, windows: list[Window]
) -> None:
    ordered = seen_with_both(reference)
    normal, hot = (infer(client, *windows[row]) for row in (ordered[0], ordered[-1]))
    assert normal[tensors.LOGIT][0, 0] < 0 < hot[tensors.LOGIT][0, 0]
    assert hot[tensors.ANOMALY_MAP].max() > 0.5 > normal[tensors.ANOMALY_MAP].max()
    assert 0 <= hot[tensors.ANOMALY_MAP].min() <= hot[tensors.ANOMALY_MAP].max() <= 1
