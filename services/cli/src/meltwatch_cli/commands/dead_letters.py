"""``meltwatch dead-letters list`` and ``show``: look into refused records."""

import os
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter
from cyclopts.validators import Number
from meltwatch_chassis.clock import SystemClock
from meltwatch_chassis.errors import BadUsage
from meltwatch_schemas.dead_letter import read_dead_letter
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.record import RawRecord

from meltwatch_cli import bootstrap
from meltwatch_cli.commands.options import ALL, Chosen
from meltwatch_cli.commands.output import (
    DONE,
    AsJson,
    print_json,
    print_line,
    print_notice,
    print_table,
)
from meltwatch_cli.domain.letter_content import fields_of
from meltwatch_cli.domain.letter_page import headers_of, page
from meltwatch_cli.domain.letter_wording import COLUMNS, as_json_object, row, totals_line
from meltwatch_cli.domain.letters import letter_of, select
from meltwatch_cli.domain.redrive_rules import refusal_now
from meltwatch_cli.settings import located

_MOST: Final = 100_000_000

Scan = Annotated[
    int, Parameter(validator=Number(gte=1, lte=_MOST), help="Read at most so many, the newest.")
]


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
    settings = located(os.environ, "kafka")
    with bootstrap.dead_letters(settings) as (topic, reader):
        span = topic.span(since_ms, until_ms, scan)
        found = select(map(letter_of, topic.letters(span)), chosen.filter, limit)
        journal = bootstrap.redrive_journal(settings, reader, found.letters)
    letters = [(letter, journal.sent(letter.origin or "")) for letter in found.letters]
    if as_json:
        print_json([as_json_object(letter, sent) for letter, sent in letters])
        return DONE
    print_line(totals_line(found, is_cut=span.is_cut))
    if letters:
        print_table(COLUMNS, (row(letter, sent) for letter, sent in letters))
    if more := found.by_error.total() - len(letters):
        print_line(f"{more} more before these; --limit shows more")
    return DONE


def show(
    letter_id: Annotated[
        int,
        Parameter(
            "ID",
            validator=Number(gte=0),
            allow_leading_hyphen=False,
            help="From 'dead-letters list'.",
        ),
    ],
    /,
    *,
    output: Annotated[
        Path | None, Parameter(metavar="FILE", help="Write the record's bytes to this file.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Show all about a dead letter: why, from where, its headers and what it holds."""
    settings, now_ms = located(os.environ, "kafka"), SystemClock().now_ns() // 1_000_000
    with bootstrap.dead_letters(settings) as (topic, reader):
        raw = next(topic.take([letter_id]), None)
        if raw is None:
            raise BadUsage(f"expected an id of 'dead-letters list', found no letter {letter_id}")
        letter, record = letter_of(raw), _refused(raw)
        journal = bootstrap.redrive_journal(settings, reader, [letter])
    again = refusal_now(record, settings.topic_prefix)
    sent = journal.sent(letter.origin or "")
    if as_json:
        content = {
            "refused_again": again,
            "headers": headers_of(record),
            "value": fields_of(record),
        }
        print_json(as_json_object(letter, sent) | content)
    else:
        for line in page(letter, record, again, sent, now_ms):
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
