"""``meltwatch sources list``: what the sources of running producers do, as the producers say it."""

import json
import os
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import Parameter
from meltwatch_chassis.errors import BadUsage, DependencyUnreachable
from meltwatch_chassis.located import current_run
from meltwatch_chassis.settings import ServiceSettings, load
from meltwatch_chassis.terminal import print_json, print_line
from pydantic import TypeAdapter, ValidationError

from meltwatch_source_producer.command_shared import DONE, RED, print_columns, require_sources

if TYPE_CHECKING:
    from meltwatch_sources.source_report import SourceReport, SourceTiming

_SERVICE: Final = "source_producer"
_PAGE: Final = "/sources"
_PATIENCE_S: Final = 5.0
_MAX_BYTES: Final = 4 * 1024 * 1024
_HEADINGS: Final = (
    "FURNACE", "KIND", "STATE", "SINCE", "NEWEST", "USED", "RATE", "DELAY", "SYNC", "BY", "AGAIN",
    "LOGIN", "ADDRESS", "WHY",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SpoolReport:
    """What waits for Kafka."""

    bytes: int
    oldest_s: float
    dropped: int


def list_sources(
    *,
    at: Annotated[
        list[str] | None,
        Parameter(
            "--at", help="Health address of a source producer; of this folder's run if absent."
        ),
    ] = None,
    as_json: Annotated[bool, Parameter("--json", help="Print JSON instead of text.")] = False,
) -> int:
    """Show what the cameras and meters of running producers do; exit 1 if one does not run."""
    require_sources()
    load(ServiceSettings, os.environ)
    pages = [_page(address) for address in at or [_of_run()]]
    sources = [each for found, _ in pages for each in found]
    spools = [spool for _, spool in pages]
    if as_json:
        adapter: TypeAdapter[Any] = TypeAdapter(list[Any])
        print_json(
            {
                "sources": adapter.dump_python(sources),
                "spools": adapter.dump_python(spools),
            }
        )
    else:
        print_columns(_HEADINGS, map(_row, sources))
        for spool in spools:
            print_line(
                f"Waiting for Kafka: {spool.bytes / 1e6:.1f} MB, the oldest for "
                f"{spool.oldest_s:.0f} s; dropped: {spool.dropped}"
            )
    return DONE if all(each.state == "running" for each in sources) else RED


def _of_run() -> str:
    """Return where the source producer of this folder's run serves its pages."""
    service = current_run(os.environ).services.get(_SERVICE)
    if service is None or service.health is None:
        raise BadUsage(
            "expected a run of a plant's own sources ('meltwatch run --plant plant.yaml') "
            "or --at HOST:PORT, got a run of others"
        )
    return service.health


def _page(address: str) -> "tuple[list[SourceReport], SpoolReport]":
    """Ask a producer; one that does not answer in time is away, whatever it said before."""
    try:
        with closing(HTTPConnection(address, timeout=_PATIENCE_S)) as connection:
            connection.request("GET", _PAGE)
            body = connection.getresponse().read(_MAX_BYTES)
    except (OSError, HTTPException, ValueError) as error:
        raise DependencyUnreachable(
            f"expected the source producer at {address} to say what runs, got {error!r}"
        ) from None
    return _read(address, body)


def _read(address: str, body: bytes) -> "tuple[list[SourceReport], SpoolReport]":
    from meltwatch_sources.source_report import SourceReport  # noqa: PLC0415 - may be absent

    try:
        page = json.loads(body)
        return (
            TypeAdapter(list[SourceReport]).validate_python(page["sources"]),
            TypeAdapter(SpoolReport).validate_python(page["spool"]),
        )
    except (ValueError, ValidationError, KeyError, TypeError):
        raise DependencyUnreachable(
            f"expected the page {_PAGE} of a source producer at {address}, got something else"
        ) from None


def _row(source: "SourceReport") -> tuple[str, ...]:
    timing = source.timing
    return (
        source.furnace_id,
        source.modality,
        source.state,
        _seconds(source.since_s),
        _seconds(source.newest_s),
        _seconds(source.used_s),
        f"{source.rate_hz:.1f}/s",
        _seconds(timing.delay_s if timing else None),
        _sync(timing),
        (timing and timing.rung) or "-",
        f"{source.reconnects}",
        source.credentials or "-",
        source.address or "-",
        "; ".join(filter(None, [source.why, *(timing.findings if timing else ())])),
    )


def _sync(timing: "SourceTiming | None") -> str:
    return "-" if timing is None else f"{timing.sync} ±{timing.max_error_s:.2f} s"


def _seconds(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.0f} s"
