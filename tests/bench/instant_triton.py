"""``python -m tests.bench.instant_triton [DIMS]``: speaks Triton's protocol, answers at once.

What is measured against it is our own work: no network is computed. It prints its address.
"""

import asyncio
import sys
from typing import Any, Final

import numpy as np
from google.protobuf import text_format  # type: ignore[import-untyped]  # ships no types
from meltwatch_schemas.encoder import Encoder, dct_basis
from tritonclient.grpc import model_config_pb2, service_pb2

from tests.support.lying_triton import LyingTriton, tensor
from tests.support.source import ROOT

CONFIG: Final = ROOT / "triton_models/repository/fmformer/config.pbtxt"


class InstantTriton(LyingTriton):
    """Gives the same verdict on every window of a request, made beforehand."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self._answers: dict[int, Any] = {}

    async def ModelInfer(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's
        """Give the verdict: all is well."""
        batch = request.inputs[0].shape[0]
        if batch not in self._answers:
            self._answers[batch] = self._answer(batch)
        return self._answers[batch]

    def _answer(self, batch: int) -> Any:
        said = service_pb2.ModelInferResponse(model_name="fmformer", model_version="1")
        tensor(said, "logit", np.full((batch, 1), -3.0))
        tensor(said, "member_logits", np.tile(np.linspace(-3.5, -2.5, self._members), (batch, 1)))
        tensor(said, "disagreement", np.full((batch, 1), 0.4))
        tensor(said, "anomaly_map", np.zeros((batch, 64, 64)))
        return said


async def _serve(dims: int) -> None:
    config = text_format.Parse(CONFIG.read_text(), model_config_pb2.ModelConfig())
    config.input[0].dims[2] = dims
    encoder_id = Encoder("dct", dct_basis(dims)).encoder_id
    config.parameters["encoder_id"].string_value = encoder_id
    async with InstantTriton(config) as server:
        print(server.address, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]) if len(sys.argv) > 1 else 192))
