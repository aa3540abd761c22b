"""What is live, and what is history: the latency histograms count live evidence alone."""

from typing import Final

from meltwatch_schemas.window import NS_PER_S

HISTORY_NS: Final = 15 * NS_PER_S
"""Longer than idle gap and take-over together; back-fill and backlog are older."""


def is_live(event_ns: int, ingest_ns: int, began_ns: int) -> bool:
    """Tell whether a latency is ours: not that of a late sender or of our own absence.

    Parameters
    ----------
    event_ns
        When it happened: the end of a window.
    ingest_ns
        When its newest record was sent.
    began_ns
        When this process took over the work that the evidence is part of.
    """
    return ingest_ns - event_ns <= HISTORY_NS and began_ns - ingest_ns <= HISTORY_NS
