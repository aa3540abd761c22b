"""Alarms, the journal, furnaces, and who looks: what can be read of the live picture."""

from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from meltwatch_schemas.alarm import AlarmRecord, AlarmState

from meltwatch_console.adapters.http.alarm_columns import ALARMS, JOURNAL
from meltwatch_console.adapters.http.described import answers
from meltwatch_console.adapters.http.gate import ApiError, Gate
from meltwatch_console.adapters.http.shapes import (
    AlarmListShape,
    FurnaceList,
    JournalShape,
    VisitorShape,
)
from meltwatch_console.adapters.http.tables import (
    JSON,
    AnswerTable,
    Cell,
    TableColumn,
)
from meltwatch_console.domain.identity import Visitor
from meltwatch_console.domain.journal import MOST_ANSWERED, JournalQuestion
from meltwatch_console.domain.roster import RosterEntry
from meltwatch_console.pipeline.live_picture import LivePicture, encoded

_FURNACES: Final = AnswerTable[RosterEntry](
    "furnaces",
    (
        TableColumn("index", Cell.WHOLE, "Its number in the stream.", lambda each: each.index),
        TableColumn("id", Cell.TEXT, "Furnace id.", lambda each: each.id),
        TableColumn("area", Cell.TEXT, "The level above it.", lambda each: each.area),
        TableColumn(
            "registered", Cell.YES_NO, "It stands in the plant file.", lambda each: each.registered
        ),
    ),
)


_AlarmId = Annotated[str, Path(examples=["demo/smelting-1/FMF-01/OVERHEAT"])]
_Furnace = Annotated[
    str | None, Query(max_length=200, description="A furnace id, or a level above it.")
]
_Since = Annotated[
    datetime | None, Query(description="From this instant on, ISO 8601 with a zone.")
]
_Until = Annotated[datetime | None, Query(description="Before this instant, ISO 8601 with a zone.")]
_State = Annotated[AlarmState | None, Query(description="That was entered.")]
_Most = Annotated[int, Query(ge=1, le=MOST_ANSWERED, description="Records at most.")]


def alarm_routes(gate: Gate, picture: LivePicture, page: dict[str, Any]) -> APIRouter:
    """Return the routes of alarms.

    Parameters
    ----------
    gate
        Says who asks.
    picture
        What is known.
    page
        What the page is told of itself: how it logs in, its time zone and language.
    """
    router = APIRouter(prefix="/api/v1", dependencies=[Depends(gate.who)], tags=["alarms"])

    @router.get("/me", response_model=None, responses=answers(VisitorShape))
    async def me(visitor: Annotated[Visitor, Depends(gate.who)]) -> dict[str, Any]:
        """Who looks, and how the page is to be shown."""
        return {"user": visitor.user, "role": visitor.role.value, **page}

    @router.get("/furnaces", responses=answers(FurnaceList, table=_FURNACES))
    async def furnaces(request: Request) -> Response:
        """Every furnace in the order of its tiles."""
        entries = picture.roster.in_order()
        told = {"furnaces": [entry.shown() for entry in entries]}
        return _FURNACES.answer(request, lambda: entries, lambda: encoded(told))

    @router.get("/alarms", responses=answers(AlarmListShape, table=ALARMS))
    async def alarms(request: Request) -> Response:
        """The alarms that are not normal, each as on the topic."""
        return ALARMS.answer(request, picture.listed, picture.alarm_list)

    @router.get("/alarms/{alarm_id:path}", responses=answers(AlarmRecord, 404))
    async def alarm(
        alarm_id: _AlarmId,
    ) -> Response:
        """The newest record of one alarm, also of a normal one."""
        record = picture.alarm(alarm_id)
        if record is None:
            raise ApiError(404, "unknown_alarm", "expected an alarm that was raised at least once")
        return Response(record.to_json(), media_type=JSON)

    _add_journal(router, picture)
    return router


def _add_journal(router: APIRouter, picture: LivePicture) -> None:
    @router.get("/journal", responses=answers(JournalShape, table=JOURNAL))
    async def journal(
        request: Request,
        furnace: _Furnace = None,
        since: _Since = None,
        until: _Until = None,
        state: _State = None,
        most: _Most = MOST_ANSWERED,
    ) -> Response:
        """What has happened, newest first, each record as on the topic."""
        if any(time is not None and time.tzinfo is None for time in (since, until)):
            raise ApiError(422, "bad_request", "expected times with a zone, e.g. 14:00:00Z")
        asked = JournalQuestion(furnace, since, until, state, most)
        found = list(picture.journal.answer(asked))
        return JOURNAL.answer(
            request,
            lambda: map(AlarmRecord.from_json, found),
            lambda: b'{"records":[' + b",".join(found) + b"]}",
        )
