"""Tables come in the form that is asked for, and none of them runs as a formula."""

import csv
import io
from typing import Any, Final

import pyarrow as pa
import pytest
from fastapi import Request
from meltwatch_console.adapters.http.alarm_columns import ALARMS
from meltwatch_console.adapters.http.gate import ApiError
from meltwatch_console.adapters.http.tables import (
    ARROW,
    CSV,
    JSON,
    AnswerTable,
    Cell,
    TableColumn,
    wanted_kind,
)
from meltwatch_schemas.instants import ns_from_utc

from tests.support.builders import alarm_record

AT_NS: Final = 1_800_000_000_123_456_000
PLANE: Final = AnswerTable[tuple](
    "plane",
    (
        TableColumn("name", Cell.TEXT, "Of the thing.", lambda row: row[0]),
        TableColumn("at", Cell.TIME, "When.", lambda row: row[1]),
        TableColumn("level", Cell.NUMBER, "How high.", lambda row: row[2], "A"),
        TableColumn("count", Cell.WHOLE, "How many.", lambda row: row[3]),
        TableColumn("ok", Cell.YES_NO, "Whether.", lambda row: row[4]),
    ),
)
ROWS: Final = [('x, "y"\n', AT_NS, -0.5, 3, True), (None, None, None, None, None)]


def asked(*accept: str) -> Request:
    headers = [(b"accept", each.encode()) for each in accept]
    return Request({"type": "http", "headers": headers})


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ([], JSON),
        (["*/*"], JSON),
        (["text/csv"], CSV),
        (["TEXT/CSV; header=present"], CSV),
        (["text/*"], CSV),
        ([ARROW], ARROW),
        (["application/*"], JSON),
        (["text/html, */*;q=0.1"], JSON),
        (["text/csv;q=0.4, application/json;q=0.3"], CSV),
        (["text/csv;q=0.4", f"{ARROW};q=0.8"], ARROW),
        (["*/*, application/json;q=0"], CSV),
        (["text/csv;q=0, */*;q=0.5"], JSON),
        (["application/*;q=0.9, application/json;q=0.1, text/csv;q=0.5"], ARROW),
        (["text/csv;q=nan, application/json;q=0.001"], JSON),
        (["text/csv;q=2, application/json;q=0.001"], JSON),
        (["text/csv;q=, application/json;q=0.001"], JSON),
    ],
)
def test_the_form_is_the_one_that_is_preferred(accept: list[str], kind: str) -> None:
    assert wanted_kind(asked(*accept)) == kind


@pytest.mark.parametrize(
    "accept", ["text/html", "image/*", "text/csv;q=0", "*/*;q=0", ";;,", "application/json;q=x"]
)
def test_what_cannot_be_given_is_refused_with_a_reason(accept: str) -> None:
    with pytest.raises(ApiError, match=r"application/json, text/csv, application/vnd.apache") as e:
        wanted_kind(asked(accept))

    assert (e.value.status, e.value.code) == (406, "not_acceptable")


def test_csv_has_a_header_times_in_utc_and_nothing_where_nothing_is() -> None:
    header, first, second = csv.reader(io.StringIO(PLANE.csv(ROWS).decode(), newline=""))

    assert header == ["name", "at", "level", "count", "ok"]
    assert first == ['x, "y"\n', "2027-01-15T08:00:00.123456Z", "-0.5", "3", "true"]
    assert second == ["", "", "", "", ""]


@pytest.mark.parametrize("begins", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_text_from_outside_is_no_formula(begins: str) -> None:
    (_, row) = csv.reader(
        io.StringIO(
            PLANE.csv([(f"{begins}cmd|' /C calc'!A0", None, -1.5, -2, None)]).decode(), newline=""
        )
    )

    assert row[0] == f"'{begins}cmd|' /C calc'!A0"
    assert row[2:4] == ["-1.5", "-2"], "a number stays one"


def test_an_arrow_stream_has_types_units_and_the_same_values() -> None:
    table = pa.ipc.open_stream(PLANE.arrow(ROWS)).read_all()

    assert table.column_names == ["name", "at", "level", "count", "ok"]
    assert table.schema.field("at").type == pa.timestamp("us", "UTC")
    assert table.schema.field("level").metadata == {b"unit": b"A", b"description": b"How high."}
    assert table.column("level").to_pylist() == [-0.5, None]
    assert table.column("at").cast(pa.int64()).to_pylist() == [AT_NS // 1000, None]
    assert table.column("name").to_pylist() == ['x, "y"\n', None], "no apostrophe: it is no text"


def test_an_empty_table_has_its_columns() -> None:
    assert PLANE.csv([]) == b"name,at,level,count,ok\r\n"
    assert pa.ipc.open_stream(PLANE.arrow([])).read_all().num_columns == 5


def test_all_of_an_alarm_record_that_an_operator_sees_is_in_its_row() -> None:
    record = alarm_record("hall/FMF-01/OVERHEAT", 3, title="=1+1")

    (row,) = pa.ipc.open_stream(ALARMS.arrow([record])).read_all().to_pylist()

    assert (row["alarm_id"], row["furnace_id"]) == (record.alarm_id, record.equipment_path)
    assert (row["state"], row["cause"]) == (record.state.value, record.transition.cause)
    assert ns_from_utc(row["raise_time"]) == ns_from_utc(record.raise_time)
    assert (row["score"], row["threshold"]) == (record.evidence.score, record.evidence.threshold)
    assert (row["epoch"], row["seq"]) == (record.epoch, record.seq)
    assert b",'=1+1," in ALARMS.csv([record])


@pytest.mark.parametrize(
    "changes",
    [
        {"class": "system"},
        {"evidence": {"imbalance_on": 0.3, "imbalance_off": 0.2}},
        {"evidence": {"novelty_on": 3.0, "novelty_off": 2.5}},
    ],
    ids=["system", "imbalance", "novelty"],
)
def test_an_alarm_that_no_score_judges_has_no_threshold_in_its_row(
    changes: dict[str, Any],
) -> None:
    judged = alarm_record("hall/FMF-01/OVERHEAT")
    evidence = judged.evidence.model_dump() | {
        "score": None,
        "threshold": 0.0,
        "threshold_off": 0.0,
    }
    told = changes | {"evidence": evidence | changes.get("evidence", {})}
    record = alarm_record("hall/FMF-01/OTHER", **told)

    rows = pa.ipc.open_stream(ALARMS.arrow([judged, record])).read_all().to_pylist()

    assert [(row["threshold"], row["threshold_off"]) for row in rows] == [(2.0, 0.0), (None, None)]
