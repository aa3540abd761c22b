"""What there is to review, and what was kept of each occurrence."""

import asyncio
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query, Response
from meltwatch_schemas.alarm import Priority
from meltwatch_schemas.instants import ns_from_utc
from meltwatch_schemas.window import NS_PER_MS
from pydantic import AwareDatetime, BaseModel, Field

from meltwatch_console.adapters.evidence_folder import OccurrenceFolder
from meltwatch_console.adapters.http.described import answers, pictures
from meltwatch_console.adapters.http.gate import ApiError, Gate
from meltwatch_console.adapters.http.shapes import (
    EvidenceShape,
    OccurrenceListShape,
    OccurrenceShape,
)
from meltwatch_console.domain.occurrences import (
    MOST_LISTED,
    Occurrence,
    OccurrenceBook,
    ReviewQuestion,
    ReviewScope,
)
from meltwatch_console.pipeline.evidence import META

_Name = Annotated[str | None, Field(max_length=200)]
OccurrenceId = Annotated[
    str, Path(max_length=1_024, description="Of the raise, as in its alarm record.")
]
PictureName = Annotated[
    str, Path(max_length=100, description="As evidence names it.", examples=["frame-0.png"])
]
_NOT_KEPT: Final = "nothing was kept of this occurrence"
_KEPT_NOWHERE: Final = "no evidence is kept here: MELTWATCH_CONSOLE_EVIDENCE_DIR"


class OccurrenceFilter(BaseModel):
    """Which occurrences are asked for; what is left out means all."""

    judged: ReviewScope = Field(ReviewScope.NO, description="Whether somebody has judged it.")
    furnace: _Name = Field(None, description="A furnace id, or a level above it.")
    area: _Name = Field(None, description="The level above the furnace.")
    priority: Priority | None = Field(None, description="Of the alarm.")
    by: _Name = Field(None, description="Who judged.")
    since: AwareDatetime | None = Field(None, description="Raised then or later, with a zone.")
    until: AwareDatetime | None = Field(None, description="Raised before, with a zone.")
    most: int = Field(MOST_LISTED, ge=1, le=MOST_LISTED, description="Occurrences at most.")

    def question(self) -> ReviewQuestion:
        """Return it as the book is asked."""
        since, until = map(_ms, (self.since, self.until))
        return ReviewQuestion(
            self.judged, self.furnace, self.area, self.priority, self.by, since, until
        )


def occurrence_routes(
    gate: Gate, book: OccurrenceBook, folder: OccurrenceFolder | None
) -> APIRouter:
    """Return the routes of occurrences.

    Parameters
    ----------
    gate
        Says who asks.
    book
        What is known of them.
    folder
        Where evidence is kept; None where nothing is.
    """
    router = APIRouter(
        prefix="/api/v1/occurrences", dependencies=[Depends(gate.who)], tags=["occurrences"]
    )

    @router.get("", response_model=None, responses=answers(OccurrenceListShape))
    async def occurrences(asked: Annotated[OccurrenceFilter, Query()]) -> dict[str, Any]:
        """Activations of process alarms, newest raise first; ``count`` is of all that are asked."""
        found = book.answer(asked.question())
        return {"occurrences": [_told(each) for each in found[: asked.most]], "count": len(found)}

    @router.get("/{occurrence_id}", response_model=None, responses=answers(OccurrenceShape, 404))
    async def occurrence(occurrence_id: OccurrenceId) -> dict[str, Any]:
        """One activation."""
        found = book.get(occurrence_id)
        if found is None:
            raise ApiError(404, "unknown_occurrence", "expected an occurrence that is known here")
        return _told(found)

    def _told(each: Occurrence) -> dict[str, Any]:
        return each.shown() | {"is_newest": book.is_newest(each)}

    _add_evidence(router, folder)
    return router


def _add_evidence(router: APIRouter, folder: OccurrenceFolder | None) -> None:
    async def _read(occurrence_id: str, name: str) -> bytes:
        if folder is None:
            raise ApiError(404, "no_evidence", _KEPT_NOWHERE)
        found = await asyncio.to_thread(folder.read, occurrence_id, name)
        if found is None:
            raise ApiError(404, "no_evidence", _NOT_KEPT)
        return found

    @router.get("/{occurrence_id}/evidence", responses=answers(EvidenceShape, 404))
    async def evidence(occurrence_id: OccurrenceId) -> Response:
        """Scores, currents, spot, and the names of the pictures."""
        return Response(await _read(occurrence_id, META), media_type="application/json")

    @router.get("/{occurrence_id}/evidence/{name}", response_class=Response, responses=pictures())
    async def picture(occurrence_id: OccurrenceId, name: PictureName) -> Response:
        """One picture."""
        return Response(await _read(occurrence_id, name), media_type="image/png")


def _ms(time: datetime | None) -> int | None:
    return None if time is None else ns_from_utc(time) // NS_PER_MS
