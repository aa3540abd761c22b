"""The tables of fields in docs/scada.md, made from the messages' JSON Schemas.

``python -m tests.support.field_tables`` writes them again. Each stands between two marks,
``<!-- fields of alarm: generated -->`` and ``<!-- end -->``; its examples are the values of the
page's own JSON under the mark ``<!-- alarm on the wire -->``.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tests.support.asyncapi import message_schemas
from tests.support.packed_schemas import Schema

PAGE: Final = Path(__file__).parents[2] / "docs" / "scada.md"
_TABLE: Final = re.compile(
    r"(<!-- fields of ([a-z-]+): generated -->\n).*?(<!-- end -->)", re.DOTALL
)
_EXAMPLE: Final = re.compile(r"<!-- ([a-z-]+) on the wire -->\n```json\n(.*?)```", re.DOTALL)
_WIDEST: Final = 40


def examples_in(page: str) -> dict[str, Any]:
    """Return the messages that a page shows, by their names."""
    return {name: json.loads(text) for name, text in _EXAMPLE.findall(page)}


def page_with_tables(page: str) -> str:
    """Return the page with its tables of fields replaced."""
    schemas, examples = message_schemas(), examples_in(page)

    def written(found: re.Match[str]) -> str:
        begin, name, end = found.groups()
        return f"{begin}{_table(schemas[name], examples[name])}\n{end}"

    return _TABLE.sub(written, page)


def _table(schema: Schema, example: Any) -> str:
    head = ["| field | type and range | meaning | example |", "|---|---|---|---|"]
    return "\n".join([*head, *_rows(schema, schema, example)])


def _rows(root: Schema, node: Schema, example: Any, path: str = "") -> Iterator[str]:
    required = set(node["required"])
    for name, field in node["properties"].items():
        kind = _resolved(root, field)
        value = example.get(name) if isinstance(example, dict) else None
        mark = "" if name in required else "?"
        meaning = field.get("description", "")
        yield f"| `{path}{name}`{mark} | {_type_of(root, field)} | {meaning} | {_shown(value)} |"
        if "properties" in kind:
            yield from _rows(root, kind, value, f"{path}{name}.")


def _resolved(root: Schema, field: Schema) -> Schema:
    """Follow a reference, through ``anyOf`` with null where the field may be null."""
    for choice in field.get("anyOf", [field]):
        if "$ref" in choice:
            found: Schema = root["$defs"][choice["$ref"].rpartition("/")[2]]
            return found
        if choice.get("type") != "null":
            return choice
    return field


def _type_of(root: Schema, field: Schema) -> str:
    kind = _resolved(root, field)
    null = " or null" if {"type": "null"} in field.get("anyOf", []) else ""
    return f"{_plain_type(root, kind)}{null}"


def _plain_type(root: Schema, kind: Schema) -> str:
    words = kind.get("enum") or ([kind["const"]] if "const" in kind else [])
    if words:
        return ", ".join(f"`{word}`" for word in words)
    if kind["type"] == "array":
        return f"list of {_plain_type(root, _resolved(root, kind['items']))}"
    if kind.get("format") == "date-time":
        return "time"
    return f"{kind['type']}{_range_of(kind)}"


def _range_of(kind: Schema) -> str:
    low, high = kind.get("minimum"), kind.get("maximum")
    if low is not None and high is not None:
        return f" {low}..{high}"
    if low is not None:
        return f" ≥ {low}"
    if "exclusiveMinimum" in kind:
        return f" > {kind['exclusiveMinimum']}"
    return f", at most {kind['maxLength']} bytes" if "maxLength" in kind else ""


def _shown(value: Any) -> str:
    if value is None or isinstance(value, dict):
        return ""
    text = json.dumps(value, ensure_ascii=False)
    return f"`{text if len(text) <= _WIDEST else text[: _WIDEST - 1] + '…'}`"


if __name__ == "__main__":
    PAGE.write_text(page_with_tables(PAGE.read_text()))
