"""Tables as JSON, CSV or an Arrow stream: whichever a request accepts.

A group of routes names its columns once. From them come the CSV, the Arrow schema and what the
OpenAPI document says of both. JSON stays as each address has it.
"""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any, Final, Generic, TypeVar

from fastapi import Request, Response
from meltwatch_schemas.instants import rfc3339, utc_from_ns

from meltwatch_console.adapters.http.gate import ApiError

JSON: Final = "application/json"
CSV: Final = "text/csv"
ARROW: Final = "application/vnd.apache.arrow.stream"
_OFFERED: Final = (JSON, CSV, ARROW)
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a spreadsheet takes for the beginning of a formula."""
_VARY: Final = {"Vary": "Accept"}
Row = TypeVar("Row")


class Cell(StrEnum):
    """What stands in a column."""

    TEXT = "text"
    TIME = "time"
    NUMBER = "number"
    WHOLE = "whole"
    YES_NO = "yes_no"


@dataclass(frozen=True)
class TableColumn(Generic[Row]):
    """One column.

    Attributes
    ----------
    name
        As in the header.
    cell
        What stands in it. A time is given as ns UTC.
    says
        One sentence for who reads it.
    value
        Returns it of a row; None where there is none.
    unit
        Of a number, empty where it has none.
    """

    name: str
    cell: Cell
    says: str
    value: Callable[[Row], Any]
    unit: str = ""


@dataclass(frozen=True)
class AnswerTable(Generic[Row]):
    """The columns of an answer.

    Attributes
    ----------
    name
        Of the file that a browser saves.
    columns
        In their order.
    """

    name: str
    columns: Sequence[TableColumn[Row]]

    def answer(
        self, request: Request, rows: Callable[[], Iterable[Row]], told: Callable[[], bytes]
    ) -> Response:
        """Return the table as a request accepts it.

        Parameters
        ----------
        rows
            Returns them, for CSV and Arrow.
        told
            Returns the JSON of the address.

        Raises
        ------
        ApiError
            406 if it accepts none of them.
        """
        kind = wanted_kind(request)
        if kind == JSON:
            return Response(told(), media_type=JSON, headers=_VARY)
        body, ending = (self.csv(rows()), "csv") if kind == CSV else (self.arrow(rows()), "arrows")
        media_type = f"{CSV}; charset=utf-8; header=present" if kind == CSV else ARROW
        name = {"Content-Disposition": f'attachment; filename="{self.name}.{ending}"'}
        return Response(body, media_type=media_type, headers=_VARY | name)

    def csv(self, rows: Iterable[Row]) -> bytes:
        """Return rows as RFC 4180 has them: UTF-8, a header, times as ISO 8601 in UTC."""
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        writer.writerow([column.name for column in self.columns])
        told = [(_told(column.cell), column.value) for column in self.columns]
        for row in rows:
            writer.writerow([tell(value(row)) for tell, value in told])
        return text.getvalue().encode()

    def arrow(self, rows: Iterable[Row]) -> bytes:
        """Return rows as one Arrow IPC stream; times are microseconds UTC."""
        import pyarrow as pa  # noqa: PLC0415 - 50 MB that most consoles never need

        kinds = {
            Cell.TEXT: pa.string(),
            Cell.TIME: pa.timestamp("us", "UTC"),
            Cell.NUMBER: pa.float64(),
            Cell.WHOLE: pa.int64(),
            Cell.YES_NO: pa.bool_(),
        }
        held = list(rows)
        fields, arrays = [], []
        for column in self.columns:
            values = [column.value(row) for row in held]
            if column.cell is Cell.TIME:
                values = [None if value is None else value // 1000 for value in values]
            elif column.cell is Cell.TEXT:
                values = [_word(value) for value in values]
            about = {"unit": column.unit, "description": column.says}
            fields.append(pa.field(column.name, kinds[column.cell], metadata=about))
            arrays.append(pa.array(values, kinds[column.cell]))
        table = pa.Table.from_arrays(arrays, schema=pa.schema(fields))
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        return bytes(sink.getvalue())

    def documented(self) -> dict[str, Any]:
        """Return what the OpenAPI document says of the CSV and the Arrow stream."""
        columns = [
            {
                "name": column.name,
                "type": column.cell.value,
                "description": column.says,
                **({"unit": column.unit} if column.unit else {}),
            }
            for column in self.columns
        ]
        return {
            CSV: {"schema": {"type": "string"}, "x-columns": columns},
            ARROW: {"schema": {"type": "string", "format": "binary"}, "x-columns": columns},
        }


def wanted_kind(request: Request) -> str:
    """Return the media type that a request wants of a table: JSON where it has no preference.

    Raises
    ------
    ApiError
        406 if it accepts none of them.
    """
    accepted = ",".join(request.headers.getlist("accept")) or JSON
    weights = [_weight(accepted, offered) for offered in _OFFERED]
    best = max(weights)
    if best <= 0:
        raise ApiError(406, "not_acceptable", f"expected to be asked for {', '.join(_OFFERED)}")
    return _OFFERED[weights.index(best)]


def _weight(accepted: str, offered: str) -> float:
    """Return the weight of the most specific range that covers a media type (RFC 9110, 12.5.1)."""
    best, weight = -1, 0.0
    for part in accepted.split(","):
        media_range, *parameters = (each.strip() for each in part.lower().split(";"))
        found = (offered, f"{offered.partition('/')[0]}/*", "*/*")
        if media_range in found and (rank := 2 - found.index(media_range)) > best:
            best, weight = rank, _quality(parameters)
    return weight


def _quality(parameters: list[str]) -> float:
    given = next((each.removeprefix("q=") for each in parameters if each.startswith("q=")), "1")
    try:
        quality = float(given)
    except ValueError:
        return 0.0
    return quality if 0 <= quality <= 1 else 0.0


def _word(value: Any) -> str | None:
    """Return text; words of an enumeration as on the wire."""
    if value is None:
        return None
    return str(value.value) if isinstance(value, Enum) else str(value)


def _told(cell: Cell) -> Callable[[Any], str]:
    return {
        Cell.TEXT: lambda value: _harmless(_word(value) or ""),
        Cell.TIME: lambda value: "" if value is None else rfc3339(utc_from_ns(value)),
        Cell.YES_NO: lambda value: "" if value is None else str(value).lower(),
    }.get(cell, lambda value: "" if value is None else repr(value))


def _harmless(text: str) -> str:
    """Return text that no spreadsheet takes for a formula: an apostrophe goes before it."""
    return f"'{text}" if text.startswith(_FORMULA) else text
