"""Files of alarm points, YAML or JSON: what they say, or all that is wrong with them by line."""

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Self, TypeVar

import yaml
from meltwatch_schemas.alarm_point import AlarmPoint
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.point_classes import CLASSES, FileFault, Resolver, faults_of
from meltwatch_schemas.point_rules import check_point
from meltwatch_schemas.text import escaped
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from yaml.representer import BaseRepresenter

from meltwatch_chassis.errors import ConfigurationError
from meltwatch_chassis.strict_yaml import Document, YamlError, read_yaml


def _workable(point: AlarmPoint) -> AlarmPoint:
    if point.change is not None:
        raise ValueError("change: expected none, 'meltwatch alarms points apply' records it")
    try:
        return check_point(point)
    except ContractViolation as error:
        raise ValueError(error.detail) from error


WorkablePoint = Annotated[AlarmPoint, AfterValidator(_workable)]
"""An alarm point that the alarm manager can work by."""
AnyModel = TypeVar("AnyModel", bound=BaseModel)
_LONGEST_FAULT: Final = 500


class FaultyFile(ConfigurationError):  # noqa: N818 - the name says what is the matter
    """A file is not what it should be: exit code 2.

    Parameters
    ----------
    lines
        One line a fault, with file and line number, the most helpful first.
    """

    def __init__(self, lines: tuple[str, ...]) -> None:
        super().__init__(lines[0])
        self.lines = lines


def read_checked(
    path: Path,
    model: type[AnyModel],
    whole: Callable[[dict[str, Any], Resolver], None] | None = None,
) -> AnyModel:
    """Return what a file says; an empty one says nothing, and so every default.

    Parameters
    ----------
    path
        YAML; JSON is YAML, too.
    model
        What it must be.
    whole
        Makes the alarm points in the file's data whole, in place; None where a file has none.

    Raises
    ------
    OSError
        If it is no file, or cannot be read.
    FaultyFile
        With everything that is wrong.
    """
    try:
        document = read_yaml(path)
    except YamlError as error:
        raise FaultyFile((f"{path}:{error}",)) from error
    resolver = Resolver()
    if whole is not None and isinstance(document.value, dict):
        if CLASSES in document.value:
            resolver.take_classes(document.value.pop(CLASSES))
        whole(document.value, resolver)
    said = "{}" if document.value is None else document.json()
    try:
        checked = model.model_validate_json(said, strict=True, extra="forbid")
    except ValidationError as error:
        found = [*resolver.faults, *_unless_told(faults_of(error), resolver)]
        raise FaultyFile(tuple(_line(path, document, fault) for fault in found)) from error
    if resolver.faults:
        raise FaultyFile(tuple(_line(path, document, fault) for fault in resolver.faults))
    return checked


def _unless_told(faults: Iterable[FileFault], resolver: Resolver) -> list[FileFault]:
    """Return faults of a model without those of entries that could not be made whole."""
    return [
        fault
        for fault in faults
        if not any(fault.place[: len(place)] == place for place in resolver.broken)
    ]


def _line(path: Path, document: Document, fault: FileFault) -> str:
    where = ".".join(str(part) for part in fault.place) or "file"
    text = f"{document.line(fault.place)}: {where}: {fault.text}"
    return f"{path}:{escaped(text)[:_LONGEST_FAULT]}"


def once(what: str, names: Iterable[str]) -> None:
    """Refuse names that come more than once.

    Raises
    ------
    ValueError
        With some of them.
    """
    repeated = sorted(name for name, times in Counter(names).items() if times > 1)
    if repeated:
        raise ValueError(f"expected each {what} once, got {', '.join(repeated[:5])} repeatedly")


class PointFile(BaseModel):
    """Alarm points of any furnaces."""

    alarm_points: tuple[WorkablePoint, ...] = Field(default=(), description="In any order.")

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="after")
    def _unique(self) -> Self:
        once("alarm point", (point.alarm_id for point in self.alarm_points))
        return self


def read_points(path: Path) -> tuple[AlarmPoint, ...]:
    """Return the alarm points of a file.

    Raises
    ------
    OSError
        If it is no file, or cannot be read.
    FaultyFile
        With everything that is wrong.
    """
    whole = lambda value, resolver: resolver.make_whole(value)  # noqa: E731
    return read_checked(path, PointFile, whole).alarm_points


def points_as_json(points: Iterable[AlarmPoint]) -> dict[str, Any]:
    """Return alarm points as the plain data of a file.

    What is not set is left out, and so is who changed them: applying them is another change.
    """
    return {
        "alarm_points": [
            point.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"change"})
            for point in points
        ]
    }


def points_as_yaml(points: Iterable[AlarmPoint]) -> str:
    """Return alarm points as a file that ``read_points`` reads as the same."""
    return yaml.dump(
        points_as_json(points), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100
    )


def _text(dumper: BaseRepresenter, text: str) -> yaml.Node:
    style = '"' if text[:1] in set("+-.0123456789") or not text.isprintable() else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


class _Dumper(yaml.SafeDumper):
    """Quotes texts that would be read as numbers: YAML 1.1 has other numbers than people."""

    yaml_representers: ClassVar = {**yaml.SafeDumper.yaml_representers, str: _text}
