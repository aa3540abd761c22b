"""The ensemble's description is held against the contract, difference by difference."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import text_format  # type: ignore[import-untyped]  # ships no types
from meltwatch_chassis.errors import FatalError
from meltwatch_core.scoring.triton_config import read_form
from meltwatch_schemas.window import PUBLISHED_SPEC, WindowSpec
from tritonclient.grpc import model_config_pb2

CONFIG = Path(__file__).parents[4] / "triton_models/repository/fmformer/config.pbtxt"
Change = Callable[[Any], None]


@pytest.fixture
def config() -> Any:
    return text_format.Parse(CONFIG.read_text(), model_config_pb2.ModelConfig())


def test_the_ensemble_of_the_repository_fits(config: Any) -> None:
    form = read_form(config, PUBLISHED_SPEC)
    assert form.identity.model.name == "fmformer"
    assert form.identity.model.digest == config.parameters["digest"].string_value
    assert [spec.name for spec in form.inputs] == ["patches", "currents", "available"]
    assert form.identity.tensors[:2] == ("patches FP16 [10, 64, 192]", "currents FP32 [240, 3]")
    assert form.outputs[1].shape == (len(config.parameters["members"].string_value.split(",")),)


def drop_parameter(config: Any) -> None:
    del config.parameters["digest"]


def other_encoder(config: Any) -> None:
    config.parameters["encoder_id"].string_value = "nonsense"


def fewer_dims(config: Any) -> None:
    config.parameters["encoder_id"].string_value = "dct-96-0123456789ab"


def other_type(config: Any) -> None:
    config.input[0].data_type = model_config_pb2.TYPE_FP32


def other_shape(config: Any) -> None:
    config.output[3].dims[0] = 32


def missing_output(config: Any) -> None:
    del config.output[2]


def one_more_member(config: Any) -> None:
    config.parameters["members"].string_value += ",z"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (drop_parameter, "expected parameters digest"),
        (other_encoder, "expected an encoder_id"),
        (fewer_dims, r"patches FP16 \[10, 64, 96\]"),
        (other_type, r"got .*patches FP32"),
        (other_shape, r"got .*anomaly_map FP32 \[32, 64\]"),
        (missing_output, "expected outputs .*disagreement"),
        (one_more_member, "expected outputs .*member_logits"),
    ],
)
def test_a_difference_is_named(config: Any, change: Change, said: str) -> None:
    change(config)
    with pytest.raises(FatalError, match=said):
        read_form(config, PUBLISHED_SPEC)


def test_an_ensemble_for_another_window_is_refused(config: Any) -> None:
    spec = WindowSpec(clip_frames=12)
    with pytest.raises(FatalError, match=f"expected spec_id {spec.spec_id}, got"):
        read_form(config, spec)
