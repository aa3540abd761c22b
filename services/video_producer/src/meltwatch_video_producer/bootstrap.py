"""Put the video producer together."""

import secrets
import threading
from collections.abc import Callable, Sequence
from functools import partial

from meltwatch_chassis.errors import ConfigurationError
from meltwatch_chassis.pacing import SimulatedRun
from meltwatch_chassis.producer import produce
from meltwatch_chassis.publishing import Wire, unsent
from meltwatch_fmf_benchmark import FormatError, Recording, open_recordings, play
from meltwatch_schemas import embedding
from meltwatch_schemas.encoder import default_encoder
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import PUBLISHED_SPEC
from meltwatch_simulator import Scenario, furnace_ids

from meltwatch_video_producer.pipeline import CameraFeed
from meltwatch_video_producer.settings import Settings

SERVICE = "video_producer"


def run(settings: Settings, stop: threading.Event) -> None:
    """Publish the frames of all simulated or recorded furnaces until told to stop.

    Raises
    ------
    ConfigurationError
        If recordings are not of their form.
    """
    if settings.recording_dir is None:
        _publish(settings, partial(_simulated_feeds, settings), stop)
        return
    try:
        with open_recordings(settings.recording_dir) as recordings:
            _publish(settings, partial(_recorded_feeds, recordings), stop)
    except FormatError as error:
        raise ConfigurationError(f"MELTWATCH_RECORDING_DIR: {error}") from error


def _publish(
    settings: Settings,
    feeds_of: Callable[[SimulatedRun], Sequence[CameraFeed]],
    stop: threading.Event,
) -> None:
    # No more than the clip of the first live window: older frames would only cost scoring calls.
    reach_ns = PUBLISHED_SPEC.clip_span_ns + PUBLISHED_SPEC.hop_ns
    wire = Wire(
        Topic.EMBEDDINGS, embedding.SCHEMA, embedding.encode_embedding, reach_ns, settings.tracing
    )
    produce(SERVICE, settings, wire, feeds_of, stop)


def _simulated_feeds(settings: Settings, run: SimulatedRun) -> list[CameraFeed]:
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


def _recorded_feeds(recordings: Sequence[Recording], run: SimulatedRun) -> list[CameraFeed]:
    boot_id = secrets.token_hex(8)
    return [
        CameraFeed(
            unsent(furnace.furnace_id, "camera-1", boot_id),
            furnace,
            default_encoder(),
            PUBLISHED_SPEC,
            furnace.has_frames,
        )
        for furnace in play(recordings, run.origin_ns)
    ]
