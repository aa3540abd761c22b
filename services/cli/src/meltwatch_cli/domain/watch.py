"""Whether an empty list means a healthy plant: what the alarm manager's heartbeats say."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from meltwatch_schemas.alarm import Heartbeat
from meltwatch_schemas.alarm_board import STALE_AFTER_S
from meltwatch_schemas.wording import age_text

_EXPECTED: Final = "the alarm manager (expected every 5 s; is it there, is Kafka?)"


@dataclass(frozen=True, slots=True)
class Furnaces:
    """How many furnaces are judged, as a heartbeat says; None where it does not.

    Attributes
    ----------
    watched
        Those that should be judged.
    blind
        Of these, those without a verdict.
    oldest_verdict_age_s
        Largest age of a watched furnace's last verdict, s.
    """

    watched: int | None = None
    blind: int | None = None
    oldest_verdict_age_s: float | None = None

    @classmethod
    def of(cls, beat: Heartbeat) -> "Furnaces":
        """Return what a heartbeat says."""
        return cls(beat.watched, beat.blind, beat.oldest_verdict_age_s)

    @property
    def counts(self) -> tuple[int | None, int | None]:
        """Numbers of watched and blind furnaces: a change is shown to people."""
        return self.watched, self.blind

    def __str__(self) -> str:
        if self.watched is None:
            return "watched: unknown, the alarm manager does not say"
        noun = "furnace" if self.watched == 1 else "furnaces"
        if self.blind is None:
            return f"{self.watched} {noun} watched, blind: unknown"
        blind = f"{self.blind} BLIND" if self.blind else "0 blind"
        return f"{self.watched} {noun} watched, {blind}"


@dataclass(frozen=True, slots=True)
class WatchView:
    """What is known of the watch at the moment of one look.

    Attributes
    ----------
    furnaces
        What the newest heartbeat says.
    age_s
        Age of that heartbeat, s; None if there is none.
    problem
        Why it is not known whether the list is current; None if it is known.
    """

    furnaces: Furnaces = Furnaces()
    age_s: float | None = None
    problem: str | None = None

    @property
    def is_stale(self) -> bool:
        """Whether alarms may be missing from the list."""
        return self.problem is not None or self.age_s is None or self.age_s >= STALE_AFTER_S

    @property
    def is_blind(self) -> bool:
        """Whether furnaces are without a verdict, so that they could not alarm."""
        return bool(self.furnaces.blind)

    def sentence(self, alarms: int, unacknowledged: int) -> str:
        """Return the one line that stands beside a list of so many alarms."""
        if self.is_stale:
            return f"{self}; {alarms} listed, others may be missing"
        listed = "no alarms" if not alarms else "1 alarm" if alarms == 1 else f"{alarms} alarms"
        waiting = f" ({unacknowledged} not acknowledged)" if unacknowledged else ""
        return f"{listed}{waiting}; {self}"

    def __str__(self) -> str:
        if self.problem is not None:
            return f"cannot tell whether the list is current: {self.problem}"
        if self.age_s is None or self.age_s >= STALE_AFTER_S:
            silent = "within a day" if self.age_s is None else f"for {age_text(self.age_s)}"
            return f"STALE: no heartbeat {silent} of {_EXPECTED}"
        return f"{self.furnaces}; as of {age_text(self.age_s)} ago"

    def as_object(self) -> dict[str, Any]:
        """Return the same for programs."""
        return {
            "stale": self.is_stale,
            "heartbeat_age_s": None if self.age_s is None else round(self.age_s, 3),
            **asdict(self.furnaces),
            "problem": self.problem,
        }


class Vigil:
    """Reports, look by look, how many are watched, and when the alarm manager falls silent.

    Parameters
    ----------
    now_s
        Monotonic seconds: from here on it may be silent for ``STALE_AFTER_S``.
    first
        What was known before the first look.
    """

    def __init__(self, now_s: float, first: WatchView) -> None:
        self._heard_s = now_s - (first.age_s or 0.0)
        self._furnaces = first.furnaces
        self._is_stale = first.is_stale

    def turns(self, now_s: float, beats: Sequence[Heartbeat]) -> list[str]:
        """Return a line for whatever changed since the last look.

        Parameters
        ----------
        now_s
            Monotonic seconds.
        beats
            Heartbeats of the alarm manager that have come since.
        """
        silent_s = now_s - self._heard_s
        if not beats:
            if self._is_stale or silent_s < STALE_AFTER_S:
                return []
            self._is_stale = True
            return [
                f"STALE: no heartbeat for {silent_s:.0f} s of {_EXPECTED}; alarms may be missing"
            ]
        furnaces, before = Furnaces.of(beats[-1]), self._furnaces
        was_stale, self._is_stale = self._is_stale, False
        self._heard_s, self._furnaces = now_s, furnaces
        if was_stale:
            return [f"live again after {silent_s:.0f} s without a heartbeat; {furnaces}"]
        if furnaces.counts != before.counts:
            return [f"{furnaces} (before: {before})"]
        return []
