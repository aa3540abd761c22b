"""One Triton server: windows out, verdicts in, its errors named for the caller."""

import asyncio
import json
import re
import ssl
from contextlib import suppress
from typing import Any, Final, Self

from grpc import RpcError
from meltwatch_chassis.connecting import Peer, tls_context, tls_problem
from meltwatch_chassis.errors import ConfigurationError, FatalError
from meltwatch_chassis.settings import TritonSettings
from meltwatch_schemas import tensors
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.text import escaped
from meltwatch_schemas.window import WindowSpec
from tritonclient.grpc import service_pb2
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException

from meltwatch_core.join.window import AlignedWindow
from meltwatch_core.scoring.errors import DeadStubError, EndpointError, ReloadRefusedError
from meltwatch_core.scoring.ports import EnsembleIdentity, Verdict
from meltwatch_core.scoring.triton_call import METHOD, ScoringCall, rejected
from meltwatch_core.scoring.triton_config import read_form

# Giving options replaces the client's own, its unlimited message size included. Pings are rarer
# than any server forbids (every 300 s without data, never without calls: "too_many_pings"); a
# server that hangs is found by its missing beats. The timeout also bounds unacknowledged bytes,
# so that a connection that leads nowhere any more is given up.
_CHANNEL_OPTIONS: Final = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.keepalive_time_ms", 360_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 0),
    ("grpc.min_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2_000),
]
# Questions about a model are answered at once or not at all; loading one takes its time.
_QUESTION_DEADLINE_S: Final = 5.0
_BEAT_DEADLINE_S: Final = 4.0
# Why nobody answers is asked step by step; whoever waits for the answer is told within 15 s.
_EXPLANATION_S: Final = 3.0
_RELOAD_DEADLINE_S: Final = 120.0
_LONGEST_LINE: Final = 300
_CA: Final = "MELTWATCH_TRITON_CA_FILE"
_RELOADS: Final = "reloads"
_NONSENSE: Final = "NONSENSE"
"""Code of an endpoint whose answer does not fit the question."""
_NEVER: Final = ("UNAUTHENTICATED", "PERMISSION_DENIED", "UNIMPLEMENTED")
# The instance's name is the model's with two numbers.
_DEAD_STUB: Final = re.compile(r"Stub process '(?P<model>[^']+)_\d+_\d+' is not healthy")
# Model control "none" and "poll" say the one, a protocol closed by a key says the other.
_CONTROL_CLOSED: Final = re.compile(r"load / unload is not allowed|protocol is restricted")


class TritonEndpoint:
    """Scores windows on one Triton server, with one client for the process.

    Parameters
    ----------
    address
        ``host:port`` of its gRPC service.
    settings
        TLS.
    spec
        Geometry that the ensemble must share.
    deadline_s
        Longest wait for one verdict.
    ensemble
        Which ensemble of the server is asked.

    Attributes
    ----------
    name
        The address.
    """

    def __init__(
        self,
        address: str,
        settings: TritonSettings,
        spec: WindowSpec,
        deadline_s: float,
        ensemble: str = tensors.ENSEMBLE,
    ) -> None:
        self.name = address
        self._ensemble = ensemble
        self._spec = spec
        self._deadline_s = deadline_s
        self._call: ScoringCall | None = None
        self._peer = Peer("Triton", address.removeprefix("dns:///"), _CA)
        self._tls = _context(settings)
        self._client = InferenceServerClient(
            address,
            ssl=settings.triton_tls,
            root_certificates=settings.triton_ca_file and str(settings.triton_ca_file),
            channel_args=_CHANNEL_OPTIONS,
        )
        # The client's own way to its channel copies each window twice more.
        self._infer = self._client._channel.unary_unary(  # noqa: SLF001 - it shows it nobody
            METHOD, response_deserializer=service_pb2.ModelInferResponse.FromString
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()

    async def identify(self) -> EnsembleIdentity:
        """Ask the ensemble who it is and check its form against the contract.

        Raises
        ------
        EndpointError
            If it does not answer or is not loaded.
        FatalError
            If its tensors or parameters are not those of the contract.
        """
        await self.beat()
        try:
            answer = await self._client.get_model_config(
                self._ensemble, client_timeout=_QUESTION_DEADLINE_S
            )
        except InferenceServerException as error:
            raise await self._explained(self._translated(error)) from error
        try:
            form = read_form(answer.config, self._spec)
        except FatalError as error:
            raise FatalError(self._line(f"ensemble {self._ensemble}: {error}")) from error
        except Exception as error:
            raise EndpointError(_NONSENSE, self._line(f"its configuration: {error!r}")) from error
        self._call = ScoringCall(self._ensemble, form)
        return form.identity

    async def beat(self) -> None:
        """Ask for a sign of life: whether the ensemble is loaded.

        Raises
        ------
        EndpointError
            If it does not answer or is not loaded.
        FatalError
            If this client may not ask at all.
        """
        try:
            ready = await self._client.is_model_ready(
                self._ensemble, client_timeout=_BEAT_DEADLINE_S
            )
        except InferenceServerException as error:
            raise await self._explained(self._translated(error)) from error
        if not ready:
            raise EndpointError("NOT_FOUND", self._line(f"{self._ensemble} is not ready"))

    async def score_window(self, window: AlignedWindow) -> Verdict:
        """Return the verdict on a window that has at least one modality.

        Raises
        ------
        DeadStubError
            If the process behind one of the models is dead.
        EndpointError
            If the ensemble does not answer in time or fails, or with other tensors than it said.
        ContractViolation
            ``scoring_rejected`` if it refuses this window, or answers with numbers that no verdict
            can hold: they may come from what the window holds.
        FatalError
            If this client may not ask at all.
        """
        call = self._call
        if call is None:
            raise FatalError("scorer: expected identify() before the first window")
        try:
            answer = await self._infer(call.request(window), timeout=self._deadline_s)
        except RpcError as error:
            raise self._translated(_as_said(error)) from error
        try:
            return call.verdict(answer)
        except ContractViolation:
            raise
        except Exception as error:
            # The server's fault, not the window's: other endpoints may answer.
            said = escaped(f"its answer: {error}"[:_LONGEST_LINE])
            raise EndpointError(_NONSENSE, self._line(said)) from error

    async def reload(self, model: str) -> None:
        """Replace a model by a new instance of itself.

        Triton takes a load of an unchanged model as done, so its own configuration goes along
        with one number changed. Unlike an unload and a load, one call cannot be cut short in the
        middle; and of two processes that do this at once, one finds it done.

        Raises
        ------
        ReloadRefusedError
            If the server's model control is not explicit, or closed to us.
        EndpointError
            If it does not answer or the model does not load.
        """
        deadline = {"client_timeout": _RELOAD_DEADLINE_S}
        try:
            answer = await self._client.get_model_config(model, as_json=True, **deadline)
            config = _counted_up(answer["config"])
            await self._client.load_model(model, config=json.dumps(config), **deadline)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise EndpointError(_NONSENSE, self._line(f"its configuration: {error!r}")) from error
        except InferenceServerException as error:
            code, text = _code_of(error), self._said(error)
            if code in _NEVER or _CONTROL_CLOSED.search(text):
                raise ReloadRefusedError(text) from error
            raise EndpointError(code, text) from error

    def _translated(self, error: InferenceServerException) -> Exception:
        code, text = _code_of(error), self._said(error)
        if code == "INVALID_ARGUMENT":
            return rejected(text)
        if code in _NEVER:
            return FatalError(text)
        dead = _DEAD_STUB.search(text)
        return DeadStubError(code, text, dead["model"]) if dead else EndpointError(code, text)

    async def _explained(self, error: Exception) -> Exception:
        """Return why the server cannot be talked to, if that is what an error means."""
        if not isinstance(error, EndpointError) or error.code != "UNAVAILABLE":
            return error
        cause = None
        with suppress(TimeoutError):
            async with asyncio.timeout(_EXPLANATION_S):
                cause = await asyncio.to_thread(tls_problem, self._peer, self._tls)
        return error if cause is None else EndpointError(error.code, str(cause))

    def _said(self, error: InferenceServerException) -> str:
        said = " ".join(str(error.message() or "").split())
        return self._line(f"{_code_of(error)}: {escaped(said)}"[:_LONGEST_LINE])

    def _line(self, text: str) -> str:
        return f"Triton at {self.name}: {text}"


def _context(settings: TritonSettings) -> ssl.SSLContext | None:
    if settings.triton_tls:
        return tls_context(settings.triton_ca_file, _CA)
    if settings.triton_ca_file is not None:
        raise ConfigurationError(f"MELTWATCH_TRITON_TLS: expected true beside {_CA}, got false")
    return None


def _as_said(error: Any) -> InferenceServerException:
    """Return an error of gRPC as the client gives those of its other calls."""
    return InferenceServerException(error.details(), str(error.code()))


def _code_of(error: InferenceServerException) -> str:
    return str(error.status()).removeprefix("StatusCode.")


def _counted_up(config: dict[str, Any]) -> dict[str, Any]:
    parameters = config.get("parameters", {})
    reloads = int(parameters.get(_RELOADS, {}).get("string_value", 0))
    return config | {"parameters": parameters | {_RELOADS: {"string_value": str(reloads + 1)}}}
