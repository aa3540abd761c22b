"""Which furnaces are watched, and when each was last heard and judged: by the wall clock.

A window counts as of now only if it ends within the last minute: history that is being caught up
says nothing of the present. What is read after everything before it had been read was written
since, whatever its writer's clock says. What follows for the alarms of the clock stands at the end.
"""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Final

from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.errors import violation
from meltwatch_schemas.identifiers import split_alarm_id
from meltwatch_schemas.instants import ns_from_utc
from meltwatch_schemas.outside import FurnaceStateWord
from meltwatch_schemas.score import ScoreStatus, WindowScore
from meltwatch_schemas.window import NS_PER_S

from meltwatch_core.alarms.system_alarms import FURNACE_ALARMS, PLANT_ALARMS, SCORING_LOST

REMEMBERED_NS: Final = 24 * 3600 * NS_PER_S
"""A furnace that is in no plant file is watched for this long after its last window."""
HISTORY_NS: Final = 60 * NS_PER_S
"""A window that ended longer ago is history, ns."""
BLIND_AFTER_NS: Final = 10 * NS_PER_S
"""Without a verdict for so long a furnace is blind: seven windows."""
INTERRUPTED_NS: Final = 10 * NS_PER_S
"""The clock of silence starts again when scores could not be read for this long."""
MAX_FURNACES: Final = 2000
_AT_REST: Final = frozenset({FurnaceStateWord.OFF, FurnaceStateWord.MAINTENANCE})
_SCORING: Final = FURNACE_ALARMS[SCORING_LOST].words


@dataclass(slots=True)
class LastSeen:
    """When a furnace was last heard and judged; instants are wall clock, ns UTC.

    Attributes
    ----------
    since_ns
        Since when it is watched without a break.
    told_ns
        Of its newest window, what the window itself says: 24 h later it is forgotten.
    heard_ns
        Its newest window of now; None before the first.
    verdict_ns
        The same, with a verdict.
    unjudged_ns
        First window of the present run of windows without a verdict, or with a late one, because of
        Triton.
    reasons
        Those of the newest window.
    """

    since_ns: int
    told_ns: int = 0
    heard_ns: int | None = None
    verdict_ns: int | None = None
    unjudged_ns: int | None = None
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WatchSummary:
    """How much of the plant is seen, for heartbeat and metrics.

    Attributes
    ----------
    ages_s
        By watched furnace, the age of its last verdict; without one, how long it is watched.
    blind
        How many of them have no verdict now.
    """

    ages_s: dict[str, float]
    blind: int

    @property
    def watched(self) -> int:
        """How many furnaces are watched."""
        return len(self.ages_s)

    @property
    def oldest_age_s(self) -> float | None:
        """Age of the oldest among the furnaces' last verdicts."""
        return max(self.ages_s.values(), default=None)


@dataclass(slots=True)
class Watch:
    """All furnaces of a manager in one reign.

    Attributes
    ----------
    registered
        Furnaces of the plant file: always watched, unless at rest.
    max_furnaces
        Most furnaces, registered or not.
    read_until_ns
        Everything that was written before this instant has been read; None until the first time.
    reading_since_ns
        From when on that has been so without a break.
    """

    registered: Collection[str]
    max_furnaces: int = MAX_FURNACES
    read_until_ns: int | None = None
    reading_since_ns: int = 0
    _furnaces: dict[str, LastSeen] = field(default_factory=dict)
    _states: dict[str, FurnaceStateWord] = field(default_factory=dict)

    def admits(self, furnace_id: str) -> bool:
        """Tell whether there is room for a furnace, or it is known already."""
        is_known = furnace_id in self._furnaces or furnace_id in self.registered
        return is_known or len(self._furnaces) < self.max_furnaces

    def hear(self, score: WindowScore, now_ns: int) -> None:
        """Take a score as it is read."""
        end_ns = score.window_end_ns
        seen = self._furnaces.get(score.furnace_id)
        if seen is None:
            seen = self._furnaces[score.furnace_id] = LastSeen(now_ns)
        seen.told_ns = max(seen.told_ns, min(now_ns, max(end_ns, score.times.published_ns)))
        if now_ns - end_ns > HISTORY_NS:
            return
        written_ns = max(end_ns, score.times.published_ns, self.read_until_ns or 0)
        heard_ns = max(min(now_ns, written_ns), seen.heard_ns or 0)
        seen.heard_ns, seen.reasons = heard_ns, score.reasons
        if score.status is not ScoreStatus.UNSCORED:
            seen.verdict_ns = heard_ns
        if _SCORING.isdisjoint(score.reasons):
            seen.unjudged_ns = None
        elif seen.unjudged_ns is None:
            seen.unjudged_ns = heard_ns

    def remember(self, record: AlarmRecord) -> None:
        """Take over from an alarm's record when its furnace was heard."""
        is_of_plant = split_alarm_id(record.alarm_id)[1] in PLANT_ALARMS
        # What was never raised says nothing of its furnace.
        if is_of_plant or record.raise_time is None or not self.admits(record.equipment_path):
            return
        heard_ns = ns_from_utc(record.times.watermark)
        seen = self._furnaces.setdefault(record.equipment_path, LastSeen(heard_ns))
        seen.told_ns = max(seen.told_ns, heard_ns)
        seen.heard_ns = max(seen.heard_ns or 0, heard_ns)

    def take_state(self, furnace_id: str, state: FurnaceStateWord | None, now_ns: int) -> None:
        """Take what the plant says of a furnace; None takes it back.

        Raises
        ------
        ContractViolation
            If that is one furnace too many: anybody may invent names.
        """
        if state is not None and furnace_id not in self._states:
            self._check_room_for_state(furnace_id)
        was_at_rest = self.is_at_rest(furnace_id)
        self._states.pop(furnace_id, None)
        if state is not None:
            self._states[furnace_id] = state
        if was_at_rest and not self.is_at_rest(furnace_id) and furnace_id in self._furnaces:
            self._furnaces[furnace_id].since_ns = now_ns

    def _check_room_for_state(self, furnace_id: str) -> None:
        if furnace_id not in self.registered and len(self._states) >= self.max_furnaces:
            raise violation(f"key: expected states of at most {self.max_furnaces} furnaces")

    def state(self, furnace_id: str) -> FurnaceStateWord | None:
        """Return what the plant says of a furnace, if anything."""
        return self._states.get(furnace_id)

    def is_at_rest(self, furnace_id: str) -> bool:
        """Tell whether a furnace is off or in maintenance."""
        return self._states.get(furnace_id) in _AT_REST

    def note_read(self, until_ns: int) -> None:
        """Take note that everything written before an instant has been read."""
        if self.read_until_ns is None or until_ns - self.read_until_ns > INTERRUPTED_NS:
            self.reading_since_ns = until_ns
        self.read_until_ns = until_ns

    def watched(self, now_ns: int) -> dict[str, LastSeen]:
        """Return the furnaces that should be judged; forget those that nobody has heard for long.

        Those of the plant file, and those heard within 24 h, unless at rest.
        """
        for name in self.registered:
            self._furnaces.setdefault(name, LastSeen(now_ns))
        for seen in self._furnaces.values():
            seen.told_ns = min(seen.told_ns, now_ns)
            seen.heard_ns = None if seen.heard_ns is None else min(seen.heard_ns, now_ns)
        self._furnaces = {
            name: seen
            for name, seen in self._furnaces.items()
            if name in self.registered or now_ns - seen.told_ns <= REMEMBERED_NS
        }
        return {name: each for name, each in self._furnaces.items() if not self.is_at_rest(name)}

    def summary(self, now_ns: int) -> WatchSummary | None:
        """Return how much is seen; None while the past is still being read."""
        if self.read_until_ns is None:
            return None
        furnaces = self.watched(now_ns)
        ages_s = {
            name: max(0, now_ns - (seen.verdict_ns or seen.since_ns)) / NS_PER_S
            for name, seen in furnaces.items()
        }
        return WatchSummary(ages_s, sum(is_blind(seen, now_ns) for seen in furnaces.values()))

    def silent_since(self, seen: LastSeen) -> int:
        """Return since when a furnace may be called silent."""
        return max(seen.heard_ns or 0, seen.since_ns, self.reading_since_ns)

    def dark_since(self, seen: LastSeen) -> int:
        """Return since when a furnace may be called blind."""
        return max(seen.verdict_ns or 0, seen.since_ns, self.reading_since_ns)


def is_silent(seen: LastSeen, at_ns: int) -> bool:
    """Tell whether no window has come lately."""
    return seen.heard_ns is None or at_ns - seen.heard_ns >= BLIND_AFTER_NS


def is_blind(seen: LastSeen, at_ns: int) -> bool:
    """Tell whether no verdict has come lately."""
    return seen.verdict_ns is None or at_ns - seen.verdict_ns >= BLIND_AFTER_NS


def blind_among(furnaces: Collection[LastSeen], at_ns: int) -> Iterator[LastSeen]:
    """Yield the furnaces without a verdict."""
    return (seen for seen in furnaces if is_blind(seen, at_ns))


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


def furnace_silent(watch: Watch, seen: LastSeen | None, at_ns: int) -> Level:
    """Return whether a furnace is silent; None stands for one that is not watched."""
    if seen is None:
        return Level(False, at_ns, "not watched any more", ends_at_once=True)
    if not is_silent(seen, at_ns):
        return Level(False, at_ns, "windows come again")
    return Level(True, watch.silent_since(seen), "no window comes")


def plant_blind(watch: Watch, furnaces: Collection[LastSeen], at_ns: int) -> Level:
    """Return whether half of the watched furnaces, and more than one, have no verdict."""
    blind = list(blind_among(furnaces, at_ns))
    since = sorted(watch.dark_since(seen) for seen in blind)
    text = f"{len(blind)} of {len(furnaces)} watched furnaces without a verdict"
    if blind:
        text += f" ({_why(blind, at_ns)})"
    return _level(since, max(2, _half(furnaces)), text, at_ns)


def triton_down(furnaces: Collection[LastSeen], at_ns: int) -> Level:
    """Return whether half of the watched furnaces lack verdicts because of Triton."""
    since = sorted(seen.unjudged_ns for seen in furnaces if seen.unjudged_ns is not None)
    words = Counter(word for seen in furnaces for word in seen.reasons if word in _SCORING)
    text = f"{len(since)} of {len(furnaces)} watched furnaces are not judged, or late"
    if words:
        text += f" ({_listed(words)})"
    return _level(since, max(1, _half(furnaces)), text, at_ns)


def _level(since: list[int], needed: int, text: str, at_ns: int) -> Level:
    if len(since) < needed:
        return Level(False, at_ns, text)
    return Level(True, since[needed - 1], text)


def _half(furnaces: Collection[LastSeen]) -> int:
    return -(-len(furnaces) // 2)


def _why(blind: list[LastSeen], at_ns: int) -> str:
    silent = [seen for seen in blind if is_silent(seen, at_ns)]
    words = Counter({"silent": len(silent)} if silent else {})
    for seen in blind:
        if not is_silent(seen, at_ns):
            words.update(seen.reasons)
    return _listed(words)


def _listed(words: Counter[str]) -> str:
    return ", ".join(f"{count} {word}" for word, count in words.most_common(3))
