"""The stand-in for a batch of records that is too large, or cannot be read."""

from typing import Self

from meltwatch_schemas.errors import ContractViolation, Refusal


class UnreadBatch(bytes):
    """The value of the one record that stands for an unread batch: the batch as it came.

    Attributes
    ----------
    first, last
        Offsets that it stands for.
    reason, detail
        Why every reader refuses it.
    """

    first: int
    last: int
    reason: Refusal
    detail: str

    @classmethod
    def of(cls, content: bytes, offsets: range, reason: Refusal, detail: str) -> Self:
        """Make one from a batch's bytes, with what was expected and what came."""
        made = cls(content)
        made.first, made.last = offsets.start, offsets.stop - 1
        made.reason = reason
        made.detail = f"batch of offsets {made.first}..{made.last}: {detail}"
        return made

    def refuse(self) -> ContractViolation:
        """Return the refusal, ready to raise."""
        return ContractViolation(self.reason, self.detail)
