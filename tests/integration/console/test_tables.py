"""What a real console answers is what its document says, in each form of a table."""

import csv
import io
import json
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pyarrow as pa
import pytest
import yaml
from meltwatch_console.adapters.http import shapes
from meltwatch_console.adapters.http.tables import ARROW, CSV, JSON
from meltwatch_schemas.window import NS_PER_MS

from tests.integration.console.furnace_forge import FURNACE, wait_for_scores
from tests.support.openapi import DOCUMENT
from tests.support.waiting import until

pytestmark = pytest.mark.integration


def fetched(console, path: str, accept: str) -> tuple[bytes, str]:
    request = Request(f"{console.url}api/v1/{path}", headers={"Accept": accept})  # noqa: S310 - of ours
    with urlopen(request) as answer:  # noqa: S310 - of ours
        return answer.read(), answer.headers["Content-Type"]


def read(kind: str, body: bytes) -> list[dict]:
    if kind == CSV:
        return list(csv.DictReader(io.StringIO(body.decode(), newline="")))
    return pa.ipc.open_stream(body).read_all().to_pylist()


def test_answers_are_what_the_document_says(make_console, furnace, forge):
    console = make_console([FURNACE])
    console.wait_live()
    wait_for_scores(console, furnace)
    forge.raised(f"{FURNACE}/OVERHEAT", title="=HYPERLINK(1)")
    until(lambda: console.ask("api/v1/alarms")[1]["alarms"], "the console has it")
    end_ms = furnace.loud().window_end_ns // NS_PER_MS
    of_furnace = f"furnaces/{FURNACE}"
    stretch = f"since={end_ms - 20_000}&until={end_ms + 1}"

    for path, shape in {
        "me": shapes.VisitorShape,
        "furnaces": shapes.FurnaceList,
        "alarms": shapes.AlarmListShape,
        "journal": shapes.JournalShape,
        f"{of_furnace}/scores?{stretch}": shapes.ScoreTraceShape,
        f"{of_furnace}/newest": shapes.NewestShape,
        f"{of_furnace}/strip?since={end_ms - 9_000}&until={end_ms}": shapes.StripShape,
        "occurrences?judged=all": shapes.OccurrenceListShape,
        "system": shapes.SystemShape,
        "system/furnaces": shapes.FurnaceInputsListShape,
        "kpi": shapes.AlarmFiguresShape,
        f"{of_furnace}/currents?{stretch}": shapes.CurrentTraceShape,
        f"{of_furnace}/frames?at={end_ms}": shapes.FilmShape,
        f"{of_furnace}/maps/{end_ms}": shapes.SpotShape,
    }.items():
        shape.model_validate_json(fetched(console, path, JSON)[0])
    served = json.loads(fetched(console, "openapi.json", "*/*")[0])
    assert served == yaml.safe_load(DOCUMENT.read_text())

    columns = {
        path: [column["name"] for column in content[CSV]["x-columns"]]
        for path, methods in served["paths"].items()
        for content in [
            methods.get("get", {}).get("responses", {}).get("200", {}).get("content", {})
        ]
        if CSV in content
    }
    for path, rows in {
        "furnaces": 1,
        "alarms": 1,
        "journal": 1,
        f"{of_furnace}/scores?{stretch}": 14,
        f"{of_furnace}/currents?{stretch}": 41,
    }.items():
        template = f"/api/v1/{path.partition('?')[0]}".replace(FURNACE, "{furnace_id}")
        for kind in (CSV, ARROW):
            body, told = fetched(console, path, f"{kind}, application/json;q=0.1")
            assert told.startswith(kind)
            found = read(kind, body)
            assert list(found[0]) == columns[template]
            assert rows - 1 <= len(found) <= rows, (path, len(found))
    assert read(CSV, fetched(console, "alarms", CSV)[0])[0]["title"] == "'=HYPERLINK(1)"
    with pytest.raises(HTTPError) as refused:
        fetched(console, "alarms", "text/html")
    with refused.value as error:
        assert error.code == 406
        said = shapes.ErrorAnswer.model_validate_json(error.read()).error
    assert "text/csv" in said.message
