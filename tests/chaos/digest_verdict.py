"""Which ensemble scored which window, while servers go from one ensemble to the other.

The logits are judged elsewhere: each by the ensemble that its score names. Here it is asked that a
furnace changes once an exchange, that nobody scores by an ensemble that no server has, that every
change was told, and that each alarm names the set-point of its own ensemble.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from tests.chaos.alarm_oracle import CLEAR, RAISE
from tests.chaos.alarm_verdict import points_on
from tests.chaos.tape import Score, Tape


@dataclass(frozen=True)
class Exchange:
    """All servers went from one ensemble to another, one after the other.

    Attributes
    ----------
    old, new
        Digests.
    began_ns, ended_ns
        When the first server that has the new one was started, and when the last one that had the
        old one was gone.
    """

    old: str
    new: str
    began_ns: int
    ended_ns: int


def judge_digests(tape: Tape, exchanges: Sequence[Exchange]) -> Iterator[str]:
    """Everything that is not as it must be, one line each."""
    courses = courses_of(tape.scores)
    for furnace, course in courses.items():
        allowed = [exchanges[0].old, *(each.new for each in exchanges)]
        if not _is_within(course, allowed):
            yield f"{furnace}: scored by {_short(course)}, the servers had {_short(allowed)}"
    for score in tape.scores:
        if not any(_could_score(score, *span) for span in _served(exchanges)):
            yield f"{score.furnace} {score.end}: scored by {score.digest[:8]}, which nobody served"
    yield from _wrong_setpoints(tape)


def untold(tape: Tape, told: Collection[tuple[str, str]]) -> Iterator[str]:
    """Changes of a furnace with a prepared set-point that no alarm manager has told of."""
    for furnace, course in courses_of(tape.scores).items():
        changes = {(furnace, digest) for digest in course[1:]}
        for _, digest in sorted(changes - set(told)):
            yield f"{furnace}: nobody told that {digest[:8]} judges it"


def notes(tape: Tape, exchanges: Sequence[Exchange]) -> Iterator[str]:
    """How many windows each ensemble scored, and how long both did in each exchange."""
    counts = Counter(score.digest for score in tape.scores)
    yield "windows by ensemble: " + ", ".join(f"{d[:8]} {n}" for d, n in sorted(counts.items()))
    for number, each in enumerate(exchanges, 1):
        until = exchanges[number].began_ns if number < len(exchanges) else 2**63
        scores = [score for score in tape.scores if each.began_ns <= score.published < until]
        first = min((s.published for s in scores if s.digest == each.new), default=0)
        mixed = [s for s in scores if s.digest == each.old and s.published > first > 0]
        span_s = (max((s.published for s in mixed), default=first) - first) / 1e9
        whole_s = (each.ended_ns - each.began_ns) / 1e9
        yield (
            f"exchange {number}: the servers took {whole_s:.1f} s; both ensembles scored "
            f"for {span_s:.1f} s, {len(mixed)} windows by the old one beside the new one"
        )


def courses_of(scores: Sequence[Score]) -> Mapping[str, list[str]]:
    """Per furnace, the ensembles that scored it, in the order of its windows."""
    by_furnace: dict[str, list[Score]] = defaultdict(list)
    for score in scores:
        by_furnace[score.furnace].append(score)
    return {
        furnace: [d for d, _ in groupby(sorted(found, key=lambda s: s.end), lambda s: s.digest)]
        for furnace, found in by_furnace.items()
    }


def _is_within(course: Sequence[str], allowed: Sequence[str]) -> bool:
    """Tell whether a course goes along what was allowed, though it may leave some out."""
    rest = iter(allowed)
    return all(digest in rest for digest in course)


def _served(exchanges: Sequence[Exchange]) -> Iterator[tuple[str, int, int]]:
    """Which ensemble some server had, and from when to when."""
    since = 0
    for before, after in zip((None, *exchanges), (*exchanges, None), strict=True):
        digest = before.new if before else exchanges[0].old
        yield digest, before.began_ns if before else since, after.ended_ns if after else 2**63


def _could_score(score: Score, digest: str, from_ns: int, to_ns: int) -> bool:
    at = score.fields["times"]["scored_ns"]
    return score.digest == digest and (at is None or from_ns <= at <= to_ns)


def _wrong_setpoints(tape: Tape) -> Iterator[str]:
    """Raises and clears whose threshold is not that of the ensemble that they name."""
    points = {point.alarm_id: point for point in points_on(tape)}
    for message in tape.alarms:
        fields, cause = message.fields, message.fields["transition"]["cause"]
        if cause not in (RAISE, CLEAR) or fields["class"] != "process":
            continue
        evidence, point = fields["evidence"], points.get(message.key)
        if point is None:
            continue
        wanted = point.under(fields["model"]["digest"]).on
        if evidence["threshold"] != wanted:
            yield f"{message.key}: {cause} names {evidence['threshold']}, expected {wanted}"


def _short(digests: Sequence[str]) -> str:
    return " ".join(digest[:8] for digest in digests)
