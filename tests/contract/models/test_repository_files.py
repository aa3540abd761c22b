"""The model repository against the contracts, without a server and without PyTorch."""

from pathlib import Path
from typing import Any

import pytest
from google.protobuf import text_format  # type: ignore[import-untyped]  # ships no types
from meltwatch_schemas import tensors
from meltwatch_schemas.default_setpoint import MODEL_DIGEST
from meltwatch_schemas.encoder import default_encoder, dims_of
from meltwatch_schemas.window import PUBLISHED_SPEC
from tritonclient.grpc import model_config_pb2

from tests.support.repositories import digest_of

ROOT = Path(__file__).parents[3]
REPOSITORY = ROOT / "triton_models" / "repository"
MODELS = sorted(path.name for path in REPOSITORY.iterdir())
STEPS = [name for name in MODELS if name != tensors.ENSEMBLE]
SIZE_LIMIT = 12 * 2**20


def config(name: str) -> Any:
    text = (REPOSITORY / name / "config.pbtxt").read_text()
    return text_format.Parse(text, model_config_pb2.ModelConfig())


def shapes(side: Any) -> dict[str, tuple[str, tuple[int, ...]]]:
    types = model_config_pb2.DataType
    return {t.name: (types.Name(t.data_type).removeprefix("TYPE_"), tuple(t.dims)) for t in side}


def parameters() -> dict[str, str]:
    found = config(tensors.ENSEMBLE).parameters
    return {key: value.string_value for key, value in found.items()}


def test_the_ensemble_has_the_tensors_of_the_contract() -> None:
    ensemble = config(tensors.ENSEMBLE)
    stated = parameters()
    dims, members = dims_of(stated["encoder_id"]), stated["members"].split(",")
    inputs = tensors.inputs(PUBLISHED_SPEC, dims)
    outputs = tensors.outputs(len(members))
    assert shapes(ensemble.input) == {t.name: (t.datatype, t.shape) for t in inputs}
    assert shapes(ensemble.output) == {t.name: (t.datatype, t.shape) for t in outputs}


def test_the_ensemble_says_what_it_was_made_for() -> None:
    stated = parameters()
    assert set(stated) == set(tensors.PARAMETERS)
    assert stated["spec_id"] == PUBLISHED_SPEC.spec_id
    assert stated["encoder_id"] == default_encoder().encoder_id
    members = [f"fmformer_member_{letter}" for letter in stated["members"].split(",")]
    assert members == [name for name in MODELS if name.startswith("fmformer_member_")]


def test_the_digest_is_that_of_the_steps_files() -> None:
    assert parameters()["digest"] == digest_of(REPOSITORY)


def test_the_default_set_point_is_for_the_shipped_ensemble() -> None:
    assert parameters()["digest"] == MODEL_DIGEST


@pytest.mark.parametrize("name", STEPS)
def test_a_step_runs_unchanged_on_any_server(name: str) -> None:
    step = config(name)
    assert step.name == name
    assert step.backend == "onnxruntime"
    assert step.runtime == ""
    assert [(group.count, group.kind) for group in step.instance_group] == [(1, 0)]
    # Queue policies stall the batcher of release 24.10 in steps of half a second.
    assert not step.HasField("dynamic_batching")
    assert step.max_batch_size == config(tensors.ENSEMBLE).max_batch_size


def test_every_tensor_of_every_step_is_wired_to_one_of_equal_type() -> None:
    ensemble = config(tensors.ENSEMBLE)
    known = shapes(ensemble.input)
    for step in ensemble.ensemble_scheduling.step:
        model = config(step.model_name)
        assert set(step.input_map) == set(shapes(model.input))
        assert set(step.output_map) == set(shapes(model.output))
        for tensor, source in step.input_map.items():
            assert shapes(model.input)[tensor] == known[source]
        known |= {step.output_map[t]: kind for t, kind in shapes(model.output).items()}
    assert shapes(ensemble.output).items() <= known.items()
    assert {step.model_name for step in ensemble.ensemble_scheduling.step} == set(STEPS)


def test_the_repository_holds_models_and_nothing_else() -> None:
    expected = {f"{name}/config.pbtxt" for name in MODELS}
    expected |= {f"{name}/1/model.onnx" for name in STEPS} | {f"{tensors.ENSEMBLE}/1/.gitkeep"}
    files = [path for path in REPOSITORY.rglob("*") if path.is_file()]
    assert {path.relative_to(REPOSITORY).as_posix() for path in files} == expected
    assert sum(path.stat().st_size for path in files) <= SIZE_LIMIT
