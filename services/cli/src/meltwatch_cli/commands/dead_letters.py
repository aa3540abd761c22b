"""``meltwatch dead-letters list`` and ``show``: look into refused records."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter
from cyclopts.validators import Number
from meltwatch_chassis.clock import SystemClock
from meltwatch_chassis.errors import BadUsage
from meltwatch_chassis.moment import moment_ns
from meltwatch_schemas.dead_letter import read_dead_letter
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.record import RawRecord
from meltwatch_schemas.topics import timestamp_ms

from meltwatch_cli import bootstrap
from meltwatch_cli.commands.output import (
    DONE,
    AsJson,
    print_json,
    print_line,
    print_notice,
    print_table,
)
from meltwatch_cli.domain.letter_page import (
    COLUMNS,
    as_json_object,
    fields_of,
    headers_of,
    page,
    row,
    totals_line,
)
from meltwatch_cli.domain.letters import (
    Filter,
    letter_of,
    refusal_now,
    select,
)
from meltwatch_cli.settings import located

_WHEN: Final = "90s, 10m, 2h, 1d ago or an RFC 3339 time."
_MOST: Final = 100_000_000

Scan = Annotated[
    int, Parameter(validator=Number(gte=1, lte=_MOST), help="Read at most so many, the newest.")
]
LetterId = Annotated[
    int,
    Parameter(
        "ID",
        validator=Number(gte=0),
        allow_leading_hyphen=False,
        help="From 'dead-letters list'.",
    ),
]


@Parameter(name="*")
@dataclass(frozen=True)
class Chosen:
    """Which dead letters are meant."""

    error: Annotated[str | None, Parameter(help="Only this dlq.error, e.g. unexpected_source.")] = (
        None
    )
    topic: Annotated[str | None, Parameter(help="Only of this topic, e.g. embeddings.")] = None
    furnace: Annotated[str | None, Parameter(metavar="ID", help="Only of this furnace.")] = None
    since: Annotated[
        str | None, Parameter("--from", metavar="WHEN", help=f"Set aside since: {_WHEN}")
    ] = None
    until: Annotated[
        str | None, Parameter("--to", metavar="WHEN", help=f"Set aside before: {_WHEN}")
    ] = None

    @property
    def filter(self) -> Filter:
        """What a letter itself must be."""
        return Filter(self.error, self.topic, self.furnace)

    def span_ms(self) -> tuple[int | None, int | None]:
        """Return the times from and to which letters are meant, ms UTC; None without bound.

        Raises
        ------
        ConfigurationError
            If one is no time.
        """
        now_ns = SystemClock().now_ns()
        since, until = (
            None if text is None else timestamp_ms(moment_ns(text, now_ns))
            for text in (self.since, self.until)
        )
        return since, until


ALL: Final = Chosen()


def list_letters(
    *,
    chosen: Chosen = ALL,
    limit: Annotated[
        int, Parameter(validator=Number(gte=1, lte=100_000), help="Show at most so many.")
    ] = 50,
    scan: Scan = 5_000,
    as_json: AsJson = False,
) -> int:
    """List dead letters, newest last, and how many there are of each error."""
    since_ms, until_ms = chosen.span_ms()
    with bootstrap.dead_letters(located(os.environ, "kafka")) as topic:
        span = topic.span(since_ms, until_ms, scan)
        found = select(map(letter_of, topic.letters(span)), chosen.filter, limit)
    if as_json:
        print_json([as_json_object(letter) for letter in found.letters])
        return DONE
    print_line(totals_line(found, is_cut=span.is_cut))
    if found.letters:
        print_table(COLUMNS, map(row, found.letters))
    if more := found.by_error.total() - len(found.letters):
        print_line(f"{more} more before these; --limit shows more")
    return DONE


def show(
    letter_id: LetterId,
    /,
    *,
    output: Annotated[
        Path | None, Parameter(metavar="FILE", help="Write the record's bytes to this file.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Show all about a dead letter: why, from where, its headers and what it holds."""
    settings, now_ms = located(os.environ, "kafka"), SystemClock().now_ns() // 1_000_000
    with bootstrap.dead_letters(settings) as topic:
        raw = next(topic.take({letter_id}), None)
    if raw is None:
        raise BadUsage(f"expected an id of 'dead-letters list', found no letter {letter_id}")
    letter, record = letter_of(raw), _refused(raw)
    again = refusal_now(record, settings.topic_prefix)
    if as_json:
        content = {
            "refused_again": again,
            "headers": headers_of(record),
            "value": fields_of(record),
        }
        print_json(as_json_object(letter) | content)
    else:
        for line in page(letter, record, again, now_ms):
            print_line(line)
    if output is not None:
        _write(output, record.value or b"")
    return DONE


def _refused(raw: RawRecord) -> RawRecord:
    try:
        return read_dead_letter(raw).record
    except ContractViolation:
        return raw


def _write(path: Path, value: bytes) -> None:
    try:
        path.write_bytes(value)
    except OSError as error:
        raise BadUsage(f"expected a file that can be written, got {error}") from error
    print_notice(f"{len(value)} bytes written to {path}")
