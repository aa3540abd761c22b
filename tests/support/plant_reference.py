"""The reference of ``plant.yaml``, made from the models that read it.

``python -m tests.support.plant_reference`` writes ``docs/plant-file.md`` again.
"""

from pathlib import Path
from typing import Any, Final

from meltwatch_chassis.plant import Plant, PlantFurnace
from meltwatch_sources.plant import CurrentSource, Registers, VideoSource
from meltwatch_sources.plant_messages import JsonMessages, SparkplugMetrics
from pydantic import BaseModel

PAGE: Final = Path(__file__).parents[2] / "docs" / "plant-file.md"
_SECTIONS: Final[tuple[tuple[str, str, type[BaseModel]], ...]] = (
    ("The file", "", Plant),
    ("A furnace", "furnaces[]", PlantFurnace),
    ("Its camera", "furnaces[].video", VideoSource),
    ("Its meter", "furnaces[].current", CurrentSource),
    ("Registers of a Modbus meter", "furnaces[].current.registers", Registers),
    ("Messages of a publisher of JSON", "furnaces[].current.messages", JsonMessages),
    ("Metrics of a Sparkplug edge node", "furnaces[].current.sparkplug", SparkplugMetrics),
)
_HEAD: Final = """# Reference of plant.yaml

Every field that a plant file may have. This page is made from the models that read the file: \
change them, then run `make schemas`. What cannot be read is refused with file and line. \
`meltwatch sources check` says what is wrong with a source.

[sources.md](sources.md) tells how cameras and meters are connected. \
[alarm-points.md](alarm-points.md) tells what stands in `alarm_points` and `alarm_classes`.
"""


def reference_text() -> str:
    """Return the page."""
    return _HEAD + "".join(_section(*section) for section in _SECTIONS)


def _section(title: str, place: str, model: type[BaseModel]) -> str:
    where = f"Under `{place}`.\n\n" if place else ""
    schema = model.model_json_schema()
    rows = [
        f"| `{name}` | {_kind(schema, field)} | {_default(schema, name, field)} "
        f"| {field.get('description', '')} |"
        for name, field in schema["properties"].items()
    ]
    head = "| field | type and range | default | meaning |\n|---|---|---|---|\n"
    return f"\n## {title}\n\n{where}{head}" + "\n".join(rows) + "\n"


def _default(schema: dict[str, Any], name: str, field: dict[str, Any]) -> str:
    if name in schema.get("required", ()):
        return "needed"
    default = field.get("default")
    if default in (None, [], ""):
        return ""
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{', '.join(map(str, default)) if isinstance(default, list) else default}`"


def _kind(schema: dict[str, Any], field: dict[str, Any]) -> str:
    for choice in field.get("anyOf", [field]):
        if choice.get("type") == "null":
            continue
        if "$ref" in choice:
            return "an object, see below"
        words = choice.get("enum") or ([choice["const"]] if "const" in choice else [])
        if words:
            return ", ".join(f"`{word}`" for word in words)
        if "type" not in choice:
            return "an object, see below"
        return _plain(choice)
    raise ValueError(f"expected a type, got {field}")


def _plain(kind: dict[str, Any]) -> str:
    if kind["type"] == "array":
        most, least = kind.get("maxItems"), kind.get("minItems")
        return f"list of {least}" if most is not None and most == least else "list"
    word = {"string": "text", "boolean": "true or false", "integer": "whole number"}
    low, high = kind.get("minimum"), kind.get("maximum")
    bounds = f", {low:g} to {high:g}" if low is not None and high is not None else ""
    above = f", over {kind['exclusiveMinimum']:g}" if "exclusiveMinimum" in kind else ""
    return f"{word.get(kind['type'], kind['type'])}{bounds}{above}"


if __name__ == "__main__":
    PAGE.write_text(reference_text())
