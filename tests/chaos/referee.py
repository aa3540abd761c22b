"""A Triton asked once more, by a plain client, for the logits of what the rule gives."""

import asyncio
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tritonclient.grpc import InferInput, InferRequestedOutput
from tritonclient.grpc.aio import InferenceServerClient

from tests.chaos.verdict import Tensors

_AT_ONCE = 8
_BATCH = 4
_TYPES = {"patches": "FP16", "currents": "FP32", "available": "FP32"}
_told: dict[bytes, float] = {}
"""What he has answered before: campaigns of one seed send the same windows."""


class Referee:
    """Asks a Triton.

    Parameters
    ----------
    address
        Of its gRPC service.
    ca
        Who signed its certificate, where it speaks TLS.
    """

    def __init__(self, address: str, ca: Path | None = None) -> None:
        self._address = address
        self._tls = {"ssl": True, "root_certificates": str(ca)} if ca else {}

    def __call__(self, windows: Sequence[Tensors]) -> list[float]:
        """The logit of each window."""
        keys = [_digest(window) for window in windows]
        unknown = {key: each for key, each in zip(keys, windows, strict=True) if key not in _told}
        _told.update(zip(unknown, asyncio.run(self._ask([*unknown.values()])), strict=True))
        return [_told[key] for key in keys]

    async def _ask(self, windows: Sequence[Tensors]) -> list[float]:
        room = asyncio.Semaphore(_AT_ONCE)
        client = InferenceServerClient(self._address, **self._tls)

        async def logits(batch: Sequence[Tensors]) -> list[float]:
            async with room:
                answer = await client.infer(
                    "fmformer", _inputs(batch), outputs=[InferRequestedOutput("logit")]
                )
            return [float(value) for value in answer.as_numpy("logit")[:, 0]]

        batches = [windows[start : start + _BATCH] for start in range(0, len(windows), _BATCH)]
        try:
            found = await asyncio.gather(*map(logits, batches))
        finally:
            await client.close()
        return [logit for batch in found for logit in batch]


def _digest(window: Tensors) -> bytes:
    clip, grid, available = window
    arrays = [_or_zeros(clip, 0, np.float16), _or_zeros(grid, 0, np.float32), np.array(available)]
    return sha256(b"/".join(array.tobytes() for array in arrays)).digest()


def _inputs(batch: Sequence[Tensors]) -> list[InferInput]:
    arrays: dict[str, NDArray[Any]] = {
        "patches": np.stack([_or_zeros(clip, (10, 64, 192), np.float16) for clip, _, _ in batch]),
        "currents": np.stack([_or_zeros(grid, (240, 3), np.float32) for _, grid, _ in batch]),
        "available": np.array([available for _, _, available in batch], np.float32),
    }
    tensors = []
    for name, array in arrays.items():
        tensor = InferInput(name, list(array.shape), _TYPES[name])
        tensor.set_data_from_numpy(array)
        tensors.append(tensor)
    return tensors


def _or_zeros(array: NDArray[Any] | None, shape: int | tuple[int, ...], dtype: Any) -> NDArray[Any]:
    return np.zeros(shape, dtype) if array is None else array
