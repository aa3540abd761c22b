"""Whether a window may have closed at its cut: what the records before it, and behind it, allow.

The instants at which a modality became idle, or a furnace was retired, stand in no topic. But
idleness needs more than 5 s of the reader's clock between a modality's last record and its next
one, over records of the other one; and Kafka's timestamps run at least as fast as that clock.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Final

from tests.chaos.oracle import LONG_SILENCE, NUMBERS, Cut, Furnace
from tests.chaos.tape import CURRENT, MODALITIES, VIDEO, Chunk, Score

QUIET: Final = NUMBERS.idle_gap - 3_000_000_000
"""What of the idle gap must show in timestamps: topics go forward 2 s at a time, pauses count."""
_AN_HOUR: Final = 3_600_000_000_000
_OTHER: Final = {VIDEO: CURRENT, CURRENT: VIDEO}


def not_due(furnace: Furnace, score: Score, *, lockstep: bool) -> Iterator[str]:
    """Why a window should not have closed at its cut.

    Parameters
    ----------
    furnace, score
        Whose, and which.
    lockstep
        Whether no topic was behind the other one on its way: then a source was silent only where
        its timestamps say so.
    """
    cut, end = score.cut, score.end
    for modality in MODALITIES:
        if _says_behind(score, modality) and not _is_behind(furnace, modality, cut):
            yield f"behind_{modality}: it was not"
    slow = [modality for modality, mark in furnace.marks(cut).items() if mark < end]
    if not slow or _may_be_retired(furnace, score):
        return
    if len(slow) == len(MODALITIES) or not (
        _says_behind(score, slow[0])
        or _was_set_back(furnace, slow[0], cut)
        or _may_be_idle(furnace, slow[0], cut, lockstep=lockstep)
    ):
        yield f"closed when {' and '.join(slow)} had come to {furnace.marks(cut)}"


def _says_behind(score: Score, modality: str) -> bool:
    return f"behind_{modality}" in score.fields["reasons"]


def _is_behind(furnace: Furnace, modality: str, cut: Cut) -> bool:
    lasts = {m: stream.lasts[count - 1] for m, stream, count in furnace.seen(cut)}
    lead = lasts.get(_OTHER[modality], -math.inf) - lasts.get(modality, -math.inf)
    return lead > NUMBERS.max_skew


def _was_set_back(furnace: Furnace, modality: str, cut: Cut) -> bool:
    """Tell whether a source's clock had gone back and was not yet again where it was."""
    seen = {m: stream.set_back[count - 1] for m, stream, count in furnace.seen(cut) if count}
    return seen.get(modality, False)


def _may_be_idle(furnace: Furnace, modality: str, cut: Cut, *, lockstep: bool) -> bool:
    """Tell whether a modality was silent for as long as others had to speak meanwhile."""
    before, after = furnace.newest_chunks(cut), furnace.next_chunks(cut)
    other = _OTHER[modality]
    if other not in before:
        return False
    first: Mapping[str, Chunk] = {other: furnace.streams[other].chunks[0]}
    since = before.get(modality, first[other]).stamp
    spoke = before[other].stamp - since > QUIET
    silent = modality not in after or after[modality].stamp - since > QUIET
    return spoke and (silent or not lockstep)


def _may_be_retired(furnace: Furnace, score: Score) -> bool:
    """Tell whether so long a silence followed its cut that its last windows may close."""
    before, after = furnace.newest_chunks(score.cut), furnace.next_chunks(score.cut)
    last = max(chunk.stamp for chunk in before.values())
    following = min((chunk.stamp for chunk in after.values()), default=score.published)
    # Timestamps of another time say nothing of when a score was published.
    silence = following - last if after or abs(following - last) < _AN_HOUR else math.inf
    newest = max(chunk.last for chunk in before.values())
    return silence > LONG_SILENCE and score.end < newest + NUMBERS.lookback
