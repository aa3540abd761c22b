"""``meltwatch dead-letters redrive``: send refused records to their topics again, each once."""

import os
import sys
import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter
from cyclopts.validators import Number
from meltwatch_chassis.clock import SystemClock
from meltwatch_chassis.errors import BadUsage

from meltwatch_cli import bootstrap
from meltwatch_cli.commands.dead_letters import Scan
from meltwatch_cli.commands.options import ALL, Chosen, Manner, user_of
from meltwatch_cli.commands.output import (
    BAD_VERDICT,
    DONE,
    AsJson,
    print_json,
    print_line,
    print_notice,
)
from meltwatch_cli.domain.letter_wording import errors_text
from meltwatch_cli.domain.letters import Filter, Letter, letter_of, select
from meltwatch_cli.errors import NoAnswer
from meltwatch_cli.pipeline.verdicts import LetterFate, LetterVerdict, RedriveOptions
from meltwatch_cli.settings import located

if TYPE_CHECKING:
    from meltwatch_cli.adapters.kafka_dead_letters import DeadLetterTopic, LetterSpan

_GOOD: Final = frozenset({LetterFate.SENT, LetterFate.WOULD_SEND, LetterFate.ALREADY})
_CAREFUL: Final = Manner()

LetterIds = Annotated[
    list[int] | None,
    Parameter("ID…", allow_leading_hyphen=False, help="From 'dead-letters list'."),
]


def redrive(
    letter_ids: LetterIds = None,
    /,
    *,
    chosen: Chosen = ALL,
    manner: Manner = _CAREFUL,
    limit: Annotated[
        int, Parameter(validator=Number(gte=1, lte=100_000), help="Refuse to send more.")
    ] = 1000,
    scan: Scan = 100_000,
    as_json: AsJson = False,
) -> int:
    """Send refused records to their topics again, each once; exit code 1 if any was not sent."""
    times_ms = _checked_times(letter_ids or [], chosen, manner)
    settings, clock = located(os.environ, "kafka"), SystemClock()
    options = RedriveOptions(
        prefix=settings.topic_prefix,
        run=str(uuid.uuid4()),
        by=user_of(manner.user),
        force=manner.force,
    )
    with bootstrap.dead_letters(settings) as access:
        topic, _ = access
        if letter_ids:
            letters = [letter_of(raw) for raw in topic.take(sorted(set(letter_ids)))]
        else:
            letters = _found(topic, topic.span(*times_ms, scan), chosen.filter, limit)
        ids = letter_ids or [letter.id for letter in letters]
        if not (manner.dry_run or manner.yes or _is_wanted(letters)):
            return DONE
        if not manner.dry_run:
            bootstrap.create_redrive_journal(settings)
        with bootstrap.redrive(settings, access, letters, clock, options) as work:
            verdicts = work.plan(ids) if manner.dry_run else work.carry_out(ids)
            return _report(verdicts, as_json=as_json)


def _checked_times(
    ids: Sequence[int], chosen: Chosen, manner: Manner
) -> tuple[int | None, int | None]:
    """Return the times that letters are chosen by, once the usage is right."""
    if bool(ids) == (chosen != ALL):
        raise BadUsage("expected either ids of letters or filters such as --error and --from")
    if not (manner.dry_run or manner.yes or sys.stdin.isatty()):
        raise BadUsage("expected --dry-run or --yes where nobody can be asked")
    return chosen.span_ms()


def _found(
    topic: "DeadLetterTopic", span: "LetterSpan", wanted: Filter, limit: int
) -> list[Letter]:
    found = select(map(letter_of, topic.letters(span)), wanted, limit)
    if found.by_error.total() > limit:
        raise BadUsage(
            f"expected at most {limit} letters, found {found.by_error.total()}; "
            "narrow it with --from and --to, or raise --limit"
        )
    if span.is_cut:
        print_notice(f"letters before {span.start} were not looked at; see --scan")
    return list(found.letters)


def _is_wanted(letters: Sequence[Letter]) -> bool:
    errors = errors_text(Counter(letter.error for letter in letters))
    print_notice(f"send {len(letters)} letters again ({errors})? y or n:")
    return input().strip().lower() in {"y", "yes"}


def _report(verdicts: Iterable[LetterVerdict], *, as_json: bool) -> int:
    counts: Counter[LetterFate] = Counter()
    told = []
    for verdict in verdicts:
        counts[verdict.outcome] += 1
        if as_json:
            told.append({"id": verdict.letter, **_json_of(verdict)})
        else:
            print_line(f"letter {verdict.letter:<8} {verdict.outcome:<12} {verdict.detail}")
    if as_json:
        print_json(told)
    else:
        totals = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
        print_line(totals or "no such letters")
    if counts[LetterFate.UNKNOWN]:
        raise NoAnswer(
            f"expected the broker to confirm every record, {counts[LetterFate.UNKNOWN]} are in "
            "doubt; redrive them again in a minute: what arrived is not sent twice"
        )
    return DONE if counts.keys() <= _GOOD else BAD_VERDICT


def _json_of(verdict: LetterVerdict) -> dict[str, str]:
    return {"outcome": verdict.outcome.value, "detail": verdict.detail}
