"""An ensemble's own description, held against the contract before the first window."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from meltwatch_chassis.errors import FatalError
from meltwatch_schemas import tensors
from meltwatch_schemas.bounds import MAX_ID, MAX_MEMBERS
from meltwatch_schemas.encoder import dims_of
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.score import ModelIdentity
from meltwatch_schemas.tensors import TensorSpec
from meltwatch_schemas.text import escaped, is_printable
from meltwatch_schemas.window import WindowSpec
from tritonclient.grpc import model_config_pb2

from meltwatch_core.scoring.ports import EnsembleIdentity


@dataclass(frozen=True, slots=True)
class EnsembleForm:
    """What is sent to an ensemble and what comes back, once it has been checked.

    Attributes
    ----------
    identity
        Model and encoder.
    inputs, outputs
        Tensors without their batch dimension.
    """

    identity: EnsembleIdentity
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


def read_form(config: Any, spec: WindowSpec) -> EnsembleForm:
    """Return the form of an ensemble from its ``ModelConfig``.

    Parameters
    ----------
    config
        A ``ModelConfig`` message, as the server gives it or as ``config.pbtxt`` holds it.
    spec
        The window geometry that the ensemble must have been made for.

    Raises
    ------
    FatalError
        Naming the first difference: a missing parameter, another ``spec_id``, an encoder id
        of another form, a tensor of another name, type or shape.
    """
    parameters = {name: value.string_value for name, value in config.parameters.items()}
    _check_parameters(parameters, spec)
    encoder_id = parameters["encoder_id"]
    members = [name for name in parameters["members"].split(",") if name]
    if not 1 <= len(members) <= MAX_MEMBERS:
        raise _mismatch(f"1..{MAX_MEMBERS} members", str(len(members)))
    if config.max_batch_size < 1:
        raise _mismatch("max_batch_size of at least 1", str(config.max_batch_size))
    inputs, outputs = tensors.inputs(spec, _dims(encoder_id)), tensors.outputs(len(members))
    _check_tensors("inputs", inputs, config.input)
    _check_tensors("outputs", outputs, config.output)
    model = ModelIdentity(config.name, parameters["model_version"], parameters["digest"])
    texts = tuple(_text(each.name, each.datatype, each.shape) for each in (*inputs, *outputs))
    return EnsembleForm(EnsembleIdentity(model, encoder_id, texts), inputs, outputs)


def _check_parameters(parameters: Mapping[str, str], spec: WindowSpec) -> None:
    missing = [name for name in tensors.PARAMETERS if not parameters.get(name)]
    if missing:
        raise _mismatch(f"parameters {', '.join(missing)}", "none of them")
    for name in tensors.PARAMETERS:
        if len(parameters[name]) > MAX_ID or not is_printable(parameters[name]):
            raise _mismatch(
                f"a parameter {name} of at most {MAX_ID} printable characters",
                repr(escaped(parameters[name][:80])),
            )
    if parameters["spec_id"] != spec.spec_id:
        raise _mismatch(f"spec_id {spec.spec_id}", parameters["spec_id"])


def _dims(encoder_id: str) -> int:
    try:
        return dims_of(encoder_id)
    except ContractViolation as error:
        raise _mismatch("an encoder_id '<name>-<d>-<12 hex>'", repr(encoder_id)) from error


def _check_tensors(kind: str, expected: Iterable[TensorSpec], found: Iterable[Any]) -> None:
    wanted = sorted(_text(spec.name, spec.datatype, spec.shape) for spec in expected)
    got = sorted(
        _text(
            tensor.name,
            model_config_pb2.DataType.Name(tensor.data_type).removeprefix("TYPE_"),
            tensor.dims,
        )
        for tensor in found
    )
    if wanted != got:
        raise _mismatch(f"{kind} {'; '.join(wanted)}", "; ".join(got) or "none")


def _text(name: str, datatype: str, shape: Iterable[int]) -> str:
    return f"{name} {datatype} {list(shape)}"


def _mismatch(expected: str, got: str) -> FatalError:
    return FatalError(
        f"expected {expected}, got {got}; serve a model repository that was exported for this "
        "version"
    )
