"""Put the current producer together."""

import secrets
import threading
from functools import partial

from meltwatch_chassis.pacing import SimulatedRun
from meltwatch_chassis.producer import produce
from meltwatch_chassis.publishing import Wire, unsent
from meltwatch_schemas import current
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import PUBLISHED_SPEC
from meltwatch_simulator import Scenario, furnace_ids

from meltwatch_current_producer.pipeline import MeterFeed
from meltwatch_current_producer.settings import Settings

SERVICE = "current_producer"


def run(settings: Settings, stop: threading.Event) -> None:
    """Publish the currents of all simulated furnaces until told to stop."""
    reach_ns = PUBLISHED_SPEC.lookback_ns + PUBLISHED_SPEC.hop_ns
    wire = Wire(Topic.CURRENTS, current.SCHEMA, current.encode_current, reach_ns, settings.tracing)
    produce(SERVICE, settings, wire, partial(_feeds, settings), stop)


def _feeds(settings: Settings, run: SimulatedRun) -> list[MeterFeed]:
    names = furnace_ids(settings.simulator_furnaces)
    scenario = Scenario(
        settings.simulator_seed, names, run.origin_ns, settings.simulator_duration_s
    )
    boot_id = secrets.token_hex(8)
    return [
        MeterFeed(
            unsent(name, "meter-1", boot_id),
            scenario.furnace(name),
            PUBLISHED_SPEC,
        )
        for name in names
    ]
