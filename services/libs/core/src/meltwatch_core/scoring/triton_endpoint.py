"""One Triton server: tensors out, verdicts in, its errors named for the caller."""

import asyncio
import json
import re
import ssl
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final, Self

import numpy as np
from meltwatch_chassis.connecting import Peer, tls_context, tls_problem
from meltwatch_chassis.errors import ConfigurationError, FatalError
from meltwatch_chassis.settings import TritonSettings
from meltwatch_schemas import tensors
from meltwatch_schemas.bounds import MAX_LOGIT
from meltwatch_schemas.errors import ContractViolation, Refusal
from meltwatch_schemas.score import Modality
from meltwatch_schemas.tensors import TensorSpec
from meltwatch_schemas.text import escaped
from meltwatch_schemas.window import WindowSpec
from numpy.typing import NDArray
from tritonclient.grpc import InferInput, InferRequestedOutput, InferResult
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException

from meltwatch_core.join.window import AlignedWindow
from meltwatch_core.scoring.errors import DeadStubError, EndpointError, ReloadRefusedError
from meltwatch_core.scoring.ports import EnsembleIdentity, Verdict
from meltwatch_core.scoring.triton_config import EnsembleForm, read_form

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
_ROUNDING: Final = 1e-3
_RELOADS: Final = "reloads"
_NONSENSE: Final = "NONSENSE"
"""Code of an endpoint whose answer does not fit the question."""
_BOUNDS: Final = {
    tensors.LOGIT: (-MAX_LOGIT, MAX_LOGIT),
    tensors.MEMBER_LOGITS: (-MAX_LOGIT, MAX_LOGIT),
    tensors.DISAGREEMENT: (0.0, MAX_LOGIT),
    tensors.ANOMALY_MAP: (-_ROUNDING, 1.0 + _ROUNDING),
}
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
        self._form: EnsembleForm | None = None
        self._peer = Peer("Triton", address.removeprefix("dns:///"), _CA)
        self._tls = _context(settings)
        self._client = InferenceServerClient(
            address,
            ssl=settings.triton_tls,
            root_certificates=settings.triton_ca_file and str(settings.triton_ca_file),
            channel_args=_CHANNEL_OPTIONS,
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
            self._form = read_form(answer.config, self._spec)
        except FatalError as error:
            raise FatalError(self._line(f"ensemble {self._ensemble}: {error}")) from error
        except Exception as error:
            raise EndpointError(_NONSENSE, self._line(f"its configuration: {error!r}")) from error
        return self._form.identity

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
        form = self._form
        if form is None:
            raise FatalError("scorer: expected identify() before the first window")
        try:
            result = await self._client.infer(
                self._ensemble,
                _inputs(window, form),
                outputs=[InferRequestedOutput(spec.name) for spec in form.outputs],
                client_timeout=self._deadline_s,
            )
        except InferenceServerException as error:
            raise self._translated(error) from error
        try:
            outputs = {spec.name: _output(result, spec) for spec in form.outputs}
        except Exception as error:
            # The server's fault, not the window's: other endpoints may answer.
            said = escaped(f"its answer: {error}"[:_LONGEST_LINE])
            raise EndpointError(_NONSENSE, self._line(said)) from error
        return _verdict(outputs)

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
            return _rejected(text)
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


def _code_of(error: InferenceServerException) -> str:
    return str(error.status()).removeprefix("StatusCode.")


def _counted_up(config: dict[str, Any]) -> dict[str, Any]:
    parameters = config.get("parameters", {})
    reloads = int(parameters.get(_RELOADS, {}).get("string_value", 0))
    return config | {"parameters": parameters | {_RELOADS: {"string_value": str(reloads + 1)}}}


def _inputs(window: AlignedWindow, form: EnsembleForm) -> list[InferInput]:
    available = np.array([modality in window.modalities for modality in Modality], np.float32)
    arrays = {
        tensors.PATCHES_INPUT: window.clip,
        tensors.CURRENTS_INPUT: window.currents_a,
        tensors.AVAILABLE_INPUT: available,
    }
    return [_input(spec, arrays[spec.name]) for spec in form.inputs]


def _input(spec: TensorSpec, array: NDArray[Any] | None) -> InferInput:
    values = np.zeros(spec.shape, spec.dtype) if array is None else array
    tensor = InferInput(spec.name, [1, *values.shape], spec.datatype)
    tensor.set_data_from_numpy(values[np.newaxis])
    return tensor


def _verdict(values: Mapping[str, NDArray[np.float32]]) -> Verdict:
    for name, (least, most) in _BOUNDS.items():
        array = values[name]
        # Written so that NaN does not pass: it compares as neither.
        if not ((array >= least) & (array <= most)).all():
            raise _rejected(
                f"output {name}: expected numbers within {least:g}..{most:g}, got others"
            )
    return Verdict(
        logit=float(values[tensors.LOGIT][0]),
        member_logits=tuple(float(logit) for logit in values[tensors.MEMBER_LOGITS]),
        disagreement=float(values[tensors.DISAGREEMENT][0]),
        anomaly_map=values[tensors.ANOMALY_MAP],
    )


def _output(result: InferResult, spec: TensorSpec) -> NDArray[np.float32]:
    array: NDArray[np.float32] | None = result.as_numpy(spec.name)
    expected = f"{spec.dtype} {[1, *spec.shape]}"
    got = None if array is None else f"{array.dtype} {list(array.shape)}"
    if array is None or got != expected:
        raise ValueError(f"output {spec.name}: expected {expected}, got {got}")
    values: NDArray[np.float32] = array[0]
    return values


def _rejected(detail: str) -> ContractViolation:
    return ContractViolation(Refusal.SCORING_REJECTED, detail)
