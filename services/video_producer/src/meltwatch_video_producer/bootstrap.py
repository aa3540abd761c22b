"""Put the video producer together."""

import secrets
import threading
from functools import partial

from meltwatch_chassis.pacing import SimulatedRun
from meltwatch_chassis.producer import produce
from meltwatch_chassis.publishing import Wire, unsent
from meltwatch_schemas import embedding
from meltwatch_schemas.encoder import default_encoder
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import PUBLISHED_SPEC
from meltwatch_simulator import Scenario, furnace_ids

from meltwatch_video_producer.pipeline import CameraFeed
from meltwatch_video_producer.settings import Settings

SERVICE = "video_producer"


def run(settings: Settings, stop: threading.Event) -> None:
    """Publish the frames of all simulated furnaces until told to stop."""
    # No more than the clip of the first live window: older frames would only cost scoring calls.
    reach_ns = PUBLISHED_SPEC.clip_span_ns + PUBLISHED_SPEC.hop_ns
    wire = Wire(
        Topic.EMBEDDINGS, embedding.SCHEMA, embedding.encode_embedding, reach_ns, settings.tracing
    )
    produce(SERVICE, settings, wire, partial(_feeds, settings), stop)


def _feeds(settings: Settings, run: SimulatedRun) -> list[CameraFeed]:
    names = furnace_ids(settings.simulator_furnaces)
    scenario = Scenario(
        settings.simulator_seed, names, run.origin_ns, settings.simulator_duration_s
    )
    boot_id = secrets.token_hex(8)
    return [
        CameraFeed(
            unsent(name, "camera-1", boot_id),
            scenario.furnace(name),
            default_encoder(),
            PUBLISHED_SPEC,
        )
        for name in names
    ]
