"""Looks at dead letters before they are sent again: who objects, who was quicker."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from meltwatch_chassis.clock import Clock
from meltwatch_schemas.dead_letter import DeadLetter, read_dead_letter
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.record import RawRecord
from meltwatch_schemas.redrive import REDRIVE_OF, RedriveNote, Step
from meltwatch_schemas.topics import Topic

from meltwatch_cli.domain.letters import place
from meltwatch_cli.domain.redrive_journal import RedriveJournal
from meltwatch_cli.domain.redrive_rules import objection, remarks
from meltwatch_cli.pipeline.verdicts import Candidate, LetterFate, LetterVerdict, RedriveOptions
from meltwatch_cli.ports import Targets

_AHEAD_MS: Final = 10_000
"""How far ahead of the broker's clock the input topics let a record be."""
_INPUTS: Final = (Topic.EMBEDDINGS, Topic.CURRENTS)


class LetterJudge:
    """Judges letters one by one, by their bytes and by what the journal says.

    Parameters
    ----------
    notes
        The journal, kept up to date by the caller.
    targets
        The topics that records are sent to.
    clock
        For ages and claims.
    options
        How to send.
    """

    def __init__(
        self, notes: RedriveJournal, targets: Targets, clock: Clock, options: RedriveOptions
    ) -> None:
        self._notes = notes
        self._targets = targets
        self._clock = clock
        self._options = options
        # A record here that is later than a claim tells that the claim had run out before it.
        self._bounded_topics = {topic.under(options.prefix) for topic in _INPUTS}
        self._searched: dict[tuple[str, int, int, int | None], Mapping[str, int] | None] = {}
        self._taken: dict[str, int] = {}
        self._learnt: list[RedriveNote] = []

    def judge(self, batch: Sequence[RawRecord]) -> tuple[list[Candidate], list[LetterVerdict]]:
        """Return the letters that may be sent, and verdicts on the others."""
        candidates, verdicts = [], []
        for raw in batch:
            judged = self._judged(raw)
            if isinstance(judged, Candidate):
                self._taken[judged.origin] = judged.id
                candidates.append(judged)
            else:
                verdicts.append(judged)
        return candidates, verdicts

    def overtaken(self, candidate: Candidate) -> LetterVerdict | None:
        """Return a verdict if somebody else sent, is sending or may have sent the record."""
        origin = candidate.origin
        if (note := self._notes.sent(origin)) is not None:
            return candidate.verdict(LetterFate.ALREADY, _sent_text(note))
        holder = self._notes.holder(origin)
        if (
            holder is not None
            and holder.run != self._options.run
            and self._notes.is_held(origin, self._now_ms())
        ):
            return candidate.verdict(LetterFate.HELD, self._held_text(holder))
        return self._settled(candidate)

    def learnt(self) -> list[RedriveNote]:
        """Return, once, notes of records that were found to have been sent."""
        learnt, self._learnt = self._learnt, []
        return learnt

    def _judged(self, raw: RawRecord) -> Candidate | LetterVerdict:
        try:
            dead = read_dead_letter(raw)
        except ContractViolation as error:
            return LetterVerdict(raw.offset, LetterFate.REFUSED, error.detail)
        options = self._options
        reason = objection(dead, options.prefix, force=options.force)
        if reason is not None:
            return LetterVerdict(raw.offset, LetterFate.REFUSED, reason)
        partition = self._targets.partition_of(dead.record)
        if partition is None:
            reason = f"expected the topic {dead.record.topic}, it is gone"
            return LetterVerdict(raw.offset, LetterFate.REFUSED, reason)
        candidate = self._candidate(raw, dead, partition)
        if (first := self._taken.get(candidate.origin)) is not None:
            return candidate.verdict(LetterFate.ALREADY, f"the same record as letter {first}")
        return self.overtaken(candidate) or candidate

    def _candidate(self, raw: RawRecord, dead: DeadLetter, partition: int) -> Candidate:
        record, letter = dead.record, place(raw.topic, raw.partition, raw.offset)
        headers = tuple(item for item in record.headers if item[0] != REDRIVE_OF)
        return Candidate(
            raw.offset,
            letter,
            place(record.topic, record.partition, record.offset),
            replace(record, partition=partition, headers=(*headers, (REDRIVE_OF, letter.encode()))),
            "; ".join(remarks(dead, self._options.prefix, self._now_ms())),
        )

    def _settled(self, candidate: Candidate) -> LetterVerdict | None:
        """Find out whether one whose claim ran out had sent the record."""
        for claim in self._notes.doubtful(candidate.origin, self._options.run):
            found = self._search(claim)
            if found is None and not self._options.force:
                detail = f"{claim.by} may have sent it at {claim.at:%F %TZ} (--force sends it)"
                return candidate.verdict(LetterFate.REFUSED, detail)
            if found and claim.letter in found:
                sent = claim.model_copy(update={"step": Step.SENT, "offset": found[claim.letter]})
                self._learnt.append(sent)
                return candidate.verdict(LetterFate.ALREADY, _sent_text(sent))
        return None

    def _search(self, claim: RedriveNote) -> Mapping[str, int] | None:
        until_ms = None
        if claim.topic in self._bounded_topics:
            until_ms = self._notes.runs_out_ms(claim) + self._options.hold_ms + _AHEAD_MS
        stretch = (claim.topic, claim.partition, claim.offset, until_ms)
        if stretch not in self._searched:
            self._searched[stretch] = self._targets.sent_since(*stretch)
        return self._searched[stretch]

    def _held_text(self, holder: RedriveNote) -> str:
        left_s = (self._notes.runs_out_ms(holder) - self._now_ms()) // 1000 + 1
        return (
            f"{holder.by} has been sending it since {holder.at:%TZ}; "
            f"if that was broken off, redrive it in {left_s} s"
        )

    def _now_ms(self) -> int:
        return self._clock.now_ns() // 1_000_000


def _sent_text(note: RedriveNote) -> str:
    return f"to {note.topic}/{note.partition} at {note.offset} by {note.by}, {note.at:%F %TZ}"
