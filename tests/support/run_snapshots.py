"""A run at one moment, for tests of what is shown."""

from collections.abc import Mapping
from typing import Any

from meltwatch_chassis.run_state import ServiceState
from meltwatch_local_cluster.domain.observed_run import ObservedRun
from meltwatch_local_cluster.ports import RunScenario, RunSources
from meltwatch_local_cluster.screen.run_snapshot import RunSnapshot
from meltwatch_schemas.alarm import Heartbeat
from meltwatch_schemas.instants import ns_from_utc, utc_from_ns
from meltwatch_schemas.window import PUBLISHED_SPEC

from tests.support.run_states import run_state
from tests.support.timed_records import NOON, SECOND_NS, window_score

ORIGIN_NS = ns_from_utc(NOON)
SERVICES = ("alarm_manager", "current_producer", "stream_processor", "video_producer")


def at(second: float) -> int:
    """Return ns UTC so many seconds after noon, when runs of tests begin."""
    return ORIGIN_NS + round(second * SECOND_NS)


def streamed(*furnace_ids: str, until_s: float) -> ObservedRun:
    """Return a run of simulated furnaces that were scored until so many seconds after its start."""
    run = ObservedRun(furnace_ids, ORIGIN_NS)
    for furnace_id in furnace_ids:
        end_ns = PUBLISHED_SPEC.first_end_after(furnace_id, ORIGIN_NS)
        while end_ns <= at(until_s):
            run.add_score(window_score(furnace_id, end_ns, last_ingest_ns=ORIGIN_NS))
            end_ns += PUBLISHED_SPEC.hop_ns
    run.add_heartbeat(heartbeat(until_s, watched=len(furnace_ids), blind=0))
    return run


def heartbeat(second: float, **changes: Any) -> Heartbeat:
    """Return a sign of life of the alarm manager."""
    now = utc_from_ns(at(second))
    fields: dict[str, Any] = {"epoch": 1, "seq": 1, "active_alarms": 0, "at": now}
    return Heartbeat(service="alarm_manager", **(fields | changes))


def snapshot(
    run: ObservedRun,
    now_s: float,
    services: Mapping[str, ServiceState] | None = None,
    problem: str | None = None,
    irregularities: Mapping[str, Mapping[str, int]] | None = None,
) -> RunSnapshot:
    """Return a run so many seconds after its start; services are ready unless told otherwise."""
    ready = {name: ServiceState(pid=1, state="ready") for name in SERVICES}
    state = run_state(
        redis="redis://ops:secret@127.0.0.1:20002/0", services=ready | dict(services or {})
    )
    scenario = RunScenario(
        sources=RunSources.SIMULATOR if run.simulated else RunSources.NONE,
        furnaces=len(run.simulated),
        seed=1,
        duration_s=150.0,
        origin_ns=ORIGIN_NS,
    )
    counters = {"skipped": 2, "duplicates": 0}
    return RunSnapshot(state, scenario, run, counters, at(now_s), problem, irregularities or {})
