"""``meltwatch sources snapshot``: what a camera shows and the model sees of it, as a picture."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import numpy as np
from cyclopts import Parameter
from meltwatch_chassis.errors import BadUsage, ConfigurationError, DependencyUnreachable
from meltwatch_chassis.terminal import print_json, print_line
from meltwatch_schemas.chunk import Modality
from meltwatch_schemas.window import NS_PER_S

from meltwatch_source_producer.command_shared import (
    AWAY,
    DONE,
    RED,
    WRONG,
    AsJson,
    OneFurnace,
    print_findings,
    require_sources,
    sources_of,
    waited_for,
)

if TYPE_CHECKING:
    from meltwatch_source_producer.looking import LookedAt

_SECONDS: Final = 3.0
"""A second to settle, and some samples of the meter."""


def snapshot(
    furnace: OneFurnace,
    /,
    *,
    output: Annotated[
        Path, Parameter(("-o", "--output"), help="The picture to write: a file that ends in .png.")
    ],
    as_json: AsJson = False,
) -> int:
    """Write the camera's picture with the crop drawn in it, and the 64×64 beside it, enlarged."""
    require_sources()
    from meltwatch_source_producer.looking import look_at  # noqa: PLC0415 - may be absent

    if output.suffix.lower() != ".png":
        raise BadUsage(f"-o: expected a file that ends in .png, got {output}")
    _, plant = sources_of(furnace)
    if not plant.videos:
        raise BadUsage(f"{furnace}: expected a furnace with 'video:', got none")
    looked = waited_for(look_at(plant, _SECONDS, {}), f"looking at {furnace}", _SECONDS)
    video = next(each for each in looked if each.modality == Modality.VIDEO.value)
    meter = next((each for each in looked if each.modality == Modality.CURRENT.value), None)
    require_seen(video)
    write_snapshot(output, video)
    shown = _facts(output, video, meter)
    if as_json:
        print_json(shown)
    else:
        for name, value in shown.items():
            print_line(f"{name:<13} {value}")
        print_findings(_of_crop(video))
    return RED if _of_crop(video) else DONE


def require_seen(video: "LookedAt") -> None:
    """Refuse a camera of which there is no picture.

    Raises
    ------
    ConfigurationError
        If it is misconfigured.
    DependencyUnreachable
        If it is away.
    """
    if video.code == WRONG:
        raise ConfigurationError(video.why)
    if video.code == AWAY:
        raise DependencyUnreachable(f"camera of {video.furnace_id}: {video.why}")
    if video.camera is None or video.camera.newest is None:
        raise DependencyUnreachable(
            f"camera of {video.furnace_id}: expected a picture within {_SECONDS:g} s, none came"
        )


def write_snapshot(file: Path, video: "LookedAt") -> None:
    """Write the newest picture of a look, which has one."""
    from meltwatch_sources.adapters.png import write_png  # noqa: PLC0415 - may be absent
    from meltwatch_sources.domain import picture as pictures  # noqa: PLC0415 - may be absent

    if video.camera is None or video.camera.newest is None or video.view is None:
        return
    seen = video.view.seen[-1] if video.view.seen else None
    write_png(file, pictures.snapshot(video.camera.newest[0], video.view.rule, seen))


def means_of(meter: "LookedAt | None") -> list[float | None]:
    """Return the mean amperes of the phases; None where there was no value."""
    if meter is None or meter.meter is None or not meter.meter.samples:
        return [None, None, None]
    values = np.stack([sample.values for sample in meter.meter.samples])
    counts = np.isfinite(values).sum(axis=0)
    sums = np.nan_to_num(values).sum(axis=0)
    return [
        round(float(total / count), 1) if count else None
        for total, count in zip(sums, counts, strict=True)
    ]


def _facts(output: Path, video: "LookedAt", meter: "LookedAt | None") -> dict[str, Any]:
    camera, view = video.camera, video.view
    if camera is None or view is None or camera.newest is None:
        return {}
    _, time = camera.newest
    moment = datetime.fromtimestamp(time.event_ns / NS_PER_S, UTC)
    currents = " ".join("none" if mean is None else f"{mean:g} A" for mean in means_of(meter))
    return {
        "picture": str(output),
        "size": f"{view.size[0]}×{view.size[1]} {camera.codec}",
        "crop": "all" if view.rule.crop is None else " ".join(map(str, view.rule.crop)),
        "mean grey": round(view.mean_grey, 1) if view.seen else "none",
        "time": f"{moment:%Y-%m-%dT%H:%M:%S.%f}"[:-3]
        + f"Z ±{time.sync.max_error_ns / NS_PER_S:.2f} s",
        "currents": f"{currents} {meter.why if meter else ''}".rstrip(),
    }


def _of_crop(video: "LookedAt") -> list[Any]:
    return [each for each in video.findings if each.code == "crop_outside"]
