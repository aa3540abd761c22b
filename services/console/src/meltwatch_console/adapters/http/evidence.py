"""What was kept of an occurrence."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response

from meltwatch_console.adapters.evidence_folder import OccurrenceFolder
from meltwatch_console.adapters.http.described import answers, pictures
from meltwatch_console.adapters.http.gate import ApiError, Gate
from meltwatch_console.adapters.http.shapes import EvidenceShape
from meltwatch_console.pipeline.evidence import META

OccurrenceId = Annotated[
    str, Path(max_length=1_024, description="Of the raise, as in its alarm record.")
]
PictureName = Annotated[
    str, Path(max_length=100, description="As evidence names it.", examples=["frame-0.png"])
]


def evidence_routes(gate: Gate, folder: OccurrenceFolder | None) -> APIRouter:
    """Return the routes of evidence.

    Parameters
    ----------
    gate
        Says who asks.
    folder
        Where it is kept; None where nothing is.
    """
    router = APIRouter(
        prefix="/api/v1/occurrences", dependencies=[Depends(gate.who)], tags=["occurrences"]
    )

    async def _read(occurrence_id: str, name: str) -> bytes:
        if folder is None:
            raise ApiError(
                404, "no_evidence", "no evidence is kept here: MELTWATCH_CONSOLE_EVIDENCE_DIR"
            )
        found = await asyncio.to_thread(folder.read, occurrence_id, name)
        if found is None:
            raise ApiError(404, "no_evidence", "nothing was kept of this occurrence")
        return found

    @router.get("/{occurrence_id}/evidence", responses=answers(EvidenceShape, 404))
    async def evidence(occurrence_id: OccurrenceId) -> Response:
        """Scores, currents, spot, and the names of the pictures."""
        return Response(await _read(occurrence_id, META), media_type="application/json")

    @router.get("/{occurrence_id}/evidence/{name}", response_class=Response, responses=pictures())
    async def picture(occurrence_id: OccurrenceId, name: PictureName) -> Response:
        """One picture."""
        return Response(await _read(occurrence_id, name), media_type="image/png")

    return router
