"""The irregularities' part of the screen: a line for each furnace that has any."""

from collections.abc import Mapping
from typing import Final

from meltwatch_local_cluster.screen.glimpse import Glimpse
from meltwatch_local_cluster.screen.parts import ABNORMAL, HEADING, QUIET, ScreenText, shortened

MAX_FURNACES: Final = 3
_HEADING: Final = "IRREGULAR  "
_ID_WIDTH: Final = 28
_SHORT: Final = {
    "duplicate": "dup",
    "future_event_time": "future",
    "unexpected_source": "source",
    "unknown_encoder": "encoder",
}


def irregular_lines(glimpse: Glimpse, width: int, lines: int) -> list[ScreenText]:
    """Draw what was not as it should be of the furnaces with most of it; nothing if all is well.

    Parameters
    ----------
    glimpse
        What to show.
    width, lines
        Room in characters; three lines at most are taken, none if there is no room.
    """
    counts = {name: kinds for name, kinds in glimpse.irregularities.items() if any(kinds.values())}
    worst = sorted(counts, key=lambda name: (-sum(counts[name].values()), name))
    shown = worst[: max(0, min(lines, MAX_FURNACES))]
    page: list[ScreenText] = []
    for name in shown:
        line = ScreenText(_HEADING if not page else " " * len(_HEADING), style=HEADING)
        line.append(f"{shortened(name, _ID_WIDTH)}  ", style="")
        line.append(kinds_text(counts[name]), style=ABNORMAL)
        page.append(line)
    hidden = len(counts) - len(shown)
    rest = f"  … {hidden} more furnaces" if hidden else ""
    for line in page:
        line.truncate(width - len(rest), overflow="ellipsis")
    if page:
        page[-1].append(rest, style=QUIET)
    return page


def kinds_text(kinds: Mapping[str, int]) -> str:
    """Return counts by kind, the commonest first, e.g. ``late 3 · dup 1``."""
    ordered = sorted((-count, kind) for kind, count in kinds.items() if count)
    return " · ".join(f"{_SHORT.get(kind, kind)} {-count}" for count, kind in ordered)
