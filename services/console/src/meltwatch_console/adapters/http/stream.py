"""``GET /api/v1/stream``: server-sent events."""

from typing import Annotated

from fastapi import APIRouter, Depends, Header
from fastapi.responses import StreamingResponse

from meltwatch_console.adapters.http.gate import Gate
from meltwatch_console.domain.identity import Visitor
from meltwatch_console.pipeline.hub import Hub


def stream_routes(gate: Gate, hub: Hub) -> APIRouter:
    """Return the routes of the stream."""
    router = APIRouter(prefix="/api/v1")

    @router.get("/stream")
    async def stream(
        _: Annotated[Visitor, Depends(gate.who)],
        last_event_id: Annotated[str | None, Header(max_length=100)] = None,
    ) -> StreamingResponse:
        """All that changes, as it changes."""
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(
            hub.events(last_event_id), media_type="text/event-stream", headers=headers
        )

    return router
