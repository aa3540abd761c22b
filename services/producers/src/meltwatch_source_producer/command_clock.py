"""``meltwatch sources clock``: whose clock a camera's event times follow, and how good it is."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number
from meltwatch_chassis.errors import BadUsage
from meltwatch_chassis.terminal import print_json, print_line
from meltwatch_schemas.window import NS_PER_S

from meltwatch_source_producer.command_shared import (
    DONE,
    RED,
    AsJson,
    OneFurnace,
    print_findings,
    require_sources,
    sources_of,
    waited_for,
)
from meltwatch_source_producer.command_snapshot import require_seen

if TYPE_CHECKING:
    from meltwatch_sources.plant import VideoSource

    from meltwatch_source_producer.looking import LookedAt


def clock(
    furnace: OneFurnace,
    /,
    *,
    seconds: Annotated[
        float,
        Parameter(validator=Number(gte=5, lte=3600), help="For how long the camera is watched."),
    ] = 40.0,
    as_json: AsJson = False,
) -> int:
    """Measure a camera's clock: whose is followed, how far its own is off, how evenly it sends."""
    require_sources()
    from dataclasses import replace  # noqa: PLC0415

    from meltwatch_sources.domain.stream_check import judged_clock  # noqa: PLC0415 - may be absent

    from meltwatch_source_producer.looking import look_at  # noqa: PLC0415 - may be absent

    _, plant = sources_of(furnace)
    if not plant.videos:
        raise BadUsage(f"{furnace}: expected a furnace with 'video:', got none")
    plant = replace(plant, currents=())
    (video,) = waited_for(look_at(plant, seconds, {}), f"watching {furnace}", seconds)
    require_seen(video)
    source = plant.videos[0].source
    if source is None or video.camera is None:
        return RED
    findings = judged_clock(video.camera.clock, source.clock)
    facts = _facts(source, video)
    if as_json:
        print_json(facts | {"findings": [asdict(each) for each in findings]})
    else:
        for name, value in facts.items():
            print_line(f"{name:<16} {'none' if value is None else value}")
        print_findings(findings)
    return RED if any(each.is_checked for each in findings) else DONE


def _facts(source: "VideoSource", video: "LookedAt") -> dict[str, Any]:
    camera = video.camera
    if camera is None or camera.newest is None:
        return {}
    _, time = camera.newest
    offset_ns = camera.clock.offset_ns
    return {
        "rung": time.rung.name.lower(),
        "sync": time.sync.source,
        "max_error_s": round(time.sync.max_error_ns / NS_PER_S, 3),
        "sender_offset_s": None if offset_ns is None else round(offset_ns / NS_PER_S, 3),
        "jitter_s": None if camera.stream.jitter_s is None else round(camera.stream.jitter_s, 3),
        "delay_s": None if camera.delay_s is None else round(camera.delay_s, 3),
        "camera_delay_s": source.camera_delay_s,
        "watched_s": round(camera.stream.seconds, 1),
    }
