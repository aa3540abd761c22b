"""Files of labels: a JSON list of objects, or CSV with the same names in its first line."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from meltwatch_schemas.labels import Label
from meltwatch_schemas.text import escaped
from pydantic import ValidationError

from meltwatch_chassis.errors import ConfigurationError

MAX_BYTES: Final = 64 * 1024 * 1024
_NAMES: Final = tuple(Label.model_fields)
_FORMULA: Final = ("=", "+", "-", "@", "'")
"""A spreadsheet would work out a cell that begins so; ``'`` before it makes it text."""


def labels_as_json(labels: Iterable[Label]) -> str:
    """Return labels as the text of a JSON file."""
    return json.dumps([json.loads(each.to_json()) for each in labels], indent=1, ensure_ascii=False)


def labels_as_csv(labels: Iterable[Label]) -> str:
    """Return labels as the text of a CSV file."""
    text = io.StringIO()
    rows = csv.DictWriter(text, _NAMES, lineterminator="\n")
    rows.writeheader()
    for each in labels:
        cells = json.loads(each.to_json()).items()
        rows.writerow({k: f"'{v}" if v.startswith(_FORMULA) else v for k, v in cells})
    return text.getvalue().removesuffix("\n")


def read_labels(path: Path) -> tuple[Label, ...]:
    """Return the labels of a file; one that ends in ``.csv`` is CSV.

    Raises
    ------
    ConfigurationError
        If it is none, with the first entry that is wrong.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(f"{path}: {error}") from error
    if len(content) > MAX_BYTES:
        raise ConfigurationError(f"{path}: expected at most {MAX_BYTES} bytes, got more")
    entries = _rows(content) if path.suffix.lower() == ".csv" else _objects(content)
    found: list[Label] = []
    try:
        found.extend(Label.from_json(json.dumps(entry).encode()) for entry in entries)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "label"
        fault = f"{where}: {first['msg'].removeprefix('Value error, ')}"
        raise ConfigurationError(
            f"{path}: label {len(found) + 1}: {escaped(fault)[:300]}"
        ) from error
    except (ValueError, TypeError, RecursionError, csv.Error) as error:
        fault = escaped(str(error))[:300]
        raise ConfigurationError(f"{path}: expected labels as JSON or CSV, got {fault}") from error
    return tuple(found)


def _objects(content: bytes) -> Iterator[Any]:
    entries = json.loads(content)
    if not isinstance(entries, list):
        raise TypeError("no list")
    yield from entries


def _rows(content: bytes) -> Iterator[dict[str, str]]:
    rows = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
    for row in rows:
        if None in row or None in row.values():
            raise ValueError(f"line {rows.line_num}: another number of cells than in the first")
        yield {name: cell.removeprefix("'") for name, cell in row.items()}
