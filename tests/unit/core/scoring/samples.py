"""The ensemble of the repository as it says it is, and a window for it."""

from typing import Any, Final

import numpy as np
from google.protobuf import text_format  # type: ignore[import-untyped]  # ships no types
from meltwatch_core.join.window import AlignedWindow
from meltwatch_core.scoring.triton_config import read_form
from meltwatch_schemas.encoder import default_encoder
from meltwatch_schemas.score import Features, Sources
from meltwatch_schemas.window import PUBLISHED_SPEC
from tritonclient.grpc import model_config_pb2

from tests.support.builders import NOON_NS
from tests.support.source import ROOT

_CONFIG: Final = ROOT / "triton_models/repository/fmformer/config.pbtxt"


def ensemble_config() -> Any:
    return text_format.Parse(_CONFIG.read_text(), model_config_pb2.ModelConfig())


FORM: Final = read_form(ensemble_config(), PUBLISHED_SPEC)


def window() -> AlignedWindow:
    encoder = default_encoder()
    return AlignedWindow(
        furnace_id="melt/a",
        window_end_ns=NOON_NS,
        window_id=PUBLISHED_SPEC.window_id("melt/a", NOON_NS),
        embeddings=np.ones((10, 64, encoder.basis.shape[0]), np.float16),
        currents_a=np.ones((240, 3), np.float32),
        video_coverage=1.0,
        current_coverage=1.0,
        encoder_id=encoder.encoder_id,
        sources=Sources("camera", "meter"),
        last_event_ns=NOON_NS,
        last_ingest_ns=NOON_NS,
        features=Features(),
        reasons=(),
        cuts={},
    )
