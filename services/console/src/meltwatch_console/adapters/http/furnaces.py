"""What is known of one furnace's scores: its trace, its newest window, its currents."""

from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request, Response
from meltwatch_chassis.clock import Clock
from meltwatch_schemas.alarm_point import AlarmPoint
from meltwatch_schemas.reasons import Reason
from meltwatch_schemas.score import Modality, WindowScore
from meltwatch_schemas.window import NS_PER_MS, NS_PER_S

from meltwatch_console.adapters.http.answers import picture_errors
from meltwatch_console.adapters.http.described import FurnaceId, answers
from meltwatch_console.adapters.http.gate import ApiError, Gate
from meltwatch_console.adapters.http.shapes import (
    CurrentTraceShape,
    NewestShape,
    ScoreTraceShape,
)
from meltwatch_console.adapters.http.tables import (
    AnswerTable,
    Cell,
    TableColumn,
)
from meltwatch_console.domain.flags import flags_of
from meltwatch_console.domain.limits import agreement_of, limits_of, overheat_of
from meltwatch_console.domain.ring import TraceRow
from meltwatch_console.pipeline.live_picture import encoded
from meltwatch_console.pipeline.pictures import LOOKBACK_MS, CurrentTrace, PictureDesk
from meltwatch_console.pipeline.score_book import ScoreBook

COLUMNS: Final = ["end_ms", "low", "high", "status"]
_SHOWN_MS: Final = 600_000
_MOST_ROWS: Final = 5_000
_LATEST_MS: Final = 2**53
_CLOCK_WORDS: Final = ("clock", "skew", "behind", "late")
Points = Callable[[], Mapping[str, AlarmPoint]]
_ABOUT_MS: Final = "ms UTC since 1970, event time"
_Since = Annotated[
    int | None, Query(ge=0, le=_LATEST_MS, description=f"From here on, {_ABOUT_MS}.")
]
_Until = Annotated[
    int | None, Query(ge=0, le=_LATEST_MS, description=f"Before here, {_ABOUT_MS}; else now.")
]
_SCORES: Final = AnswerTable[TraceRow](
    "scores",
    (
        TableColumn(
            "end", Cell.TIME, "End of the window, or of the last of several.",
            lambda row: row.end_ms * NS_PER_MS,
        ),
        TableColumn("low", Cell.NUMBER, "Lowest score.", lambda row: row.low, "log-odds"),
        TableColumn("high", Cell.NUMBER, "Highest score.", lambda row: row.high, "log-odds"),
        TableColumn(
            "status", Cell.WHOLE, "Bits: 1 no video, 2 no current, 4 unscored, 8 back-fill.",
            lambda row: row.flags,
        ),
    ),
)  # fmt: skip
_CurrentRow = tuple[int, float | None, float | None, float | None]
_CURRENTS: Final = AnswerTable[_CurrentRow](
    "currents",
    (
        TableColumn("time", Cell.TIME, "Start of the half second.", lambda row: row[0]),
        TableColumn("a", Cell.NUMBER, "Current of phase a.", lambda row: row[1], "A"),
        TableColumn("b", Cell.NUMBER, "Current of phase b.", lambda row: row[2], "A"),
        TableColumn("c", Cell.NUMBER, "Current of phase c.", lambda row: row[3], "A"),
    ),
)


_Step = Annotated[
    int, Query(ge=0, le=86_400_000, description="ms; 0 gives each window.", examples=[60_000])
]


def furnace_routes(
    gate: Gate, book: ScoreBook, desk: PictureDesk, points: Points, clock: Clock
) -> APIRouter:
    """Return the routes of one furnace's numbers.

    Parameters
    ----------
    gate
        Says who asks.
    book
        What is known of the scores.
    desk
        Gives currents.
    points
        Returns the alarm points that somebody has written.
    clock
        Wall clock: a stretch without an end ends now.
    """
    router = APIRouter(
        prefix="/api/v1/furnaces", dependencies=[Depends(gate.who)], tags=["furnaces"]
    )

    @router.get("/{furnace_id:path}/scores", responses=answers(ScoreTraceShape, table=_SCORES))
    async def scores(
        request: Request,
        furnace_id: FurnaceId,
        since: _Since = None,
        until: _Until = None,
        step: _Step = 0,
    ) -> Response:
        """Windows, or the extremes of each step (ms): no peak is lost."""
        until_ms = clock.now_ns() // NS_PER_MS + 1 if until is None else until
        since_ms = until_ms - _SHOWN_MS if since is None else since
        rows = book.trace(furnace_id, since_ms, until_ms, step)[-_MOST_ROWS:]
        limits = limits_of(furnace_id, points(), book.newest(furnace_id))
        told = {
            "columns": COLUMNS,
            "rows": rows,
            "history_from_ms": book.since_ms(furnace_id),
            "alarm_id": overheat_of(furnace_id),
            "on": limits.logit_on,
            "off": limits.logit_off,
        }
        return _SCORES.answer(request, lambda: rows, lambda: encoded(told))

    @router.get(
        "/{furnace_id:path}/newest", response_model=None, responses=answers(NewestShape, 404)
    )
    async def newest(furnace_id: FurnaceId) -> dict[str, Any]:
        """The newest window: score, members, and how far its inputs can be trusted."""
        score = book.newest(furnace_id)
        if score is None:
            raise ApiError(404, "no_score", "expected a furnace with a score since the start")
        return _told(score, limits_of(furnace_id, points(), score).logit_on)

    _add_currents(router, desk, clock)
    return router


def _add_currents(router: APIRouter, desk: PictureDesk, clock: Clock) -> None:
    @router.get(
        "/{furnace_id:path}/currents",
        responses=answers(CurrentTraceShape, 404, 503, table=_CURRENTS),
    )
    async def currents(
        request: Request, furnace_id: FurnaceId, since: _Since = None, until: _Until = None
    ) -> Response:
        """The phase currents, amperes, on a grid of half seconds."""
        until_ms = clock.now_ns() // NS_PER_MS if until is None else until
        since_ms = until_ms - LOOKBACK_MS if since is None else since
        with picture_errors():
            trace = await desk.currents(furnace_id, since_ms, until_ms)
        phases = dict(zip("abc", trace.phases, strict=True))
        told = {"start_ms": trace.start_ms, "step_ms": trace.step_ms, "phases": phases}
        return _CURRENTS.answer(request, lambda: _rows_of(trace), lambda: encoded(told))


def _rows_of(trace: CurrentTrace) -> Iterator[_CurrentRow]:
    for step, values in enumerate(zip(*trace.phases, strict=True)):
        a, b, c = values
        yield (trace.start_ms + step * trace.step_ms) * NS_PER_MS, a, b, c


def _told(score: WindowScore, limit: float) -> dict[str, Any]:
    end_ns = score.window_end_ns
    states = score.source_states
    events = {each: states[each].event_ns for each in Modality if each in states}
    return {
        "end_ms": end_ns // NS_PER_MS,
        "score": score.logit,
        "status": score.status,
        "flags": flags_of(score),
        "modalities": score.modalities,
        "members": score.member_logits,
        "agreement": agreement_of(score.member_logits, limit),
        "video_coverage": score.video_coverage,
        "current_coverage": score.current_coverage,
        "event_ms": {each: event_ns // NS_PER_MS for each, event_ns in events.items()},
        "lag_s": round((score.times.published_ns - end_ns) / NS_PER_S, 2),
        "reasons": score.reasons,
        "clock_reasons": [word for word in score.reasons if _is_of_clocks(word)],
        "has_map": score.anomaly_map is not None,
        "model": {"name": score.model.name, "version": score.model.version},
        "sources": {"video": score.sources.video, "current": score.sources.current},
    }


def _is_of_clocks(word: str | Reason) -> bool:
    return any(part in word for part in _CLOCK_WORDS)
