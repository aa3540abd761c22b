"""What the OpenAPI document says, beside what FastAPI reads off the routes."""

import json
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, FastAPI, Path, Response
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from meltwatch_console.adapters.http.gate import Gate
from meltwatch_console.adapters.http.shapes import ErrorAnswer
from meltwatch_console.adapters.http.tables import JSON, AnswerTable

VERSION: Final = "1"
"""Of the API: it stands in every address."""
ADDRESS: Final = "/api/v1/openapi.json"
Answers = dict[int | str, dict[str, Any]]
FurnaceId = Annotated[
    str, Path(description="Furnace id, with its slashes.", examples=["demo/smelting-1/FMF-01"])
]
_ABOUT: Final = """What the operator console shows, for programs.

Times are event time unless a field says otherwise. Names that end in `_ms` are milliseconds since
1970 in UTC; other times are ISO 8601 in UTC. Scores are calibrated log-odds.
Tables come as JSON, or by `Accept` as CSV or as an Arrow stream: `x-columns` names their columns.
In CSV, text that a spreadsheet would take for a formula has an apostrophe before it.
Every error is `{"error": {"code", "message"}}`.
"""
_ERRORS: Final = {
    401: "No token, or one that does not count.",
    403: "A page of another site, or not your role.",
    422: "A parameter makes no sense; the message says which.",
    500: "A failure of the console; its log says which.",
}
_MORE_ERRORS: Final = {
    404: "There is none.",
    406: "None of the media types that are asked for can be given.",
    503: "Kafka is away.",
}


def errors(*more: int) -> Answers:
    """Return the errors that every route may give, and some more by status."""
    told = _ERRORS | {status: _MORE_ERRORS[status] for status in more}
    return {each: {"model": ErrorAnswer, "description": text} for each, text in told.items()}


def answers(model: type[BaseModel], *more: int, table: AnswerTable[Any] | None = None) -> Answers:
    """Return what a route answers: its JSON, the other forms of a table, its errors.

    Parameters
    ----------
    model
        Of the JSON; answers are not checked against it.
    more
        Errors beyond the usual.
    table
        Where it comes as CSV and Arrow stream, too.
    """
    good: dict[str, Any] = {"model": model}
    if table is not None:
        good["content"] = table.documented()
        more = (*more, 406)
    return {200: good} | errors(*more)


def pictures() -> Answers:
    """Return what a route of pictures answers."""
    png = {"image/png": {"schema": {"type": "string", "format": "binary"}}}
    return {200: {"content": png, "description": "A picture, PNG."}} | errors(404, 503)


def document_of(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document of an application."""
    document = get_openapi(
        title="Meltwatch console",
        version=VERSION,
        summary="Alarms, scores, currents and pictures of furnaces; commands of operators.",
        description=_ABOUT,
        routes=app.routes,
    )
    document.setdefault("components", {})["securitySchemes"] = {
        "token": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "A signed token of the plant's login. On loopback, where nobody logs "
            "in, none is needed.",
        }
    }
    document["security"] = [{"token": []}]
    return document


def document_routes(gate: Gate, app: FastAPI) -> APIRouter:
    """Return the route of the document itself."""
    router = APIRouter(dependencies=[Depends(gate.who)], include_in_schema=False)
    made: list[bytes] = []

    @router.get(ADDRESS)
    async def document() -> Response:
        """The OpenAPI document."""
        if not made:
            made.append(json.dumps(document_of(app), ensure_ascii=False).encode())
        return Response(made[0], media_type=JSON)

    return router
