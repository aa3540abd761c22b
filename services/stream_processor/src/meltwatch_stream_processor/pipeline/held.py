"""What waits in the joins for the other modality is bounded: the rest stays in Kafka."""

from collections.abc import Collection
from typing import Protocol

from meltwatch_schemas.score import Modality


class Holding(Protocol):
    """A partition number in whose join records wait."""

    def waiting_bytes(self, modality: Modality) -> int:
        """Return what waits of a modality for the other one."""

    def hold_back(self, modality: Modality | None) -> None:
        """Keep back the topic of a modality, or none."""


def hold_back(partitions: Collection[Holding], max_bytes: int) -> None:
    """Keep back, where more than its share waits, the topic that is ahead; let the others go on.

    Parameters
    ----------
    partitions
        All of the process.
    max_bytes
        How much may wait in all of them together.
    """
    waiting = {each: {m: each.waiting_bytes(m) for m in Modality} for each in partitions}
    is_full = sum(sum(held.values()) for held in waiting.values()) > max_bytes
    for partition, held in waiting.items():
        is_over_share = sum(held.values()) * len(waiting) > max_bytes
        ahead = max(held, key=held.__getitem__)
        partition.hold_back(ahead if is_full and is_over_share else None)
