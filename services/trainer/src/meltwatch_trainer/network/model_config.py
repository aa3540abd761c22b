"""Triton's configuration of the ensemble as text: one writer for every ``config.pbtxt``.

Slots of ``patches`` and ``currents`` are in time order: index 0 is the OLDEST, the last the newest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

ENSEMBLE = "fmformer"
MAX_BATCH_SIZE = 4
"""Batching costs throughput on a CPU; a plant's overlay may raise it for a GPU."""


@dataclass(frozen=True, slots=True)
class ConfigTensor:
    """A named tensor: Triton's data type and dimensions without the batch."""

    name: str
    data_type: str
    dims: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model's name and what goes in and out of it."""

    name: str
    inputs: tuple[ConfigTensor, ...]
    outputs: tuple[ConfigTensor, ...]


def ensemble_spec(members: int, dims: int) -> ModelSpec:
    """Return the contract of the ensemble ``fmformer`` for ``members`` members and ``dims`` = d."""
    return ModelSpec(
        "fmformer",
        (ConfigTensor("patches", "TYPE_FP16", (10, 64, dims)), *_window_inputs()),
        (
            ConfigTensor("logit", "TYPE_FP32", (1,)),
            ConfigTensor("member_logits", "TYPE_FP32", (members,)),
            ConfigTensor("disagreement", "TYPE_FP32", (1,)),
            ConfigTensor("anomaly_map", "TYPE_FP32", (64, 64)),
        ),
    )


def decode_spec(dims: int) -> ModelSpec:
    """Return the contract of the step that turns embeddings into whole greys."""
    patches = ConfigTensor("patches", "TYPE_FP16", (10, 64, dims))
    return ModelSpec("fmformer_decode", (patches,), (_clip(),))


def member_spec(letter: str) -> ModelSpec:
    """Return the contract of one member."""
    return ModelSpec(
        f"fmformer_member_{letter}",
        (_clip(), *_window_inputs()),
        (
            ConfigTensor("logit", "TYPE_FP32", (1,)),
            ConfigTensor("map_logits", "TYPE_FP32", (64, 64)),
        ),
    )


def aggregate_spec(letters: Sequence[str]) -> ModelSpec:
    """Return the contract of the step that calibrates and fuses the members."""
    members = [tensor for letter in letters for tensor in _renamed_outputs(letter)]
    return ModelSpec(
        "fmformer_aggregate",
        (ConfigTensor("available", "TYPE_FP32", (2,)), *members),
        ensemble_spec(len(letters), dims=1).outputs,
    )


def step_config(model: ModelSpec) -> str:
    """Return the ``config.pbtxt`` of an ONNX step; valid unchanged on CPU and GPU servers."""
    return "\n".join(
        [
            f'name: "{model.name}"',
            'backend: "onnxruntime"',
            f"max_batch_size: {MAX_BATCH_SIZE}",
            *_tensors("input", model.inputs),
            *_tensors("output", model.outputs),
            "instance_group [ { count: 1 } ]",
            "",
        ]
    )


def ensemble_config(letters: Sequence[str], dims: int, parameters: Mapping[str, str]) -> str:
    """Return the ``config.pbtxt`` of the ensemble with its parameters."""
    model = ensemble_spec(len(letters), dims)
    window = _by_name(_window_inputs())
    steps = [_step(decode_spec(dims), {"patches": "patches"}, {"clip": "clip"})]
    for letter in letters:
        outputs = {"logit": f"logit_{letter}", "map_logits": f"map_logits_{letter}"}
        steps.append(_step(member_spec(letter), {"clip": "clip", **window}, outputs))
    aggregate = aggregate_spec(letters)
    steps.append(_step(aggregate, _by_name(aggregate.inputs), _by_name(aggregate.outputs)))
    return "\n".join(
        [
            f'name: "{model.name}"',
            'platform: "ensemble"',
            f"max_batch_size: {MAX_BATCH_SIZE}",
            "# Slots are in time order: index 0 of patches and currents is the oldest.",
            *_tensors("input", model.inputs),
            *_tensors("output", model.outputs),
            "ensemble_scheduling {",
            "  step [",
            ",\n".join(steps),
            "  ]",
            "}",
            *_parameters(parameters),
            "",
        ]
    )


def _by_name(tensors: Sequence[ConfigTensor]) -> dict[str, str]:
    return {tensor.name: tensor.name for tensor in tensors}


def _clip() -> ConfigTensor:
    return ConfigTensor("clip", "TYPE_UINT8", (10, 64, 64, 3))


def _window_inputs() -> tuple[ConfigTensor, ConfigTensor]:
    return (
        ConfigTensor("currents", "TYPE_FP32", (240, 3)),
        ConfigTensor("available", "TYPE_FP32", (2,)),
    )


def _renamed_outputs(letter: str) -> list[ConfigTensor]:
    outputs = member_spec(letter).outputs
    return [ConfigTensor(f"{t.name}_{letter}", t.data_type, t.dims) for t in outputs]


def _tensors(side: str, tensors: Sequence[ConfigTensor]) -> list[str]:
    rows = [
        f'  {{ name: "{t.name}" data_type: {t.data_type} dims: [ {", ".join(map(str, t.dims))} ] }}'
        for t in tensors
    ]
    return [f"{side} [", ",\n".join(rows), "]"]


def _step(model: ModelSpec, inputs: Mapping[str, str], outputs: Mapping[str, str]) -> str:
    lines = [f'      model_name: "{model.name}"', "      model_version: -1"]
    lines += [f'      input_map {{ key: "{k}" value: "{v}" }}' for k, v in inputs.items()]
    lines += [f'      output_map {{ key: "{k}" value: "{v}" }}' for k, v in outputs.items()]
    return "\n".join(["    {", *lines, "    }"])


def _parameters(parameters: Mapping[str, str]) -> list[str]:
    return [
        f'parameters {{ key: "{key}" value {{ string_value: "{value}" }} }}'
        for key, value in parameters.items()
    ]
