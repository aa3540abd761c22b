"""Whether furnaces have the windows that they would have had in fair weather.

Stricter than the verdict, which takes each cut as it is: of a furnace whose records came in order,
and of which no modality was silent, each window shows all that it can ever show, none is missing,
and nothing is late.
"""

import sys
from collections import Counter
from collections.abc import Collection, Iterator
from typing import Final

import numpy as np

from tests.chaos.oracle import Cut, Furnace, Oracle, Window, must_exist, window_at
from tests.chaos.tape import MODALITIES, Score, Tape

_EVERYTHING: Final[Cut] = dict.fromkeys(MODALITIES, sys.maxsize)


def disturbed(tape: Tape, names: Collection[str]) -> Iterator[str]:
    """What some furnaces have not as in fair weather, line by line."""
    furnaces = Oracle(tape).furnaces
    late = Counter((key or b"").decode() for key, _ in tape.late)
    for name in names:
        if late[name]:
            yield f"{name}: {late[name]} records late in fair weather"
        mine = [score for score in tape.scores if score.furnace == name]
        yield from _missing(furnaces[name], {score.end for score in mine})
        for score in mine:
            yield from _differs(furnaces[name], score)


def _missing(furnace: Furnace, published: Collection[int]) -> Iterator[str]:
    expected = set(must_exist(furnace, {}))
    for end in sorted(expected - set(published)):
        yield f"{furnace.name} {end}: none, in fair weather there is one"
    for end in sorted(published):
        if end < min(expected, default=0):
            yield f"{furnace.name} {end}: in fair weather there is none"


def _differs(furnace: Furnace, score: Score) -> Iterator[str]:
    seen, fair = (window_at(furnace, score.end, cut) for cut in (score.cut, _EVERYTHING))
    for name, one, other in zip(MODALITIES, _content(seen), _content(fair), strict=True):
        if not np.array_equal(one, other, equal_nan=True):
            yield f"{furnace.name} {score.end}: other {name} than in fair weather"


def _content(window: Window) -> tuple[np.ndarray, np.ndarray]:
    """Clip and currents, and how much there is of either if it is not enough."""
    video = window.video_coverage if window.clip is None else window.clip
    current = window.current_coverage if window.currents is None else window.currents
    return np.asarray(video), np.asarray(current)
