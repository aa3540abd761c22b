"""Backtests of a folder: a list, one of them, its report, and two held against each other."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path as FolderPath
from typing import Annotated, Any, Final, TypeVar

from fastapi import APIRouter, Depends, Path, Query, Response
from meltwatch_chassis.backtest_folder import (
    MAX_REPORT_BYTES,
    REPORT,
    WINDOWS,
    BacktestEntry,
    NoBacktestError,
    backtest_file,
    content_of,
    lines_of,
    list_backtests,
    read_named,
)
from meltwatch_schemas.backtest import BacktestDifference, BacktestRun, LabelAnswer, difference_of
from meltwatch_schemas.instants import rfc3339
from pydantic import BaseModel, Field, ValidationError

from meltwatch_console.adapters.backtest_trace import TraceColumn, trace_of
from meltwatch_console.adapters.http.described import Answers, answers, errors
from meltwatch_console.adapters.http.gate import ApiError, Gate
from meltwatch_console.adapters.http.shapes import Shape
from meltwatch_console.adapters.http.tables import JSON
from meltwatch_console.domain.identity import ConsoleRole, Visitor

MAX_TRACE_BYTES: Final = 64 * 1024 * 1024
_REPORT_POLICY: Final = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
)
_AT_ONCE: Final = 2
"""Folders are read by so many threads: a large one is half a second of a core."""
_Found = TypeVar("_Found")
_NONE: Final[Any] = {"is_set": False, "backtests": [], "unreadable": []}
_REPORT_ANSWERS: Final[Answers] = {
    200: {"content": {"text/html": {}}, "description": "The report."},
    **errors(404),
}
Name = Annotated[str, Path(max_length=128, description="Of the folder.", examples=["3f0c5d1f"])]


class BacktestRow(Shape):
    """One backtest in the list."""

    name: str = Field(description="Of its folder.")
    run_id: str = Field(description="Of the question on its data.")
    finished: str | None = Field(description="When it ran; null where its folder does not say.")
    from_: str = Field(alias="from", description="First window end.")
    to: str = Field(description="Last window end, excluded.")
    model: str = Field(description="Name and version.")
    tried: str = Field(description="Thresholds that were asked for.")
    verdict: str = Field(description="How it compares with live.")
    statement: str = Field(description="The same in a sentence.")
    sentence: str | None = Field(description="Raises, live and replayed, in a line.")
    before: int | None = Field(description="Raises of live.")
    after: int | None = Field(description="Raises of the replay.")
    median_shift_s: float | None = Field(description="Seconds later than live.")
    labels: LabelAnswer | None = Field(description="Judged alarms kept and lost.")


class UnreadableBacktest(Shape):
    """A folder that cannot be read."""

    name: str = Field(description="Of the folder.")
    reason: str = Field(description="Why.")


class BacktestListShape(Shape):
    """All folders, the newest run first."""

    is_set: bool = Field(description="A folder of backtests is configured.")
    backtests: list[BacktestRow] = Field(description="Those that can be read.")
    unreadable: list[UnreadableBacktest] = Field(description="Those that cannot.")


class BacktestTraceShape(Shape):
    """The scores of one furnace, thinned out to 1,000 columns; peaks stay."""

    columns: list[str] = Field(description="Names of what a row holds.")
    rows: list[tuple[int, float, float]] = Field(description="By time.")


class _Shelf:
    """Reads folders in threads, few at a time, and answers what cannot be read with its reason."""

    def __init__(self, folder: FolderPath | None) -> None:
        self.folder = folder
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def read(self, look: Callable[[FolderPath], _Found]) -> _Found:
        """Return what a look into the folder gives; 404 with the reason if nothing."""
        if self.folder is None:
            raise ApiError(404, "no_backtest", "no backtests here: MELTWATCH_CONSOLE_BACKTESTS")
        async with self._turns:
            try:
                return await asyncio.to_thread(look, self.folder)
            except NoBacktestError as error:
                raise ApiError(404, "no_backtest", str(error)[:300]) from None
            except ValidationError:
                raise ApiError(404, "no_backtest", f"{WINDOWS}: no windows of ours") from None


def backtest_routes(gate: Gate, folder: FolderPath | None) -> APIRouter:
    """Return the routes of backtests.

    Parameters
    ----------
    gate
        Says who asks.
    folder
        Of their folders; None where none is configured.
    """

    def engineer(visitor: Annotated[Visitor, Depends(gate.who)]) -> None:
        if visitor.role is not ConsoleRole.ENGINEER:
            raise ApiError(403, "not_your_role", "expected the role engineer")

    router = APIRouter(
        prefix="/api/v1/backtests", dependencies=[Depends(engineer)], tags=["backtests"]
    )
    read = _Shelf(folder).read

    @router.get("", responses=answers(BacktestListShape))
    async def backtests() -> Response:
        """The folders of the folder of backtests."""
        return _json(_NONE if folder is None else await read(_listed))

    @router.get("/{name}", responses=answers(BacktestRun, 404))
    async def backtest(name: Name) -> Response:
        """What one backtest was asked and found."""
        return _json(_plain(await read(lambda root: _run(root, name))))

    @router.get("/{name}/against/{other}", responses=answers(BacktestDifference, 404))
    async def difference(name: Name, other: Name) -> Response:
        """What two backtests do not have in common; nothing else."""
        found = await read(lambda root: difference_of(_run(root, name), _run(root, other)))
        return _json(_plain(found))

    @router.get("/{name}/scores", responses=answers(BacktestTraceShape, 404))
    async def backtest_scores(
        name: Name,
        furnace: Annotated[str, Query(max_length=1_024, description="Furnace id.")],
    ) -> Response:
        """The trace of one furnace."""
        rows = await read(lambda root: _trace(root, name, furnace))
        return _json({"columns": list(TraceColumn._fields), "rows": rows})

    @router.get(
        "/{name}/report",
        response_class=Response,
        responses=_REPORT_ANSWERS,
    )
    async def report(name: Name) -> Response:
        """The report for people, as the backtest wrote it: it may run nothing and load nothing."""
        page = await read(lambda root: _report(root, name))
        headers = {"Content-Security-Policy": _REPORT_POLICY, "Cache-Control": "no-store"}
        return Response(page, media_type="text/html; charset=utf-8", headers=headers)

    return router


def _listed(root: FolderPath) -> Any:
    # The first backtest makes the folder.
    entries = list_backtests(root) if root.is_dir() else []
    unreadable = [each for each in entries if each.run is None]
    return {
        "is_set": True,
        "backtests": [_row(each, each.run) for each in entries if each.run is not None],
        "unreadable": [{"name": each.name, "reason": each.reason} for each in unreadable],
    }


def _run(root: FolderPath, name: str) -> BacktestRun:
    run = read_named(root, name).run
    assert run is not None  # noqa: S101 - else it is refused
    return run


def _trace(root: FolderPath, name: str, furnace_id: str) -> list[TraceColumn]:
    run = _run(root, name)
    with backtest_file(root, name, WINDOWS, MAX_TRACE_BYTES) as number:
        return trace_of(lines_of(number), furnace_id, run)


def _report(root: FolderPath, name: str) -> bytes:
    with backtest_file(root, name, REPORT, MAX_REPORT_BYTES) as number:
        return content_of(number, MAX_REPORT_BYTES)


def _row(entry: BacktestEntry, run: BacktestRun) -> dict[str, Any]:
    answer = run.answer
    return {
        "name": entry.name,
        "run_id": run.run_id,
        "finished": entry.finished and rfc3339(entry.finished),
        "from": rfc3339(run.from_),
        "to": rfc3339(run.to),
        "model": f"{run.model.name} {run.model.version}",
        "tried": run.tried,
        "verdict": run.comparison.verdict,
        "statement": run.comparison.statement,
        "sentence": answer and answer.sentence,
        "before": answer and answer.before,
        "after": answer and answer.after,
        "median_shift_s": answer and answer.median_shift_s,
        "labels": run.labels and run.labels.model_dump(mode="json"),
    }


def _plain(model: BaseModel) -> Any:
    return model.model_dump(mode="json", by_alias=True)


def _json(content: Any) -> Response:
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Response(text.encode(), media_type=JSON)
