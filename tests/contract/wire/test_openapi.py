"""The console's API as its document says it: nothing left out, nothing old."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.openapi import DOCUMENT, document_text, openapi

BOUNDS = {"maximum", "maxLength", "enum", "const", "format", "$ref", "pattern"}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_the_file_is_what_the_routes_say() -> None:
    assert DOCUMENT.read_text() == document_text(), "run make schemas"


def test_every_route_says_what_it_gives_and_how_its_errors_look(document: dict[str, Any]) -> None:
    wrong = []
    for name, operation in operations(document):
        answers = operation["responses"]
        media = answers["200"].get("content", {})
        told = media.get("application/json", {}).get("schema", {})
        is_shaped = set(told) == {"$ref"} if "application/json" in media else bool(media)
        errors = {
            str(each.get("content", {}).get("application/json", {}).get("schema", {}))
            for status, each in answers.items()
            if status[0] in "45"
        }
        if not is_shaped or not errors or any("Answer" not in each for each in errors):
            wrong.append((name, told, errors))
        if not operation.get("description") or not operation.get("tags"):
            wrong.append((name, "no words", "or no tag"))
    assert wrong == [], "give the route responses=answers(…): see adapters/http/described.py"


def test_every_parameter_has_a_limit_and_words(document: dict[str, Any]) -> None:
    wrong = []
    for name, operation in operations(document):
        for parameter in operation.get("parameters", []):
            schema = parameter["schema"]
            kinds = [each for each in schema.get("anyOf", [schema]) if each.get("type") != "null"]
            is_bounded = all(BOUNDS & set(kind) for kind in kinds) or parameter["in"] == "path"
            is_told = parameter.get("description") or "examples" in schema
            if not (is_bounded and is_told):
                wrong.append((name, parameter["name"]))
    assert wrong == []


def test_names_of_operations_are_unique(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, operation in operations(document)]
    assert len(names) == len(set(names)), sorted(names)


def test_a_table_names_its_columns_with_their_units(document: dict[str, Any]) -> None:
    tables = {
        name: content["text/csv"]["x-columns"]
        for name, operation in operations(document)
        if "text/csv" in (content := operation["responses"]["200"].get("content", {}))
    }
    assert {"GET /api/v1/alarms", "GET /api/v1/journal", "GET /api/v1/furnaces"} <= set(tables)
    assert {
        "GET /api/v1/furnaces/{furnace_id}/scores",
        "GET /api/v1/furnaces/{furnace_id}/currents",
    } <= set(tables)
    for columns in tables.values():
        assert all(column["description"] for column in columns)
        assert all(column.get("unit") for column in columns if column["type"] == "number")


def test_it_says_how_to_log_in_and_needs_nothing_from_elsewhere(document: dict[str, Any]) -> None:
    (scheme,) = document["components"]["securitySchemes"].values()
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    assert document["security"] == [{"token": []}]
    assert not re.search(r"https?://", str(document)), "a control room has no internet"
