"""How Meltwatch itself does: the path of the data, each furnace's inputs, the alarms' figures."""

import asyncio
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Final

from fastapi import APIRouter, Depends, Request, Response
from meltwatch_core.alarms.kpi.key_figures import Figure
from meltwatch_schemas.window import NS_PER_MS

from meltwatch_console.adapters.http.described import answers
from meltwatch_console.adapters.http.gate import Gate
from meltwatch_console.adapters.http.shapes import (
    AlarmFiguresShape,
    FurnaceInputsListShape,
    SystemShape,
)
from meltwatch_console.adapters.http.tables import AnswerTable, Cell, TableColumn
from meltwatch_console.adapters.service_metrics import MetricsReader, ServiceReading
from meltwatch_console.domain.alarm_lines import AlarmFigures
from meltwatch_console.pipeline.live_picture import encoded
from meltwatch_console.pipeline.system_report import SystemReport

_FIGURES: Final = AnswerTable[Figure](
    "alarm-figures",
    (
        TableColumn("key", Cell.TEXT, "For programs.", lambda each: each.key),
        TableColumn("title", Cell.TEXT, "For people.", lambda each: each.title),
        TableColumn(
            "value", Cell.NUMBER, "Empty if unknown.", lambda each: each.value, "as unit says"
        ),
        TableColumn("unit", Cell.TEXT, "Of the value.", lambda each: each.unit),
        TableColumn("target", Cell.TEXT, "In words.", lambda each: each.target),
        TableColumn("grade", Cell.TEXT, "How it stands to it.", lambda each: each.grade),
        TableColumn("meaning", Cell.TEXT, "What is counted.", lambda each: each.meaning),
    ),
)
Figures = Callable[[], AlarmFigures | None]


def system_routes(
    gate: Gate, report: SystemReport, metrics: MetricsReader, figures: Figures
) -> APIRouter:
    """Return the routes of the system itself.

    Parameters
    ----------
    gate
        Says who asks.
    report
        What topics tell.
    metrics
        What services tell.
    figures
        Returns the key figures of the alarms.
    """
    router = APIRouter(prefix="/api/v1", dependencies=[Depends(gate.who)], tags=["system"])

    @router.get("/system", response_model=None, responses=answers(SystemShape))
    async def system() -> dict[str, Any]:
        """The path of the data, service by service."""
        services = [_service(each) for each in await metrics.readings()]
        return report.now() | {"services": services}

    @router.get("/system/furnaces", response_model=None, responses=answers(FurnaceInputsListShape))
    async def furnace_inputs() -> dict[str, Any]:
        """What each furnace's inputs are worth; skew where a service tells it."""
        skews: dict[str, float] = {}
        for each in await metrics.readings():
            skews |= each.figures.skew_s
        rows = [row | {"skew_s": skews.get(row["id"])} for row in report.furnaces()]
        return {"furnaces": rows}

    @router.get("/kpi", responses=answers(AlarmFiguresShape, table=_FIGURES))
    async def kpi(request: Request) -> Response:
        """Key figures of the alarms of 30 days at most, each beside its target."""
        found = await asyncio.to_thread(figures)
        rows = [] if found is None else found.figures
        return _FIGURES.answer(request, lambda: rows, lambda: encoded(_told(found)))

    return router


def _told(found: AlarmFigures | None) -> dict[str, Any]:
    if found is None:
        return {"since_ms": None, "until_ms": None, "figures": [], "top": []}
    return {
        "since_ms": found.since_ns // NS_PER_MS,
        "until_ms": found.until_ns // NS_PER_MS,
        "figures": [asdict(each) | {"text": each.text} for each in found.figures],
        "top": [{"alarm_id": alarm_id, "count": count} for alarm_id, count in found.top],
    }


def _service(each: ServiceReading) -> dict[str, Any]:
    both = each.figures.event_to_score_s
    return {
        "name": each.name,
        "address": each.address,
        "state": each.state,
        "reason": each.reason,
        "figures": each.figures.sums,
        "event_to_score_s": None if both is None else dict(zip(("p50", "p95"), both, strict=True)),
        "records_a_second": each.records_a_second,
    }
