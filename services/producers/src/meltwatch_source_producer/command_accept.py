"""``meltwatch sources accept``: the commissioning record of a furnace's camera and meter."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number
from meltwatch_chassis.clock import SystemClock
from meltwatch_chassis.errors import BadUsage
from meltwatch_chassis.terminal import print_json, print_line
from meltwatch_chassis.whole_file import write_whole
from meltwatch_schemas.chunk import Modality
from meltwatch_schemas.text import is_printable
from meltwatch_schemas.window import NS_PER_S

from meltwatch_source_producer.command_check import as_object
from meltwatch_source_producer.command_shared import (
    AWAY,
    DONE,
    RED,
    WORDS,
    WRONG,
    AsJson,
    OneFurnace,
    print_findings,
    require_sources,
    sources_of,
    waited_for,
)
from meltwatch_source_producer.command_snapshot import means_of, write_snapshot

if TYPE_CHECKING:
    from meltwatch_sources.plant import CurrentSource, PlantSources, VideoSource

    from meltwatch_source_producer.acceptance import (
        Acceptance,
        AcceptedCurrent,
        AcceptedVideo,
    )
    from meltwatch_source_producer.looking import LookedAt

_MAX_NAME = 64


def accept(
    furnace: OneFurnace,
    /,
    *,
    by: Annotated[str, Parameter(help="Your name: who accepts it.")],
    despite: Annotated[
        list[str] | None,
        Parameter(help="A finding that is accepted all the same. May be given several times."),
    ] = None,
    seconds: Annotated[
        float, Parameter(validator=Number(gte=5, lte=3600), help="For how long they are watched.")
    ] = 25.0,
    as_json: AsJson = False,
) -> int:
    """Keep what a furnace's sources look like now, as the reference for later checks."""
    require_sources()
    from meltwatch_source_producer.acceptance import acceptance_file  # noqa: PLC0415 - may be absent
    from meltwatch_source_producer.looking import look_at  # noqa: PLC0415 - may be absent

    if not (0 < len(by) <= _MAX_NAME and is_printable(by)):
        raise BadUsage(f"--by: expected 1 to {_MAX_NAME} printable characters, got {by[:80]!r}")
    path, plant = sources_of(furnace)
    looked = waited_for(look_at(plant, seconds, {}), f"watching {furnace}", seconds)
    wrong = {
        each.code for look in looked for each in look.findings if each.is_checked
    } - set(despite or ())  # fmt: skip
    code = max(each.code for each in looked)
    if code in {WRONG, AWAY} or wrong:
        return _refuse(looked, sorted(wrong), max(code, RED), as_json=as_json)
    file = acceptance_file(path, furnace)
    file.parent.mkdir(exist_ok=True)
    record = _record(plant, looked, by, seconds, tuple(despite or ()))
    write_whole(file, record.model_dump_json(indent=2) + "\n")
    picture = _picture(file, looked)
    if as_json:
        print_json({"accepted": str(file), "sources": [as_object(each) for each in looked]})
    else:
        print_line(f"{furnace} is accepted by {by}: {file}")
        print_line(f"its picture: {picture}" if picture else "it has no camera")
        for each in looked:
            print_findings(each.findings)
    return DONE


def _refuse(looked: "list[LookedAt]", wrong: list[str], code: int, *, as_json: bool) -> int:
    if as_json:
        print_json({"accepted": None, "sources": [as_object(each) for each in looked]})
        return code
    for each in looked:
        print_line(f"{each.furnace_id}  {each.modality}  {WORDS[each.code]}  {each.why}".rstrip())
        print_findings(finding for finding in each.findings if finding.is_checked)
    more = "".join(f" --despite {name}" for name in wrong)
    print_line(f"nothing is kept; mend it{', or accept it with' if more else ''}{more}")
    return code


def _record(
    plant: "PlantSources",
    looked: "list[LookedAt]",
    by: str,
    seconds: float,
    despite: tuple[str, ...],
) -> "Acceptance":
    from meltwatch_source_producer.acceptance import Acceptance, AcceptedFinding  # noqa: PLC0415

    found = {each.modality: each for each in looked}
    video, current = found.get(Modality.VIDEO.value), found.get(Modality.CURRENT.value)
    now = datetime.fromtimestamp(SystemClock().now_ns() / NS_PER_S, UTC)
    camera = plant.videos[0].source if plant.videos else None
    meter = plant.currents[0].source if plant.currents else None
    return Acceptance(
        furnace_id=looked[0].furnace_id,
        by=by,
        at=f"{now:%Y-%m-%dT%H:%M:%SZ}",
        seconds=seconds,
        video=_video(camera, video) if camera and video else None,
        current=_current(meter, current) if meter and current else None,
        findings=tuple(
            AcceptedFinding(code=each.code, said=each.said, is_checked=each.is_checked)
            for look in looked
            for each in look.findings
        ),
        despite=despite,
    )


def _video(source: "VideoSource", look: "LookedAt") -> "AcceptedVideo | None":
    from meltwatch_sources.domain.picture_check import PictureReference  # noqa: PLC0415

    from meltwatch_source_producer.acceptance import AcceptedVideo, encoded  # noqa: PLC0415

    camera, view = look.camera, look.view
    if camera is None or view is None or not view.seen:
        return None
    reference = PictureReference.of(view.seen)
    offset_ns = camera.clock.offset_ns
    return AcceptedVideo(
        source_id=source.source_id,
        address=source.address,
        crop=source.crop,
        codec=camera.codec,
        width=view.size[0],
        height=view.size[1],
        rate_hz=round(camera.stream.rate_hz, 2),
        key_every_s=camera.stream.key_every_s,
        jitter_s=camera.stream.jitter_s,
        delay_s=camera.delay_s,
        rung=camera.clock.rung.name.lower() if camera.clock.rung else None,
        clock_offset_s=None if offset_ns is None else offset_ns / NS_PER_S,
        border_grey=reference.border_grey,
        red_to_blue=reference.red_to_blue,
        mean=encoded(reference),
    )


def _current(source: "CurrentSource", look: "LookedAt") -> "AcceptedCurrent":
    from meltwatch_source_producer.acceptance import AcceptedCurrent  # noqa: PLC0415

    first, second, third = means_of(look)
    return AcceptedCurrent(
        source_id=source.source_id, address=source.address, mean_a=(first, second, third)
    )


def _picture(file: Path, looked: "list[LookedAt]") -> Path | None:
    picture = file.with_suffix(".png")
    for look in looked:
        if look.camera is not None:
            write_snapshot(picture, look)
            return picture
    return None
