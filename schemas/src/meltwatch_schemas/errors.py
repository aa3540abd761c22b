"""Why a record is refused: one closed list of reasons, one exception."""

from enum import StrEnum


class Refusal(StrEnum):
    """The values of ``dlq.error``, in the order in which they are judged.

    A record that fails several rules carries the first reason of this order.
    """

    TOO_LARGE = "too_large"
    UNKNOWN_SCHEMA = "unknown_schema"
    MALFORMED = "malformed"
    CONTRACT_VIOLATION = "contract_violation"
    NON_FINITE = "non_finite"
    FUTURE_EVENT_TIME = "future_event_time"
    UNEXPECTED_SOURCE = "unexpected_source"
    UNKNOWN_ENCODER = "unknown_encoder"
    SCORING_REJECTED = "scoring_rejected"


class ContractViolation(ValueError):  # noqa: N818 - named for what the caller does: dead-letter it
    """A record or value breaks the contract: set it aside and go on.

    Parameters
    ----------
    reason
        The word that goes into ``dlq.error``.
    detail
        One line: what was expected and what came. It goes into ``dlq.detail``.
    """

    def __init__(self, reason: Refusal, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def violation(detail: str) -> ContractViolation:
    """Return a ``contract_violation``, the commonest refusal, ready to raise."""
    return ContractViolation(Refusal.CONTRACT_VIOLATION, detail)


def malformed(detail: str) -> ContractViolation:
    """Return a ``malformed`` refusal, ready to raise."""
    return ContractViolation(Refusal.MALFORMED, detail)
