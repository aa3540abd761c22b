"""``meltwatch dead-letters redrive``: send refused records to their topics again, at least once."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

from cyclopts import Parameter
from cyclopts.validators import Number
from meltwatch_chassis.clock import SystemClock
from meltwatch_chassis.errors import BadUsage
from meltwatch_chassis.person import user_of
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.instants import utc_from_ns
from meltwatch_schemas.record import RawRecord

from meltwatch_cli import bootstrap
from meltwatch_cli.commands.dead_letters import ALL, Chosen, Scan
from meltwatch_cli.commands.options import agrees, can_be_asked
from meltwatch_cli.commands.output import (
    BAD_VERDICT,
    DONE,
    AsJson,
    print_json,
    print_line,
    print_notice,
)
from meltwatch_cli.domain.letters import Filter, claimed, letter_of, objection, select
from meltwatch_cli.settings import located

if TYPE_CHECKING:
    from meltwatch_cli.adapters.kafka_dead_letters import DeadLetterTopic, LetterSpan, Send

LetterIds = Annotated[
    list[int] | None,
    Parameter(
        "ID…",
        validator=Number(gte=0),
        allow_leading_hyphen=False,
        help="From 'dead-letters list'.",
    ),
]


@Parameter(name="*")
@dataclass(frozen=True)
class Manner:
    """How dead letters are sent again."""

    dry_run: Annotated[
        bool, Parameter("--dry-run", help="Say what would be done, and do nothing.")
    ] = False
    yes: Annotated[bool, Parameter("--yes", help="Do not ask.")] = False
    force: Annotated[bool, Parameter("--force", help="Send also what would be refused again.")] = (
        False
    )
    user: Annotated[str | None, Parameter(help="By default the login name.")] = None


class LetterFate(StrEnum):
    """The result for a letter."""

    SENT = "sent"
    WOULD_SEND = "would send"
    REFUSED = "refused"
    MISSING = "missing"
    FAILED = "failed"


class LetterVerdict(NamedTuple):
    """The result for a letter, with the reason or the target."""

    letter: int
    outcome: LetterFate
    detail: str


CAREFUL: Final = Manner()
_GOOD: Final = frozenset({LetterFate.SENT, LetterFate.WOULD_SEND})


def redrive(
    letter_ids: LetterIds = None,
    /,
    *,
    chosen: Chosen = ALL,
    manner: Manner = CAREFUL,
    limit: Annotated[
        int, Parameter(validator=Number(gte=1, lte=100_000), help="Refuse to send more.")
    ] = 1000,
    scan: Scan = 100_000,
    as_json: AsJson = False,
) -> int:
    """Send refused records to their topics again; exit code 1 if any was not sent."""
    if bool(letter_ids) == (chosen != ALL):
        raise BadUsage("expected either ids of letters or filters such as --error and --from")
    if not (manner.dry_run or manner.yes or can_be_asked()):
        raise BadUsage("expected --dry-run or --yes where nobody can be asked")
    span_ms, user = chosen.span_ms(), user_of(manner.user)
    settings = located(os.environ, "kafka")
    way = _Way(settings.topic_prefix, user, manner.force)
    with bootstrap.dead_letters(settings) as topic:
        ids = letter_ids or _found(topic, topic.span(*span_ms, scan), chosen.filter, limit)
        if manner.dry_run:
            return _report(_verdicts(topic, ids, way), as_json=as_json)
        if not (manner.yes or agrees(f"send {len(ids)} letters again")):
            return DONE
        with bootstrap.way_back(settings, topic) as send:
            return _report(_verdicts(topic, ids, replace(way, send=send)), as_json=as_json)


def _found(
    topic: "DeadLetterTopic", span: "LetterSpan", wanted: Filter, limit: int
) -> Sequence[int]:
    found = select(map(letter_of, topic.letters(span)), wanted, limit)
    if found.by_error.total() > limit:
        raise BadUsage(
            f"expected at most {limit} letters, found {found.by_error.total()}; "
            "narrow it with --from and --to, or raise --limit"
        )
    if span.is_cut:
        print_notice(f"letters before {span.start} were not looked at; see --scan")
    return [letter.id for letter in found.letters]


@dataclass(frozen=True)
class _Way:
    """How letters go back; without ``send`` nothing is done."""

    prefix: str
    user: str
    force: bool
    send: "Send | None" = None

    def fate_of(self, raw: RawRecord) -> tuple[LetterFate, str]:
        """Send a letter's record, or say why not."""
        try:
            record = claimed(raw, self.user, utc_from_ns(SystemClock().now_ns()))
        except ContractViolation as error:
            return LetterFate.REFUSED, error.detail
        if (reason := objection(record, self.prefix, force=self.force)) is not None:
            return LetterFate.REFUSED, reason
        if self.send is None:
            return LetterFate.WOULD_SEND, f"to {record.topic}"
        if (reason := self.send(record)) is not None:
            return LetterFate.FAILED, reason
        return LetterFate.SENT, f"to {record.topic}"


def _verdicts(topic: "DeadLetterTopic", ids: Sequence[int], way: _Way) -> Iterator[LetterVerdict]:
    """Yield the result for each letter as soon as it is known; letters that are gone come last."""
    missing = set(ids)
    for raw in topic.take(frozenset(ids)):
        missing.remove(raw.offset)
        yield LetterVerdict(raw.offset, *way.fate_of(raw))
    for number in sorted(missing):
        yield LetterVerdict(number, LetterFate.MISSING, "expected an id of 'dead-letters list'")


def _report(verdicts: Iterable[LetterVerdict], *, as_json: bool) -> int:
    counts: Counter[LetterFate] = Counter()
    told = []
    for number, outcome, detail in verdicts:
        counts[outcome] += 1
        if as_json:
            told.append({"id": number, "outcome": outcome, "detail": detail})
        else:
            print_line(f"letter {number:<8} {outcome:<12} {detail}")
    if as_json:
        print_json(told)
    else:
        totals = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
        print_line(totals or "no such letters")
    return DONE if counts.keys() <= _GOOD else BAD_VERDICT
