"""``meltwatch sources clock``: whose clock a camera's event times follow, and how good it is."""

import sys
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number
from meltwatch_chassis.clock import SystemClock
from meltwatch_chassis.errors import BadUsage
from meltwatch_chassis.terminal import print_json, print_line
from meltwatch_schemas.window import NS_PER_S

from meltwatch_source_producer.command_shared import (
    DONE,
    RED,
    AsJson,
    print_findings,
    require_sources,
    sources_of,
    waited_for,
)
from meltwatch_source_producer.command_snapshot import require_seen

if TYPE_CHECKING:
    from meltwatch_sources.plant import VideoSource

    from meltwatch_source_producer.looking import LookedAt


_HOME = "\x1b[H"
_CLEAR = "\x1b[2J\x1b[?25l"
_CURSOR = "\x1b[?25h\n"


def clock(
    furnace: Annotated[str | None, Parameter("FURNACE", help="Of the plant file.")] = None,
    /,
    *,
    show: Annotated[
        bool, Parameter(help="Show this host's clock as a code, for a camera to see, until Ctrl-C.")
    ] = False,
    seconds: Annotated[
        float,
        Parameter(validator=Number(gte=5, lte=3600), help="For how long the camera is watched."),
    ] = 40.0,
    as_json: AsJson = False,
) -> int:
    """Measure a camera's clock: whose is followed, how far its own is off, how evenly it sends.

    A clock that is held before it (``--show``) tells its delay.
    """
    require_sources()
    if show is (furnace is not None):
        raise BadUsage("expected a furnace, or --show and none")
    if furnace is None:
        return _show()
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


def _show() -> int:
    """Show the time, anew whenever a step is over; what is drawn is made here alone."""
    from meltwatch_sources.adapters.qr_code import code_lines  # noqa: PLC0415 - may be absent
    from meltwatch_sources.domain.shown_clock import STEP_NS, shown_text  # noqa: PLC0415

    if not sys.stdout.isatty():
        raise BadUsage("--show: expected a terminal that the camera can see, got a file or a pipe")
    clock = SystemClock()
    sys.stdout.write(_CLEAR)
    try:
        while True:
            now_ns = clock.now_ns()
            shown_ns = now_ns - now_ns % STEP_NS
            sys.stdout.write(f"{_HOME}{code_lines(shown_text(shown_ns))}\n")
            sys.stdout.flush()
            time.sleep((STEP_NS - clock.now_ns() % STEP_NS) / NS_PER_S)
    finally:
        sys.stdout.write(_CURSOR)
        sys.stdout.flush()


def _facts(source: "VideoSource", video: "LookedAt") -> dict[str, Any]:
    camera = video.camera
    if camera is None or camera.newest is None:
        return {}
    _, time = camera.newest
    offset_ns, shown = camera.clock.offset_ns, camera.shown
    return {
        "rung": time.rung.name.lower(),
        "sync": time.sync.source,
        "max_error_s": round(time.sync.max_error_ns / NS_PER_S, 3),
        "sender_offset_s": None if offset_ns is None else round(offset_ns / NS_PER_S, 3),
        "jitter_s": _rounded(camera.stream.jitter_s),
        "delay_s": _rounded(camera.delay_s),
        "camera_delay_s": source.camera_delay_s,
        "shown_delay_s": _rounded(shown.camera_delay_s),
        "shown_spread_s": _rounded(shown.spread_s),
        "shown_in": shown.count,
        "watched_s": round(camera.stream.seconds, 1),
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
