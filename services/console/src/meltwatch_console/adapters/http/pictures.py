"""Frames and anomaly maps of one furnace, as PNG and as numbers."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query, Response
from meltwatch_schemas.window import NS_PER_MS

from meltwatch_console.adapters.http.answers import picture_errors
from meltwatch_console.adapters.http.described import FurnaceId, answers, pictures
from meltwatch_console.adapters.http.gate import Gate
from meltwatch_console.adapters.http.shapes import FilmShape, SpotShape, StripShape
from meltwatch_console.pipeline.pictures import PictureDesk, StripWindow
from meltwatch_console.pipeline.score_book import FramePlace

_PNG: Final = "image/png"
_FOR_EVER: Final = {"Cache-Control": "private, max-age=31536000, immutable"}
"""What an offset holds never changes."""
_LATEST_MS: Final = 2**53
_Whole = Annotated[int, Path(ge=0, le=2**63 - 1, description="As /frames gives it.")]
_Ms = Annotated[int, Query(ge=0, le=_LATEST_MS, description="Of window ends, ms UTC.")]
_Window = Annotated[
    int, Path(ge=0, le=_LATEST_MS, description="End of the window, ms UTC since 1970.")
]


_At = Annotated[
    int | None, Query(ge=0, le=_LATEST_MS, description="End of the clip, ms UTC; else the newest.")
]
_EventNs = Annotated[
    int | None, Query(ge=0, le=2**63 - 1, description="Which frame of its record.")
]


def picture_routes(gate: Gate, desk: PictureDesk) -> APIRouter:
    """Return the routes of pictures.

    Parameters
    ----------
    gate
        Says who asks.
    desk
        Gives the pictures.
    """
    router = APIRouter(
        prefix="/api/v1/furnaces", dependencies=[Depends(gate.who)], tags=["pictures"]
    )

    @router.get(
        "/{furnace_id:path}/frames", response_model=None, responses=answers(FilmShape, 404, 503)
    )
    async def film(
        furnace_id: FurnaceId,
        at: _At = None,
    ) -> dict[str, Any]:
        """Where the frames of a clip that ends at an instant (ms) stand, oldest first."""
        with picture_errors():
            places = await desk.film(furnace_id, at)
        return {"frames": [_shown(place) for place in places]}

    @router.get(
        "/{furnace_id:path}/strip", response_model=None, responses=answers(StripShape, 404, 503)
    )
    async def strip(furnace_id: FurnaceId, since: _Ms, until: _Ms) -> dict[str, Any]:
        """One frame a window, with its score and what its map marks; a minute (ms) at most."""
        with picture_errors():
            windows = await desk.strip(furnace_id, since, until)
        return {"windows": [_window(each) for each in windows]}

    @router.get(
        "/{furnace_id:path}/frames/{partition}-{offset}.png",
        response_class=Response,
        responses=pictures(),
    )
    async def frame(
        furnace_id: FurnaceId,
        partition: _Whole,
        offset: _Whole,
        event_ns: _EventNs = None,
    ) -> Response:
        """One frame, its pixels as the encoder took them; ``event_ns`` says which of its record."""
        with picture_errors():
            png = await desk.frame(furnace_id, partition, offset, event_ns)
        return Response(png, media_type=_PNG, headers=_FOR_EVER)

    _add_maps(router, desk)
    return router


def _add_maps(router: APIRouter, desk: PictureDesk) -> None:
    @router.get(
        "/{furnace_id:path}/maps/{window_end_ms}.png",
        response_class=Response,
        responses=pictures(),
    )
    async def map_picture(furnace_id: FurnaceId, window_end_ms: _Window) -> Response:
        """The anomaly map of a window in greys, 255 for 1."""
        with picture_errors():
            png = await desk.map_picture(furnace_id, window_end_ms)
        return Response(png, media_type=_PNG, headers=_FOR_EVER)

    @router.get(
        "/{furnace_id:path}/maps/{window_end_ms}",
        response_model=None,
        responses=answers(SpotShape, 404, 503),
    )
    async def spot(furnace_id: FurnaceId, window_end_ms: _Window) -> dict[str, Any]:
        """What of the map is 0.5 or more: pixels as ``[row, column]``, their share and place."""
        with picture_errors():
            found = await desk.spot(furnace_id, window_end_ms)
        text = f"spot {found.place}, {found.share:.1%} of the picture" if found.cells else "no spot"
        return {"cells": found.cells, "share": found.share, "place": found.place, "text": text}


def _window(each: StripWindow) -> dict[str, Any]:
    frame, spot = each.frame, each.spot
    return {
        "end_ms": each.end_ms,
        "score": each.score,
        "status": each.flags,
        "frame": None if frame is None else _shown(frame),
        "spot": None if spot is None else spot._asdict(),
    }


def _shown(place: FramePlace) -> dict[str, Any]:
    return {
        "partition": place.partition,
        "offset": place.offset,
        "at_ms": place.event_ns / NS_PER_MS,
        "event_ns": str(place.event_ns),
        "window_end_ms": place.window_end_ms,
    }
