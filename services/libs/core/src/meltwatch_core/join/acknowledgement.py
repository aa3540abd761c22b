"""Which input records are still needed: by unpublished windows, and to restore a furnace exactly.

Three things hold a record back. Events in the buffers and in closed, unpublished windows are
needed for what the windows contain. The *anchor* is needed for everything else: from the record
that closed the furnace's last published window on, reading again restores sources, lateness and
retirement as they were (the record that set the partition's newest event time included).
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from meltwatch_schemas.score import Modality

from meltwatch_core.join.errors import OutOfSequence

Offsets = Mapping[Modality, int]
"""Per modality an offset; a modality without need is absent."""


def lowest(needs: Iterable[Offsets]) -> dict[Modality, int]:
    """Return the lowest offset per modality."""
    result: dict[Modality, int] = {}
    for offsets in needs:
        for modality, offset in offsets.items():
            result[modality] = min(offset, result.get(modality, offset))
    return result


@dataclass(frozen=True, slots=True)
class _Unpublished:
    window_end_ns: int
    needed: Offsets
    anchor: Offsets | None


class NeededOffsets:
    """Which offsets of the input topics one life of a furnace still needs.

    Parameters
    ----------
    anchor
        Offsets from which reading again restores the life while none of its windows is published.
    """

    def __init__(self, anchor: Offsets) -> None:
        self._anchor = anchor
        self._unpublished: deque[_Unpublished] = deque()

    def closed(self, window_end_ns: int, needed: Offsets, anchor: Offsets | None) -> None:
        """Note a closed window.

        Parameters
        ----------
        window_end_ns
            Which window.
        needed
            Lowest offsets of the events that it or a later one may use.
        anchor
            The anchor once it is published; None leaves the anchor, which a retired furnace
            needs until its last window is out.
        """
        self._unpublished.append(_Unpublished(window_end_ns, needed, anchor))

    def published(self, window_end_ns: int) -> None:
        """Note that the oldest unpublished window is published.

        Raises
        ------
        OutOfSequence
            If another window is the oldest unpublished one.
        """
        oldest = self._unpublished[0].window_end_ns if self._unpublished else None
        if oldest != window_end_ns:
            raise OutOfSequence(
                f"expected the window ending at {oldest} ns to be published next, "
                f"got {window_end_ns} ns"
            )
        self._anchor = self._unpublished.popleft().anchor or self._anchor

    @property
    def settled(self) -> bool:
        """Every closed window is published."""
        return not self._unpublished

    def needed(self, buffered: Offsets) -> dict[Modality, int]:
        """Return the lowest offsets needed, given those of the events in the buffers."""
        unpublished = self._unpublished[0].needed if self._unpublished else {}
        return lowest((self._anchor, unpublished, buffered))
