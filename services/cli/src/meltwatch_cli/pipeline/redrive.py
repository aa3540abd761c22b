"""Sends dead letters to their topics again, each at most once, whoever else does so too.

In batches: claim, read the journal up to the claims, send what is ours, note what was sent.
ADR 0009 says why this is enough.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from meltwatch_chassis.clock import Clock
from meltwatch_schemas.alarm import utc_from_ns
from meltwatch_schemas.record import RawRecord
from meltwatch_schemas.redrive import RedriveNote, Step

from meltwatch_cli.domain.redrive_journal import RedriveJournal
from meltwatch_cli.pipeline.judging import LetterJudge
from meltwatch_cli.pipeline.verdicts import Candidate, LetterFate, LetterVerdict, RedriveOptions
from meltwatch_cli.ports import Letters, RedriveLog, Sending, Targets

BATCH_LETTERS: Final = 100
"""At most 1 MiB each, unless a broker takes more."""

_Claims = Mapping[str, RedriveNote]


class Redrive:
    """One redrive.

    Parameters
    ----------
    letters, journal, targets
        Kafka.
    clock
        For ages, claims and their end.
    options
        How to send.
    """

    def __init__(
        self,
        letters: Letters,
        journal: RedriveLog,
        targets: Targets,
        clock: Clock,
        options: RedriveOptions,
    ) -> None:
        self._letters = letters
        self._journal = journal
        self._targets = targets
        self._clock = clock
        self._options = options
        self._notes = RedriveJournal(options.hold_ms)
        self._judge = LetterJudge(self._notes, targets, clock, options)

    def plan(self, ids: Sequence[int]) -> Iterator[LetterVerdict]:
        """Say what ``carry_out`` would do, without writing anything."""
        for batch, missing in self._batches(ids):
            self._catch_up()
            candidates, verdicts = self._judge.judge(batch)
            planned = [c.verdict(LetterFate.WOULD_SEND, c.destination()) for c in candidates]
            yield from _in_order(verdicts, planned, missing)

    def carry_out(self, ids: Sequence[int]) -> Iterator[LetterVerdict]:
        """Send letters by ascending id; yields what became of each as soon as it stands."""
        for batch, missing in self._batches(ids):
            self._catch_up()
            candidates, verdicts = self._judge.judge(batch)
            sent = self._claim_and_send(candidates) if candidates else []
            self._journal.append(self._judge.learnt())
            yield from _in_order(verdicts, sent, missing)

    def _batches(self, ids: Sequence[int]) -> Iterator[tuple[list[RawRecord], list[LetterVerdict]]]:
        """Read letters in batches, each with the ids that lead nowhere."""
        wanted = sorted(set(ids))
        for first in range(0, len(wanted), BATCH_LETTERS):
            some = wanted[first : first + BATCH_LETTERS]
            batch = list(self._letters.take(some))
            there = {raw.offset for raw in batch}
            yield batch, [_missing(number) for number in some if number not in there]

    def _claim_and_send(self, candidates: Sequence[Candidate]) -> list[LetterVerdict]:
        started_ns = self._clock.monotonic_ns()
        claims = self._claims(candidates)
        self._journal.append(claims.values())
        self._catch_up()
        ours, lost = self._won(candidates, claims)
        waited_ms = (self._clock.monotonic_ns() - started_ns) // 1_000_000
        if waited_ms > self._options.hold_ms // 3:
            self._release(ours, claims)
            detail = f"not sent: claiming took {waited_ms / 1000:.0f} s; redrive it again"
            return lost + [candidate.verdict(LetterFate.FAILED, detail) for candidate in ours]
        sendings = self._targets.send([candidate.record for candidate in ours])
        self._journal.append(_notes_of(ours, sendings, claims))
        return lost + [_verdict(c, s) for c, s in zip(ours, sendings, strict=True)]

    def _claims(self, candidates: Sequence[Candidate]) -> dict[str, RedriveNote]:
        places = {(c.record.topic, c.record.partition) for c in candidates}
        # Asked before the claims are written: what is sent after them cannot stand before it.
        ends = {where: self._targets.end_offset(*where) for where in places}
        at = utc_from_ns(self._clock.now_ns())
        return {
            c.origin: RedriveNote(
                origin=c.origin,
                letter=c.letter,
                step=Step.CLAIMED,
                run=self._options.run,
                by=self._options.by,
                at=at,
                topic=c.record.topic,
                partition=c.record.partition,
                offset=ends[c.record.topic, c.record.partition],
            )
            for c in candidates
        }

    def _won(
        self, candidates: Sequence[Candidate], claims: _Claims
    ) -> tuple[list[Candidate], list[LetterVerdict]]:
        """Tell the candidates that we alone may send from those that somebody else has."""
        ours, lost, verdicts = [], [], []
        for candidate in candidates:
            verdict = self._judge.overtaken(candidate)
            holder = self._notes.holder(candidate.origin)
            if verdict is None and (holder is None or holder.run != self._options.run):
                verdict = candidate.verdict(LetterFate.HELD, "somebody else was quicker")
            if verdict is None:
                ours.append(candidate)
            else:
                lost.append(candidate)
                verdicts.append(verdict)
        self._release(lost, claims)
        return ours, verdicts

    def _release(self, candidates: Sequence[Candidate], claims: _Claims) -> None:
        self._journal.append(_released(claims[candidate.origin]) for candidate in candidates)

    def _catch_up(self) -> None:
        for note in self._journal.news():
            self._notes.add(note)


def _missing(number: int) -> LetterVerdict:
    detail = "expected an id of 'dead-letters list', found no such letter"
    return LetterVerdict(number, LetterFate.MISSING, detail)


def _in_order(*verdicts: Sequence[LetterVerdict]) -> list[LetterVerdict]:
    together = [verdict for some in verdicts for verdict in some]
    return sorted(together, key=lambda verdict: verdict.letter)


def _notes_of(
    candidates: Sequence[Candidate], sendings: Sequence[Sending], claims: _Claims
) -> Iterator[RedriveNote]:
    """Yield what is certain; the rest is found out by whoever redrives next."""
    for candidate, sending in zip(candidates, sendings, strict=True):
        claim = claims[candidate.origin]
        if sending.offset is not None:
            yield claim.model_copy(update={"step": Step.SENT, "offset": sending.offset})
        elif sending.is_certain:
            yield _released(claim)


def _released(claim: RedriveNote) -> RedriveNote:
    return claim.model_copy(update={"step": Step.RELEASED})


def _verdict(candidate: Candidate, sending: Sending) -> LetterVerdict:
    if sending.offset is not None:
        return candidate.verdict(LetterFate.SENT, candidate.destination(sending.offset))
    if sending.is_certain:
        return candidate.verdict(LetterFate.FAILED, sending.failure)
    detail = f"whether it arrived is not known ({sending.failure}); redrive it again in a minute"
    return candidate.verdict(LetterFate.UNKNOWN, detail)
