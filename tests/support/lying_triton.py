"""A gRPC server that speaks Triton's protocol and answers whatever a test wants.

::

    async with LyingTriton(config) as server:
        server.answer = lambda right: right.outputs.pop()
        TritonEndpoint(server.address, …)

It answers rightly until ``answer`` or ``describe`` changes the message before it goes out.
"""

from collections.abc import Callable
from typing import Any, Self

import grpc
import numpy as np
from tritonclient.grpc import service_pb2, service_pb2_grpc

Change = Callable[[Any], object]


def tensor(answer: Any, name: str, values: Any, datatype: str = "FP32") -> None:
    """Add an output to an answer."""
    array = np.asarray(values, np.float32)
    output = answer.outputs.add()
    output.name, output.datatype = name, datatype
    output.shape.extend(array.shape)
    answer.raw_output_contents.append(array.tobytes())


class LyingTriton(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]  # untyped
    """Serves one ensemble with a constant verdict, or with lies about it.

    Parameters
    ----------
    config
        The ensemble's ``ModelConfig``.
    """

    def __init__(self, config: Any) -> None:
        self._config = config
        self._members = len(config.parameters["members"].string_value.split(","))
        self._server = grpc.aio.server()
        self.answer: Change = lambda right: right
        self.describe: Change = lambda right: right
        self.address = ""

    async def __aenter__(self) -> Self:
        service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(self, self._server)
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        await self._server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop(None)

    async def ModelReady(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's
        """Say yes."""
        return service_pb2.ModelReadyResponse(ready=True)

    async def ModelConfig(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's
        """Describe the ensemble."""
        said = service_pb2.ModelConfigResponse()
        said.config.CopyFrom(self._config)
        self.describe(said.config)
        return said

    async def ModelInfer(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's
        """Give a verdict."""
        said = service_pb2.ModelInferResponse(model_name="fmformer", model_version="1")
        tensor(said, "logit", [[1.5]])
        tensor(said, "member_logits", [np.linspace(1.0, 2.0, self._members)])
        tensor(said, "disagreement", [[0.4]])
        tensor(said, "anomaly_map", np.full((1, 64, 64), 0.5))
        changed = self.answer(said)
        return changed if isinstance(changed, service_pb2.ModelInferResponse) else said
