"""``meltwatch sources probe``: what is at an address, before there is a plant file."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeVar

from cyclopts import Parameter
from cyclopts.validators import Number
from meltwatch_chassis.clock import SystemClock
from meltwatch_chassis.errors import BadUsage, DependencyUnreachable
from meltwatch_chassis.terminal import print_json, print_line
from meltwatch_schemas.current import PHASES
from pydantic import BaseModel, ValidationError

from meltwatch_source_producer.command_shared import (
    DONE,
    PATIENCE_S,
    RED,
    AsJson,
    in_thread,
    print_columns,
    print_findings,
    require_sources,
    waited_for,
)

if TYPE_CHECKING:
    from meltwatch_sources.adapters.camera_watch import WatchedCamera
    from meltwatch_sources.credentials import CredentialStore
    from meltwatch_sources.domain.finding import SourceFinding
    from meltwatch_sources.plant import CurrentSource

_NAME: Final = "CHOOSE-A-NAME"
_LONGEST: Final = 200
Model = TypeVar("Model", bound=BaseModel)


@Parameter(name="*")
@dataclass(frozen=True)
class ProbeOptions:
    """How a source is asked."""

    credentials: Annotated[
        str | None, Parameter(help="Name of a login: a folder with username and password.")
    ] = None
    credentials_dir: Annotated[
        Path | None, Parameter(help="Where logins are; /etc/meltwatch/credentials if absent.")
    ] = None
    ca_file: Annotated[
        Path | None, Parameter(help="Of rtsps://: who signed the camera's certificate, PEM.")
    ] = None
    certificate_name: Annotated[
        str | None, Parameter(help="Of rtsps://: the name in it, if not the address's.")
    ] = None
    first: Annotated[
        int | None, Parameter(help="Of Modbus: the first register, from 0 as on the wire.")
    ] = None
    kind: Annotated[Literal["holding", "input"], Parameter(help="Of Modbus registers.")] = "holding"
    type: Annotated[
        Literal["float32", "int16", "uint16", "int32", "uint32"], Parameter(help="Of their values.")
    ] = "float32"
    security: Annotated[
        Literal["None", "Basic256Sha256/Sign", "Basic256Sha256/SignAndEncrypt"],
        Parameter(help="Of OPC UA."),
    ] = "None"


@dataclass(slots=True)
class Probed:
    """What a probe found out.

    Attributes
    ----------
    facts
        By their names.
    plan
        Lines for the plant file.
    findings
        What is wrong, and what was not checked.
    table
        Of registers or nodes: headings and rows.
    """

    facts: dict[str, Any]
    plan: dict[str, Any]
    findings: "list[SourceFinding]" = field(default_factory=list)
    table: list[Sequence[str]] = field(default_factory=list)


def probe(
    address: Annotated[str, Parameter("ADDRESS", help="rtsp://, modbus+tcp://, opc.tcp:// …")],
    /,
    *,
    seconds: Annotated[
        float, Parameter(validator=Number(gte=1, lte=600), help="For how long it is watched.")
    ] = 10.0,
    options: ProbeOptions = ProbeOptions(),
    as_json: AsJson = False,
) -> int:
    """Open a camera or a meter, say what it is, and propose lines for the plant file."""
    require_sources()
    from meltwatch_sources.address import CURRENT_SCHEMES, VIDEO_SCHEMES, parse_address  # noqa: PLC0415
    from meltwatch_sources.credentials import DEFAULT_DIR, CredentialStore  # noqa: PLC0415
    from meltwatch_sources.ports import SourceLost  # noqa: PLC0415

    try:
        where = parse_address(address, VIDEO_SCHEMES | CURRENT_SCHEMES)
    except ValueError as error:
        raise BadUsage(f"ADDRESS: {error}") from None
    if where.scheme.startswith("mqtt"):
        raise BadUsage(
            "ADDRESS: expected a camera, a Modbus meter or an OPC UA server; what a broker's "
            "messages hold is said by their publisher, and 'meltwatch sources check' tries it"
        )
    store = CredentialStore(options.credentials_dir or DEFAULT_DIR)
    asked = _camera if where.scheme in VIDEO_SCHEMES else _meter
    try:
        probed = asked(address, store, options, seconds)
    except SourceLost as error:
        raise DependencyUnreachable(f"{address}: {error.why}") from None
    except TimeoutError:
        raise DependencyUnreachable(f"{address}: it was silent for too long") from None
    if as_json:
        print_json({**asdict(probed), "address": address})
    else:
        _show(probed)
    return RED if any(each.is_checked for each in probed.findings) else DONE


def _checked(model: type[Model], told: dict[str, Any]) -> Model:
    """Return a source as the plant file would have it; no address is repeated in an error."""
    try:
        return model.model_validate({name: value for name, value in told.items() if value})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "ADDRESS"
        raise BadUsage(f"{where}: {first['msg'].removeprefix('Value error, ')}") from None


def _camera(
    address: str, store: "CredentialStore", options: ProbeOptions, seconds: float
) -> Probed:
    from meltwatch_sources.adapters.camera_watch import CameraPlace, watch_camera  # noqa: PLC0415
    from meltwatch_sources.plant import VideoSource  # noqa: PLC0415

    plan = {
        "source_id": _NAME,
        "address": address,
        "credentials": options.credentials,
        "ca_file": options.ca_file and str(options.ca_file),
        "certificate_name": options.certificate_name,
    }
    source = _checked(VideoSource, plan)
    place = CameraPlace(Path(), store, SystemClock())

    async def watched() -> "WatchedCamera":
        async with asyncio.timeout(seconds + PATIENCE_S):
            return await in_thread(lambda: watch_camera([source], place, seconds))

    camera = waited_for(watched(), f"watching {address}", seconds)
    findings = [
        each
        for each in camera.findings(0, source)
        # A probe knows no crop and no reference.
        if each.code not in _OF_PLANT
    ]
    return Probed(_camera_facts(camera), {"video": _without_none(plan)}, findings)


_OF_PLANT: Final = {
    "crop_misses_furnace", "picture_turned", "exposure_drift", "white_balance_drift",
}  # fmt: skip


def _camera_facts(camera: "WatchedCamera") -> dict[str, Any]:
    stream, offset_ns = camera.stream, camera.clock.offset_ns
    width, height = camera.pictures[0].size
    return {
        "codec": camera.codec,
        "calls itself": camera.title[:_LONGEST],
        "size": f"{width}×{height}",
        "first picture": f"after {camera.first_picture_s:.1f} s",
        "rate": f"{stream.rate_hz:.1f} frames a second",
        "key frames": "not seen long enough"
        if stream.key_every_s is None
        else f"every {stream.key_every_s:.2f} s at least",
        "damaged": f"{stream.damaged} of {stream.frames} frames",
        "jitter": None if stream.jitter_s is None else f"{stream.jitter_s:.3f} s",
        "clock rung": camera.clock.rung.name.lower() if camera.clock.rung else None,
        "camera's clock": "it tells none"
        if offset_ns is None
        else f"{offset_ns / 1e9:+.3f} s from the time by arrival",
    }


def _meter(address: str, store: "CredentialStore", options: ProbeOptions, seconds: float) -> Probed:
    from meltwatch_sources.plant import CurrentSource  # noqa: PLC0415

    plan: dict[str, Any] = {
        "source_id": _NAME,
        "address": address,
        "credentials": options.credentials,
        "security": options.security if options.security != "None" else None,
    }
    if address.lower().startswith("opc"):
        # Any nodes: they are what is looked for.
        source = _checked(CurrentSource, plan | {"nodes": ("nsu=u;s=a",) * 3})
        return waited_for(_opcua(source, store, plan), f"browsing {address}", 30)
    if options.first is None:
        raise BadUsage("--first: expected the first register of the currents, from its manual")
    plan["registers"] = {"first": options.first, "kind": options.kind, "type": options.type}
    source = _checked(CurrentSource, plan)
    return waited_for(_modbus(source, store, seconds, plan), f"reading {address}", seconds)


async def _modbus(
    source: "CurrentSource", store: "CredentialStore", seconds: float, plan: dict[str, Any]
) -> Probed:
    from meltwatch_sources.adapters.meters import shown_in_all_orders, watch_meter  # noqa: PLC0415

    async with asyncio.timeout(seconds + PATIENCE_S):
        orders = await shown_in_all_orders(source)
        meter = await watch_meter(source, store, SystemClock(), seconds)
    table: list[Sequence[str]] = [("ORDER", "1", "2", "3")]
    table += [(order, *(f"{number:.6g}" for number in shown)) for order, shown in orders.items()]
    findings = [each for each in meter.findings if each.code != "phase_order"]
    values = sum(bool(sample.has_value) for sample in meter.samples)
    facts = {"readings": f"{values} of {len(meter.samples)} with a value, as abcd"}
    return Probed(facts, {"current": _without_none(plan)}, findings, table)


async def _opcua(source: "CurrentSource", store: "CredentialStore", plan: dict[str, Any]) -> Probed:
    from meltwatch_sources.adapters.meters import currents_of  # noqa: PLC0415
    from meltwatch_sources.domain.finding import SourceFinding  # noqa: PLC0415

    nodes, is_whole = await currents_of(source, store)
    table: list[Sequence[str]] = [("VALUE", "UNIT", "NAME", "NODE")]
    table += [(f"{each.value:.6g}", each.unit or "-", each.name, each.node) for each in nodes]
    facts = {
        "found": f"{len(nodes)} variables that may be currents",
        "looked at": "the whole server" if is_whole else "a part of the server: it is large",
    }
    findings = []
    if not nodes:
        advice = "ask who programmed the server for the names of the currents"
        findings.append(SourceFinding("no_currents", "no name or unit tells of a current", advice))
    if len(nodes) >= PHASES:
        plan["nodes"] = [each.node for each in nodes[:PHASES]]
    return Probed(facts, {"current": _without_none(plan)}, findings, table)


def _without_none(plan: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in plan.items() if value is not None}


def _show(probed: Probed) -> None:
    for name, value in probed.facts.items():
        print_line(f"{name:<15} {'-' if value is None or value == '' else value}")
    if len(probed.table) > 1:
        print_columns(probed.table[0], probed.table[1:])
    print_findings(probed.findings)
    for part, plan in probed.plan.items():
        print_line("for plant.yaml:")
        print_line(f"    {part}:")
        for name, value in plan.items():
            # JSON is YAML: a text keeps its quotes, whatever is in it.
            print_line(f"      {name}: {json.dumps(value)}")
