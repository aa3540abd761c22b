"""Who may send a refused record again: a pure function of the journal's notes in their order.

Kafka's order of one partition is the lock. Whoever wants to send writes a claim, reads the
journal up to it, and sends only if the first claim in force is his own. A claim that is followed
by neither ``sent`` nor ``released`` runs out after a time; whoever claims then must look in the
record's topic whether the one before him had sent.
"""

from collections import defaultdict
from typing import Final

from meltwatch_schemas.alarm import ns_from_utc
from meltwatch_schemas.redrive import RedriveNote, Step

HOLD_MS: Final = 60_000
"""How long a claim holds. Its owner sends in the first third or not at all, and the client gives
up within the second: the last third is for clocks of different machines that disagree."""


class RedriveJournal:
    """Folds notes; what it says of an origin depends on the notes of that origin alone.

    Parameters
    ----------
    hold_ms
        How long a claim holds.
    """

    def __init__(self, hold_ms: int = HOLD_MS) -> None:
        self._hold_ms = hold_ms
        self._sent: dict[str, RedriveNote] = {}
        self._held: dict[str, RedriveNote] = {}
        self._doubtful: defaultdict[str, list[RedriveNote]] = defaultdict(list)

    def add(self, note: RedriveNote) -> None:
        """Take in the next note."""
        if note.step is Step.SENT:
            self._sent.setdefault(note.origin, note)
        elif note.step is Step.RELEASED:
            self._release(note)
        else:
            self._claim(note)

    def sent(self, origin: str) -> RedriveNote | None:
        """Return the note that says that an origin was sent again."""
        return self._sent.get(origin)

    def holder(self, origin: str) -> RedriveNote | None:
        """Return the newest claim that was in force when it was made."""
        return self._held.get(origin)

    def is_held(self, origin: str, now_ms: int) -> bool:
        """Tell whether somebody may be sending an origin now."""
        held = self._held.get(origin)
        return held is not None and now_ms < self.runs_out_ms(held)

    def runs_out_ms(self, claim: RedriveNote) -> int:
        """Return until when a claim holds, ms UTC."""
        return _at_ms(claim) + self._hold_ms

    def doubtful(self, origin: str, run: str) -> tuple[RedriveNote, ...]:
        """Return the claims of other runs that nothing followed: their owners may have sent."""
        held = self._held.get(origin)
        claims = [*self._doubtful.get(origin, ()), *([held] if held else [])]
        return tuple(claim for claim in claims if claim.run != run)

    def _claim(self, note: RedriveNote) -> None:
        before = self._held.get(note.origin)
        if before is not None and before.run != note.run:
            if _at_ms(note) < _at_ms(before) + self._hold_ms:
                return
            self._doubtful[note.origin].append(before)
        self._held[note.origin] = note

    def _release(self, note: RedriveNote) -> None:
        held = self._held.get(note.origin)
        if held is not None and held.run == note.run:
            del self._held[note.origin]
        left = [claim for claim in self._doubtful[note.origin] if claim.run != note.run]
        self._doubtful[note.origin] = left


def _at_ms(note: RedriveNote) -> int:
    return ns_from_utc(note.at) // 1_000_000
