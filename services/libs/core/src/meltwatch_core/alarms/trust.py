"""How far a score can be trusted: unknown is not normal."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Self

from meltwatch_schemas.alarm import Quality
from meltwatch_schemas.errors import ContractViolation, Refusal
from meltwatch_schemas.record import read_score
from meltwatch_schemas.score import Modality, ScoreStatus, WindowScore
from meltwatch_schemas.window import NS_PER_S

from meltwatch_core.alarms.condition import MAX_SILENCE_RECORDS

_READ_TWICE: Final = 2_000
read_once: Final = lru_cache(maxsize=_READ_TWICE)(read_score)
"""Reads a score; the manager's judge and its projector each get a record, and decode it once."""

MAX_AHEAD_NS: Final = 24 * 3600 * NS_PER_S
"""How far the clocks of two machines, or their time zones, may be apart.

A window that ends later would make every true window of its furnace look old, for that long.
"""


def not_ahead(score: WindowScore, now_ns: int) -> WindowScore:
    """Return a score as it is.

    Raises
    ------
    ContractViolation
        If its window ends in the future.
    """
    if score.window_end_ns > now_ns + MAX_AHEAD_NS:
        raise ContractViolation(
            Refusal.FUTURE_EVENT_TIME,
            f"window_end_ns: expected at most a day after {now_ns}, got {score.window_end_ns}",
        )
    return score


def quality_of(score: WindowScore) -> Quality:
    """Return the quality of a score.

    ``good`` with both modalities, ``bad`` with neither, else ``uncertain``: one of them, or
    scoring failed.
    """
    if score.status is ScoreStatus.SCORED:
        return Quality.GOOD
    return Quality.UNCERTAIN if score.modalities else Quality.BAD


def quality_reasons(score: WindowScore) -> list[str]:
    """Return the words for what is wrong with a score; none if it is good."""
    if score.status is ScoreStatus.SCORED:
        return []
    missing = [f"{name.value}_unavailable" for name in Modality if name not in score.modalities]
    return list(dict.fromkeys([*score.reasons, *missing]))


TOLD_WINDOWS: Final = 10
"""So many windows must be of another quality than was told, before that is told."""
_SEEN_WINDOWS: Final = 2 * TOLD_WINDOWS
_RANK: Final = {Quality.GOOD: 0, Quality.UNCERTAIN: 1, Quality.BAD: 2}


@dataclass(frozen=True, slots=True)
class QualityCount:
    """The windows since an alarm last told of its quality: a camera that flickers is told once.

    Attributes
    ----------
    seen
        Offset and quality of the last windows, from the oldest that is not as was told.
    """

    seen: tuple[tuple[int, Quality], ...] = ()

    def after(self, position: int, quality: Quality, told: Quality) -> Self:
        """Return the count after one more window.

        Parameters
        ----------
        position
            Its offset in its partition.
        quality, told
            Its quality, and the one that the alarm has told.
        """
        known = self.seen if self.needed_from(position) is not None else ()
        seen = (*known, (position, quality))[-_SEEN_WINDOWS:]
        changed = (place for place, (_, each) in enumerate(seen) if each is not told)
        return type(self)(seen[next(changed, len(seen)) :])

    def tells(self, told: Quality) -> bool:
        """Tell whether the newest window's quality is to be told.

        Worse: half of the last windows were as bad. Better: the last ones were all as good.
        """
        ranks = [_RANK[quality] for _, quality in self.seen]
        if not ranks or ranks[-1] == _RANK[told]:
            return False
        if ranks[-1] > _RANK[told]:
            return sum(rank >= ranks[-1] for rank in ranks) >= TOLD_WINDOWS
        return len(ranks) >= TOLD_WINDOWS and max(ranks[-TOLD_WINDOWS:]) == ranks[-1]

    def needed_from(self, position: int) -> int | None:
        """Return the oldest offset that must be read again to count the same, if any.

        Parameters
        ----------
        position
            Offset that the partition has been read up to.
        """
        if not self.seen or position - self.seen[-1][0] > MAX_SILENCE_RECORDS:
            return None
        return self.seen[0][0]
