"""What the wall clock says of furnaces and plant: pure functions of the watch."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from meltwatch_core.alarms.system_alarms import FURNACE_ALARMS, SCORING_LOST
from meltwatch_core.alarms.watch import Sight, Watch, blind_among, is_silent

_SCORING = FURNACE_ALARMS[SCORING_LOST].words


@dataclass(frozen=True, slots=True)
class Level:
    """Whether the condition of a clock alarm holds at an instant.

    Attributes
    ----------
    holds
        It does.
    since_ns
        From when on its on-delay runs, ns UTC.
    text
        For a person.
    ends_at_once
        Without the off-delay: there is nothing to be watched any more.
    """

    holds: bool
    since_ns: int
    text: str
    ends_at_once: bool = False


def furnace_silent(watch: Watch, sight: Sight | None, at_ns: int) -> Level:
    """Return whether a furnace is silent; None is one that is not watched."""
    if sight is None:
        return Level(False, at_ns, "not watched any more", ends_at_once=True)
    if not is_silent(sight, at_ns):
        return Level(False, at_ns, "windows come again")
    return Level(True, watch.silent_since(sight), "no window comes")


def plant_blind(watch: Watch, sights: Collection[Sight], at_ns: int) -> Level:
    """Return whether half of the watched furnaces, and more than one, have no verdict."""
    blind = list(blind_among(sights, at_ns))
    since = sorted(watch.dark_since(sight) for sight in blind)
    text = f"{len(blind)} of {len(sights)} watched furnaces without a verdict"
    if blind:
        text += f" ({_why(blind, at_ns)})"
    return _level(since, max(2, _half(sights)), text, at_ns)


def triton_down(sights: Collection[Sight], at_ns: int) -> Level:
    """Return whether half of the watched furnaces lack verdicts for Triton's sake."""
    since = sorted(sight.unjudged_ns for sight in sights if sight.unjudged_ns is not None)
    words = Counter(word for sight in sights for word in sight.reasons if word in _SCORING)
    text = f"{len(since)} of {len(sights)} watched furnaces are not judged, or late"
    if words:
        text += f" ({_listed(words)})"
    return _level(since, max(1, _half(sights)), text, at_ns)


def _level(since: list[int], needed: int, text: str, at_ns: int) -> Level:
    if len(since) < needed:
        return Level(False, at_ns, text)
    return Level(True, since[needed - 1], text)


def _half(sights: Collection[Sight]) -> int:
    return -(-len(sights) // 2)


def _why(blind: list[Sight], at_ns: int) -> str:
    silent = [sight for sight in blind if is_silent(sight, at_ns)]
    words = Counter({"silent": len(silent)} if silent else {})
    for sight in blind:
        if not is_silent(sight, at_ns):
            words.update(sight.reasons)
    return _listed(words)


def _listed(words: Counter[str]) -> str:
    return ", ".join(f"{count} {word}" for word, count in words.most_common(3))
