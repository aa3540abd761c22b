"""The numbers of the window rule and where its windows end, written from the rule's text.

Both oracles use them; nothing of the code under test does.
"""

import hashlib
import math
from dataclasses import dataclass

VIDEO, CURRENT = "video", "current"


@dataclass(frozen=True)
class Numbers:
    """The numbers of the rule, in ns and counts."""

    clip_frames: int = 10
    stride: int = 720_000_000
    hop: int = 1_440_000_000
    points: int = 240
    period: int = 500_000_000
    hold: int = 750_000_000
    video_bound: int = 200_000_000
    current_bound: int = 500_000_000
    idle_gap: int = 5_000_000_000
    pause_cap: int = 1_000_000_000
    max_skew: int = 60_000_000_000
    min_frames: int = 9
    min_values: int = 684

    @property
    def lookback(self) -> int:
        return self.points * self.period

    def reach(self, modality: str) -> int:
        if modality == VIDEO:
            return self.clip_frames * self.stride
        return (self.points - 1) * self.period + self.hold

    def phase(self, furnace: str) -> int:
        return int.from_bytes(hashlib.sha256(furnace.encode()).digest()[:8], "big") % self.hop

    def first_end_after(self, furnace: str, time: int) -> int:
        """The first T_k strictly after an instant, found without a division of differences."""
        number = math.floor((time - self.phase(furnace)) / self.hop) - 2
        while self.phase(furnace) + number * self.hop <= time:
            number += 1
        return self.phase(furnace) + number * self.hop
