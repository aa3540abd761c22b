"""Alarms, the journal, furnaces, and who looks: what can be read of the live picture."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from meltwatch_schemas.alarm import AlarmState

from meltwatch_console.adapters.http.gate import ApiError, Gate
from meltwatch_console.domain.identity import Visitor
from meltwatch_console.domain.journal import MOST_ANSWERED, JournalQuestion
from meltwatch_console.pipeline.live_picture import LivePicture

_JSON = "application/json"


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
    router = APIRouter(prefix="/api/v1", dependencies=[Depends(gate.who)])

    @router.get("/me")
    async def me(visitor: Annotated[Visitor, Depends(gate.who)]) -> dict[str, Any]:
        """Who looks, and how the page is to be shown."""
        return {"user": visitor.user, "role": visitor.role.value, **page}

    @router.get("/furnaces")
    async def furnaces() -> dict[str, Any]:
        """Every furnace in the order of its tiles."""
        return {"furnaces": [entry.shown() for entry in picture.roster.in_order()]}

    @router.get("/alarms")
    async def alarms() -> Response:
        """The alarms that are not normal, each as on the topic."""
        return Response(picture.alarm_list(), media_type=_JSON)

    @router.get("/alarms/{alarm_id:path}")
    async def alarm(alarm_id: str) -> Response:
        """The newest record of one alarm, also of a normal one."""
        record = picture.alarm(alarm_id)
        if record is None:
            raise ApiError(404, "unknown_alarm", "expected an alarm that was raised at least once")
        return Response(record.to_json(), media_type=_JSON)

    @router.get("/journal")
    async def journal(
        furnace: Annotated[str | None, Query(max_length=200)] = None,
        since: datetime | None = None,
        until: datetime | None = None,
        state: AlarmState | None = None,
        most: Annotated[int, Query(ge=1, le=MOST_ANSWERED)] = MOST_ANSWERED,
    ) -> Response:
        """What has happened, newest first, each record as on the topic."""
        if any(time is not None and time.tzinfo is None for time in (since, until)):
            raise ApiError(422, "bad_request", "expected times with a zone, e.g. 14:00:00Z")
        asked = JournalQuestion(furnace, since, until, state, most)
        found = b",".join(picture.journal.answer(asked))
        return Response(b'{"records":[' + found + b"]}", media_type=_JSON)

    return router
