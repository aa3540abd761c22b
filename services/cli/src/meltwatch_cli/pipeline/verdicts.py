"""The values of a redrive: what may be sent, how, and what became of it."""

from dataclasses import dataclass
from enum import StrEnum

from meltwatch_schemas.record import RawRecord

from meltwatch_cli.domain.redrive_journal import HOLD_MS


class LetterFate(StrEnum):
    """What became of a letter."""

    SENT = "sent"
    WOULD_SEND = "would send"
    ALREADY = "sent already"
    REFUSED = "refused"
    HELD = "held"
    FAILED = "failed"
    UNKNOWN = "unknown"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class LetterVerdict:
    """What became of a letter, and why or where.

    Attributes
    ----------
    letter
        Its id.
    outcome
        In a word.
    detail
        For a person.
    """

    letter: int
    outcome: LetterFate
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RedriveOptions:
    """How to send.

    Attributes
    ----------
    prefix
        First part of the topic names.
    run
        The redrive's own id.
    by
        Who redrives.
    force
        Send also what would be refused again, or what somebody may have sent before.
    hold_ms
        How long a claim holds.
    """

    prefix: str
    run: str
    by: str
    force: bool = False
    hold_ms: int = HOLD_MS


@dataclass(frozen=True, slots=True)
class Candidate:
    """A letter to which there is no objection.

    Attributes
    ----------
    id, letter
        Its offset, and its place ``topic/partition/offset``.
    origin
        The place of the refused record.
    record
        What is to be sent, in the partition where it belongs.
    remarks
        What a person should know.
    """

    id: int
    letter: str
    origin: str
    record: RawRecord
    remarks: str

    def verdict(self, outcome: LetterFate, detail: str) -> LetterVerdict:
        """Return what became of it."""
        return LetterVerdict(self.id, outcome, detail)

    def destination(self, offset: int | None = None) -> str:
        """Return where it goes or stands, and what a person should know."""
        at = "" if offset is None else f" at {offset}"
        remark = f"; {self.remarks}" if self.remarks else ""
        return f"to {self.record.topic}/{self.record.partition}{at}{remark}"
