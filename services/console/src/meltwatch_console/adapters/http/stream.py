"""``GET /api/v1/stream``: server-sent events."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Header, Request
from fastapi.responses import StreamingResponse

from meltwatch_console.adapters.http.described import errors
from meltwatch_console.adapters.http.gate import Gate
from meltwatch_console.domain.identity import Visitor
from meltwatch_console.pipeline.hub import GZIP_HEAD, Hub

_ANSWERS: Final = {
    200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}},
    **errors(),
}


def stream_routes(gate: Gate, hub: Hub) -> APIRouter:
    """Return the routes of the stream."""
    router = APIRouter(prefix="/api/v1", tags=["stream"])

    @router.get("/stream", response_class=StreamingResponse, responses=_ANSWERS)
    async def stream(
        request: Request,
        _: Annotated[Visitor, Depends(gate.who)],
        last_event_id: Annotated[
            str | None, Header(max_length=100, description="The last id that was received.")
        ] = None,
    ) -> StreamingResponse:
        """All that changes, as it changes.

        Server-sent events, the data of each JSON: `snapshot` (the whole picture, at first and
        where something was missed), `scores` (once a second what has changed, rows of index,
        score × 10, flags, end), `alarm` (a record), `furnace`, `heartbeat`, `link`.
        Three silent comments (15 s) mean that the connection is dead. A client that comes back
        with `Last-Event-ID` is sent what it has missed.
        """
        headers = {
            "Cache-Control": "no-store", "X-Accel-Buffering": "no", "Vary": "Accept-Encoding",
        }  # fmt: skip
        body = _plain(hub, last_event_id)
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
            body = _packed(hub, last_event_id)
        return StreamingResponse(body, media_type="text/event-stream", headers=headers)

    return router


async def _plain(hub: Hub, last_id: str | None) -> AsyncIterator[bytes]:
    async with aclosing(hub.events(last_id)) as events:
        async for sent in events:
            yield sent.plain


async def _packed(hub: Hub, last_id: str | None) -> AsyncIterator[bytes]:
    yield GZIP_HEAD
    async with aclosing(hub.events(last_id)) as events:
        async for sent in events:
            yield sent.packed
