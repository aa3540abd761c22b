"""One look at cameras and meters of a plant file, for the commands: nothing is sent."""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from meltwatch_chassis.clock import SystemClock
from meltwatch_schemas.chunk import Modality
from meltwatch_sources.adapters.camera_watch import CameraPlace, WatchedCamera, watch_camera
from meltwatch_sources.adapters.cameras import connection_of
from meltwatch_sources.adapters.meters import WatchedMeter, watch_meter
from meltwatch_sources.credentials import CredentialStore, redacted
from meltwatch_sources.domain.finding import SourceFinding, unchecked
from meltwatch_sources.domain.picture_check import PictureReference, PictureWatch
from meltwatch_sources.plant import CurrentSource, PlannedSource, PlantSources, VideoSource
from meltwatch_sources.ports import SourceLost

from meltwatch_source_producer.command_shared import (
    AWAY,
    DONE,
    PATIENCE_S,
    RED,
    WRONG,
    in_thread,
)

_VIDEO: Final = Modality.VIDEO.value
_CURRENT: Final = Modality.CURRENT.value
_SILENT: Final = "it was silent for too long"
References = Mapping[str, PictureReference]


@dataclass(frozen=True, slots=True)
class LookedAt:
    """What a look at one source found.

    Attributes
    ----------
    furnace_id, modality
        Which source it is.
    code
        0 good, 1 something is wrong, 2 misconfigured, 3 unreachable.
    why
        Of one that could not be looked at.
    findings
        What is wrong, and what was not checked.
    camera, view
        What was seen of a camera, and of the furnace's part of its picture.
    meter
        What was seen of a meter.
    """

    furnace_id: str
    modality: str
    code: int
    why: str = ""
    findings: tuple[SourceFinding, ...] = ()
    camera: WatchedCamera | None = None
    view: PictureWatch | None = None
    meter: WatchedMeter | None = None


async def look_at(
    plant: PlantSources,
    seconds: float,
    references: References,
    lifted: str | None = None,
) -> list[LookedAt]:
    """Watch all sources at once; a camera that shows several furnaces is opened once.

    Parameters
    ----------
    plant
        The sources.
    seconds
        For how long.
    references
        What cameras looked like when they were accepted, by furnace.
    lifted
        Which electrode is lifted meanwhile.
    """
    place = CameraPlace(plant.folder, CredentialStore(plant.credentials_dir), SystemClock())
    cameras: dict[VideoSource, list[PlannedSource[VideoSource]]] = {}
    found: list[LookedAt] = []
    for video in plant.videos:
        if video.source is None:
            found.append(LookedAt(video.furnace_id, _VIDEO, WRONG, video.fault or ""))
        else:
            cameras.setdefault(connection_of(video.source), []).append(video)
    looks: list[Coroutine[Any, Any, list[LookedAt]]] = [
        *(_camera(views, place, seconds, references) for views in cameras.values()),
        *(_meter(current, place, seconds, lifted) for current in plant.currents),
    ]
    for looked in await asyncio.gather(*looks):
        found += looked
    both = {each.furnace_id for each in found if each.camera is not None}
    found = [_with_skew(each) if each.furnace_id in both else each for each in found]
    order = [each.furnace_id for each in plant.videos]
    order += [each.furnace_id for each in plant.currents]
    return sorted(found, key=lambda each: order.index(each.furnace_id))


async def _camera(
    views: Sequence[PlannedSource[VideoSource]],
    place: CameraPlace,
    seconds: float,
    references: References,
) -> list[LookedAt]:
    sources = [view.source for view in views if view.source is not None]
    try:
        async with asyncio.timeout(seconds + PATIENCE_S):
            camera = await in_thread(partial(watch_camera, sources, place, seconds))
    except SourceLost as error:
        return [LookedAt(view.furnace_id, _VIDEO, AWAY, error.why) for view in views]
    except TimeoutError:
        return [LookedAt(view.furnace_id, _VIDEO, AWAY, _SILENT) for view in views]
    except Exception as error:  # noqa: BLE001 - whatever a library raises is this camera's alone
        return [LookedAt(view.furnace_id, _VIDEO, AWAY, redacted(repr(error))) for view in views]
    looked = []
    for number, (view, source) in enumerate(zip(views, sources, strict=True)):
        findings = tuple(camera.findings(number, source, references.get(view.furnace_id)))
        watch = camera.pictures[number]
        code = _code(findings)
        looked.append(
            LookedAt(view.furnace_id, _VIDEO, code, "", findings, camera=camera, view=watch)
        )
    return looked


async def _meter(
    planned: PlannedSource[CurrentSource],
    place: CameraPlace,
    seconds: float,
    lifted: str | None,
) -> list[LookedAt]:
    furnace_id = planned.furnace_id
    if planned.source is None:
        return [LookedAt(furnace_id, _CURRENT, WRONG, planned.fault or "")]
    try:
        async with asyncio.timeout(seconds + PATIENCE_S):
            meter = await watch_meter(planned.source, place.store, place.clock, seconds, lifted)
    except SourceLost as error:
        return [LookedAt(furnace_id, _CURRENT, AWAY, error.why)]
    except TimeoutError:
        return [LookedAt(furnace_id, _CURRENT, AWAY, _SILENT)]
    except Exception as error:  # noqa: BLE001 - whatever a library raises is this meter's alone
        return [LookedAt(furnace_id, _CURRENT, AWAY, redacted(repr(error)))]
    code = _code(meter.findings)
    return [LookedAt(furnace_id, _CURRENT, code, "", meter.findings, meter=meter)]


def _with_skew(looked: LookedAt) -> LookedAt:
    """Say of a meter beside a camera that their clocks were not compared."""
    if looked.meter is None:
        return looked
    said = "ten minutes after both run, meltwatch_sync_skew_seconds of the stream processor tells"
    return replace(looked, findings=(*looked.findings, unchecked("skew", said)))


def _code(findings: Sequence[SourceFinding]) -> int:
    return RED if any(finding.is_checked for finding in findings) else DONE
