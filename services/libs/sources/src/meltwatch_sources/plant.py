"""The ``video:`` and ``current:`` parts of ``plant.yaml``: what cameras and meters are told.

The rest of the file is the chassis' business. A part that is wrong names itself by file and line,
and is no hindrance to the sources beside it.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Generic, Literal, TypeVar

from meltwatch_chassis.errors import ConfigurationError
from meltwatch_chassis.plant import read_plant
from meltwatch_chassis.strict_yaml import Document, Place, YamlError, read_yaml
from meltwatch_schemas.bounds import MAX_ID
from meltwatch_schemas.score import Modality
from meltwatch_schemas.text import is_printable
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from meltwatch_sources.address import CURRENT_SCHEMES, VIDEO_SCHEMES, Address, parse_address
from meltwatch_sources.credentials import DEFAULT_DIR, is_credentials_name, redacted
from meltwatch_sources.plant_messages import JsonMessages, SparkplugMetrics

_Box = tuple[int, int, int, int]
_Phase = Literal["a", "b", "c"]
_SMALLEST_CROP: Final = 8
_LARGEST_PICTURE: Final = 16_384
_NODE: Final = re.compile(r"nsu=[^;]+;(s=.+|i=[0-9]{1,10}|g=[0-9A-Fa-f-]{36}|b=[A-Za-z0-9+/=]+)")
_REGISTERS: Final = {"float32": 6, "int32": 6, "uint32": 6, "int16": 3, "uint16": 3}
_SECRETIVE: Final = frozenset({"address", "credentials"})
_MQTT: Final = frozenset({"messages", "sparkplug"})
_PARTS_OF: Final = {
    "modbus+tcp": frozenset({"registers"}),
    "opc.tcp": frozenset({"nodes"}),
    "mqtt": _MQTT,
    "mqtts": _MQTT,
}
_PARTS: Final = frozenset().union(*_PARTS_OF.values())
"""What says where the values are, by the scheme of the address."""


def _shown(text: str) -> str:
    if not is_printable(text):
        raise ValueError("expected printable characters")
    return text


def _credentials(name: str) -> str:
    if not is_credentials_name(name):
        raise ValueError("expected the name of a folder in credentials_dir, not a login itself")
    return name


def _video_address(text: str) -> str:
    parse_address(text, VIDEO_SCHEMES)
    return text


def _current_address(text: str) -> str:
    parse_address(text, CURRENT_SCHEMES)
    return text


def _crop(crop: _Box) -> _Box:
    if min(crop) < 0 or min(crop[2:]) < _SMALLEST_CROP or max(crop) > _LARGEST_PICTURE:
        raise ValueError("expected left, top, width, height of at least 8 by 8 pixels")
    return crop


def _phases(phases: tuple[_Phase, _Phase, _Phase]) -> tuple[_Phase, _Phase, _Phase]:
    if len(set(phases)) < len(phases):
        raise ValueError("expected a, b and c, each once")
    return phases


def _node(node: str) -> str:
    if not _NODE.fullmatch(node):
        raise ValueError(
            "expected nsu=URI;s=NAME (or i=, g=, b=): an index of a namespace may change"
        )
    return _shown(node)


_Node = Annotated[str, AfterValidator(_node)]


class _Source(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    source_id: Annotated[str, AfterValidator(_shown)] = Field(
        min_length=1, max_length=MAX_ID, description="What records call it."
    )
    credentials: Annotated[str, AfterValidator(_credentials)] | None = Field(
        default=None, description="Name of a folder in credentials_dir; no login if absent."
    )
    enabled: bool = Field(default=True, description="False: it is left out.")


class VideoSource(_Source):
    """The camera of a furnace: where it is, and which part of its picture shows the furnace."""

    address: Annotated[str, AfterValidator(_video_address)] = Field(
        description="rtsp://, rtsps:// or file:, without a login."
    )
    crop: Annotated[_Box, AfterValidator(_crop)] | None = Field(
        default=None, description="Left, top, width, height in the upright picture; all if absent."
    )
    rotate_degrees: Literal[0, 90, 180, 270] = Field(
        default=0, description="Clockwise, of the crop."
    )
    mirror: bool = Field(default=False, description="Left for right, after turning.")
    decode: Literal["all", "key"] = Field(
        default="all", description="key: key frames alone, if they come every 0.72 s at least."
    )
    clock: Literal["auto", "sender", "arrival"] = Field(
        default="auto", description="Whose clock event times follow."
    )
    camera_delay_s: float | None = Field(
        default=None, ge=0, le=5, description="From light to arrival, if it was measured."
    )
    transport: Literal["tcp", "udp"] = Field(default="tcp", description="Of the stream.")
    ca_file: Annotated[str, AfterValidator(_shown)] | None = Field(
        default=None, min_length=1, description="Of rtsps: who signed its certificate, PEM."
    )
    certificate_name: Annotated[str, AfterValidator(_shown)] | None = Field(
        default=None, min_length=1, description="Of rtsps: the name in it, if not the address's."
    )
    matrix: Literal["bt601", "bt709"] | None = Field(
        default=None, description="Colour matrix in place of the one that the stream signals."
    )
    colour_range: Literal["limited", "full"] | None = Field(
        default=None, description="Range in place of the one that the stream signals."
    )

    @property
    def where(self) -> Address:
        """The address in parts."""
        return parse_address(self.address, VIDEO_SCHEMES)

    @model_validator(mode="after")
    def _check_tls(self) -> "VideoSource":
        is_told = self.ca_file is not None or self.certificate_name is not None
        if is_told and self.where.scheme != "rtsps":
            raise ValueError("expected ca_file and certificate_name beside an rtsps:// address")
        return self


class Registers(BaseModel):
    """Where a Modbus meter keeps the three phases, one after the other."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["holding", "input"] = Field(default="holding", description="Function 3 or 4.")
    first: int = Field(ge=0, le=65_535, description="From 0, as on the wire.")
    type: Literal["float32", "int16", "uint16", "int32", "uint32"] = Field(
        default="float32", description="Of each value."
    )
    order: Literal["abcd", "cdab", "badc", "dcba"] = Field(
        default="abcd", description="Of the bytes of a value."
    )

    @model_validator(mode="after")
    def _check_end(self) -> "Registers":
        if self.first + _REGISTERS[self.type] > 65_536:
            raise ValueError("expected three values below register 65536")
        return self


class CurrentSource(_Source):
    """The meter of a furnace: where it is, and where it keeps the three phases."""

    address: Annotated[str, AfterValidator(_current_address)] = Field(
        description="modbus+tcp://, opc.tcp://, mqtt:// or mqtts://, without a login."
    )
    registers: Registers | None = Field(default=None, description="Of a Modbus meter.")
    nodes: tuple[_Node, _Node, _Node] | None = Field(
        default=None, description="Of an OPC UA server, by namespace URI: nsu=…;s=…"
    )
    messages: JsonMessages | None = Field(default=None, description="Of a publisher of JSON.")
    sparkplug: SparkplugMetrics | None = Field(
        default=None, description="Of an edge node of Sparkplug B."
    )
    security: Literal["None", "Basic256Sha256/Sign", "Basic256Sha256/SignAndEncrypt"] = Field(
        default="None", description="Of OPC UA: policy and mode of messages."
    )
    scale: float = Field(default=1.0, gt=0, description="Amperes of one unit of the meter.")
    phases: Annotated[tuple[_Phase, _Phase, _Phase], AfterValidator(_phases)] = Field(
        default=("a", "b", "c"), description="What the meter calls 1, 2, 3."
    )
    clock: Literal["source", "arrival"] = Field(
        default="source", description="Whose clock event times follow, if the source has one."
    )
    meter_delay_s: float = Field(
        default=0.0, ge=0, le=10, description="From current to value, from its manual."
    )
    expected_a: tuple[float, float] | None = Field(
        default=None, description="Least and largest mean of a phase under load, for checks, A."
    )
    hold_s: float = Field(
        default=2.0, ge=0, le=10, description="How long a pushed value may stand for later ones."
    )

    @property
    def where(self) -> Address:
        """The address in parts."""
        return parse_address(self.address, CURRENT_SCHEMES)

    @property
    def unit(self) -> int:
        """Of a Modbus meter: its number behind the gateway."""
        return int(self.where.query.get("unit", "1"))

    @property
    def framer(self) -> str:
        """Of a Modbus meter: how requests and answers are framed."""
        return self.where.query.get("framer", "socket")

    @model_validator(mode="after")
    def _check_parts(self) -> "CurrentSource":
        scheme = self.where.scheme
        given = {part for part in _PARTS if getattr(self, part) is not None}
        wanted = _PARTS_OF[scheme]
        if len(given) != 1 or not given <= wanted:
            shown = " or ".join(f"'{part}'" for part in sorted(wanted))
            raise ValueError(f"expected {shown} and no other part beside an address of {scheme}")
        if scheme == "modbus+tcp" and not _is_modbus_query(self.where.query):
            raise ValueError("expected ?unit=0..255&framer=socket|rtu behind host:port of a meter")
        if _PARTS_OF[scheme] is _MQTT and (self.where.path or self.where.query):
            raise ValueError(f"expected {scheme}://host:port and nothing behind it")
        if self.security != "None" and self.credentials is None:
            raise ValueError("expected 'credentials' beside 'security': a certificate is in them")
        return self


def _is_modbus_query(query: Mapping[str, str]) -> bool:
    unit = query.get("unit", "1")
    is_unit = unit.isascii() and unit.isdigit() and int(unit) <= 255
    is_framer = query.get("framer", "socket") in {"socket", "rtu"}
    return is_unit and is_framer and query.keys() <= {"unit", "framer"}


AnySource = TypeVar("AnySource", VideoSource, CurrentSource)


@dataclass(frozen=True, slots=True)
class PlannedSource(Generic[AnySource]):
    """A source as the plant file plans it.

    Attributes
    ----------
    furnace_id
        Whose it is.
    source
        What it is told; None if that is wrong.
    fault
        What is wrong, with file and line; None if nothing is.
    """

    furnace_id: str
    source: AnySource | None
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class PlantSources:
    """The sources of a plant, in the order of its file.

    Attributes
    ----------
    credentials_dir
        Where logins are.
    folder
        Where relative ``file:`` addresses begin: the plant file's own.
    videos, currents
        The furnaces' cameras and meters.
    """

    credentials_dir: Path
    folder: Path
    videos: tuple[PlannedSource[VideoSource], ...]
    currents: tuple[PlannedSource[CurrentSource], ...]


def read_sources(path: Path) -> PlantSources:
    """Return the sources that a plant file names.

    Raises
    ------
    ConfigurationError
        If the file is wrong elsewhere than in a source, with file and line.
    """
    plant = read_plant(path)
    try:
        document = read_yaml(path)
    except (OSError, YamlError) as error:
        raise ConfigurationError(f"MELTWATCH_PLANT_FILE: {path}: {error}") from error
    parts = [
        (furnace.id, number, {Modality.VIDEO: furnace.video, Modality.CURRENT: furnace.current})
        for number, furnace in enumerate(plant.furnaces)
    ]
    return PlantSources(
        Path(plant.credentials_dir or DEFAULT_DIR),
        path.absolute().parent,
        tuple(_planned(path, document, parts, Modality.VIDEO, VideoSource)),
        tuple(_planned(path, document, parts, Modality.CURRENT, CurrentSource)),
    )


def _planned(
    path: Path,
    document: Document,
    parts: Sequence[tuple[str, int, Mapping[Modality, Any]]],
    modality: Modality,
    model: type[AnySource],
) -> Iterator[PlannedSource[AnySource]]:
    for furnace_id, number, given in parts:
        part = given[modality]
        if part is None:
            continue
        place = ("furnaces", number, modality.value)
        try:
            # As JSON: lists are tuples there, and a number in quotes is none.
            source = model.model_validate_json(json.dumps(part), strict=True)
            if source.enabled:
                yield PlannedSource(furnace_id, source)
        except ValidationError as error:
            yield PlannedSource(furnace_id, None, _fault(path, document, place, error))


def _fault(path: Path, document: Document, place: Place, error: ValidationError) -> str:
    """Return the first thing that is wrong, the misspelt before the missing; no secret is in it."""
    first = min(error.errors(), key=lambda fault: fault["type"] != "extra_forbidden")
    place = (*place, *first["loc"])
    got = f", got {first['input']!r:.80}" if _may_be_shown(first) else ""
    where = ".".join(map(str, place))
    text = f"{document.line(place)}: {where}: {first['msg'].removeprefix('Value error, ')}{got}"
    return f"{path}:{redacted(text)}"


def _may_be_shown(fault: ErrorDetails) -> bool:
    known = fault["loc"] and fault["type"] != "extra_forbidden"
    is_secretive = not known or fault["loc"][0] in _SECRETIVE
    return not is_secretive and isinstance(fault["input"], str | int | float)
