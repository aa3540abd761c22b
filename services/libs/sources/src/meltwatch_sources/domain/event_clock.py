"""Event time of a camera's frames, by a ladder of clocks; each time says how good it is.

No common camera tells when a frame was exposed. The lower rung estimates it from arrivals: the
frames that came fastest show how media time lies on this host's clock. The upper rung is the
sender's own clock, which is checked against the lower one and never trusted.
"""

from collections import deque
from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum
from itertools import pairwise
from typing import Final, Literal

from meltwatch_schemas.chunk import Sync, SyncSource
from meltwatch_schemas.window import NS_PER_MS, NS_PER_S

ENVELOPE_NS: Final = 10 * NS_PER_S
NARROW_NS: Final = 1 * NS_PER_S
"""Width of the envelope while media time does not run at real time."""
SETTLING_NS: Final = 600 * NS_PER_MS
"""Probing queues frames: their arrivals say nothing until the queue is empty."""
GAP_NS: Final = 2 * NS_PER_S
DRIFT_PPM: Final = 500
DRIFT_NS: Final = 60 * NS_PER_S
_BUCKET_NS: Final = 1 * NS_PER_S
_FAST_BUCKETS: Final = 8
_FAST_DRIFT_NS: Final = 200 * NS_PER_MS
SENDER_WINDOW_NS: Final = 20 * NS_PER_S
SENDER_QUICK_NS: Final = 2 * NS_PER_S
SENDER_BEHIND_NS: Final = 2 * NS_PER_S
SENDER_AGREES_NS: Final = 250 * NS_PER_MS
_LOOK_NS: Final = 1 * NS_PER_S
SLEW_PPM: Final = 5_000
SYNCHRONISED_NS: Final = 1 * NS_PER_S
"""A host whose clock may err by more claims nothing."""
_LEAST_STEP_NS: Final = 1_000


class Rung(IntEnum):
    """Whose clock event times follow; the number is ``meltwatch_source_clock_rung``."""

    HARDWARE = 1
    SENDER = 2
    ARRIVAL = 3


class ClockFinding(StrEnum):
    """What is wrong with a camera's clock."""

    SENDER_CLOCK_DISAGREES = "sender_clock_disagrees"
    MEDIA_CLOCK_DRIFTS = "media_clock_drifts"
    HOST_CLOCK_STEPPED = "host_clock_stepped"


@dataclass(frozen=True, slots=True)
class ClockRule:
    """What the plant file says of a camera's clock.

    Attributes
    ----------
    follow
        ``auto``: the sender's if it proves right; ``sender`` or ``arrival``: that one.
    camera_delay_ns
        From light to arrival.
    delay_error_ns
        How far that may be off.
    is_delay_measured
        It was measured at this camera, so that arrivals are as good as the host's clock.
    """

    follow: Literal["auto", "sender", "arrival"] = "auto"
    camera_delay_ns: int = 150 * NS_PER_MS
    delay_error_ns: int = 150 * NS_PER_MS
    is_delay_measured: bool = False


@dataclass(frozen=True, slots=True)
class FrameTimes:
    """The times of a frame as its adapter knows them.

    Attributes
    ----------
    media_ns
        Within the stream.
    sender_ns
        By the sender's clock, or None.
    arrival_ns
        By this host's clock.
    host_error_ns
        Bound of the error of this host's clock.
    """

    media_ns: int
    sender_ns: int | None
    arrival_ns: int
    host_error_ns: int


@dataclass(frozen=True, slots=True)
class EventTime:
    """When a frame was exposed, as far as it can be known.

    Attributes
    ----------
    event_ns
        ns UTC.
    rung
        Whose clock it follows.
    sync
        How good it is, as records say it.
    """

    event_ns: int
    rung: Rung
    sync: Sync


class _Envelope:
    """The least of arrival minus media time within a sliding window, and whether it drifts."""

    def __init__(self) -> None:
        self.drifts = False
        self._least: deque[tuple[int, int]] = deque()
        self._buckets: deque[list[int]] = deque(maxlen=DRIFT_NS // _BUCKET_NS)

    def take(self, arrival_ns: int, delay_ns: int) -> None:
        """Take the next frame's arrival and its arrival minus media time."""
        while self._least and self._least[-1][1] >= delay_ns:
            self._least.pop()
        self._least.append((arrival_ns, delay_ns))
        width_ns = NARROW_NS if self.drifts else ENVELOPE_NS
        while self._least[0][0] <= arrival_ns - width_ns:
            self._least.popleft()
        if self._buckets and arrival_ns - self._buckets[-1][0] < _BUCKET_NS:
            self._buckets[-1][1] = min(self._buckets[-1][1], delay_ns)
            return
        self.drifts = self.drifts or self._is_drifting()
        self._buckets.append([arrival_ns, delay_ns])

    @property
    def least_ns(self) -> int:
        """The envelope's present value."""
        return self._least[0][1]

    @property
    def spread_ns(self) -> int:
        """How far apart the minima of the window's seconds are."""
        seconds = 2 if self.drifts else ENVELOPE_NS // _BUCKET_NS
        minima = [bucket[1] for bucket in self._buckets][-seconds:]
        return max(minima) - min(minima)

    def _is_drifting(self) -> bool:
        """Look at whole seconds: a slope over the minute, or one that no network makes."""
        minima = [bucket[1] for bucket in self._buckets]
        steps = [after - before for before, after in pairwise(minima)]
        steps = steps[-_FAST_BUCKETS:]
        one_way = len(steps) == _FAST_BUCKETS and (min(steps) > 0 or max(steps) < 0)
        if one_way and abs(sum(steps)) > _FAST_DRIFT_NS:
            return True
        if len(minima) < DRIFT_NS // _BUCKET_NS:
            return False
        tenth = len(minima) // 6
        rise_ns = min(minima[-tenth:]) - min(minima[:tenth])
        # The minima stand for the middles of both ends.
        return abs(rise_ns) * 1_000_000 > DRIFT_PPM * (DRIFT_NS - tenth * _BUCKET_NS)


@dataclass(frozen=True, slots=True)
class _Limits:
    """How a sender's clock may lie to the arrivals, ns."""

    ahead_ns: int
    behind_ns: int
    spread_ns: int
    agrees_ns: int


_TO_BE_PROVEN: Final = _Limits(20 * NS_PER_MS, SENDER_BEHIND_NS, 50 * NS_PER_MS, SENDER_AGREES_NS)
_ONCE_PROVEN: Final = _Limits(
    40 * NS_PER_MS, SENDER_BEHIND_NS * 11 // 10, 100 * NS_PER_MS, 300 * NS_PER_MS
)
"""Wider, so that a clock at an edge does not go to and fro."""


@dataclass(slots=True)
class _Sender:
    """The sender's clock beside arrivals, within a sliding window.

    It proves right over a whole window within narrow limits, and stays so within wider ones. What
    it has lost it proves again over a whole window. So it changes at most once in that time.

    Attributes
    ----------
    follow
        As in ``ClockRule``.
    offset_ns
        Median of the sender's time minus the time by arrival.
    disagrees
        It was not right, and has not proved right since.
    """

    follow: str
    offset_ns: int | None = None
    disagrees: bool = False
    _is_proven: bool = False
    _was_proven: bool = False
    _seen: deque[tuple[int, int, int]] = field(default_factory=deque)
    _looked_ns: int = 0

    @property
    def is_right(self) -> bool:
        """Whether event times may follow it."""
        return self._is_proven and self.follow != "arrival"

    def take(self, frame: FrameTimes, by_arrival_ns: int) -> None:
        """Take the next frame; one without the sender's time lets the older ones age."""
        if frame.sender_ns is not None:
            lag_ns, offset_ns = frame.arrival_ns - frame.sender_ns, frame.sender_ns - by_arrival_ns
            if self._is_proven and abs(offset_ns) > self._limits.agrees_ns + SENDER_AGREES_NS:
                # It stepped: no other frame is stamped by it until it has proved right again.
                self._distrust()
            self._seen.append((frame.arrival_ns, lag_ns, offset_ns))
        while self._seen and self._seen[0][0] <= frame.arrival_ns - SENDER_WINDOW_NS:
            self._seen.popleft()
        if frame.arrival_ns - self._looked_ns >= _LOOK_NS:
            self._looked_ns = frame.arrival_ns
            self._look()

    @property
    def _limits(self) -> _Limits:
        limits = _ONCE_PROVEN if self._is_proven else _TO_BE_PROVEN
        if self.follow != "sender":
            return limits
        # Whoever wants the sender's clock wants it however unsteady it is.
        return replace(limits, spread_ns=2 * SENDER_BEHIND_NS, agrees_ns=limits.behind_ns)

    def _distrust(self) -> None:
        self._is_proven = False
        self._seen.clear()

    def _look(self) -> None:
        if not self._seen:
            self._is_proven, self.disagrees, self.offset_ns = False, False, None
            return
        limits = self._limits
        lags = sorted(lag_ns for _, lag_ns, _ in self._seen)
        offsets = sorted(offset_ns for _, _, offset_ns in self._seen)
        self.offset_ns = offsets[len(offsets) // 2]
        low_ns, high_ns = lags[len(lags) // 20], lags[-1 - len(lags) // 20]
        is_near = low_ns >= -limits.ahead_ns and high_ns <= limits.behind_ns
        is_near &= abs(self.offset_ns) <= limits.agrees_ns
        is_steady = high_ns - low_ns < limits.spread_ns
        is_quick = self.follow == "sender" and not self._was_proven
        needed_ns = SENDER_QUICK_NS if is_quick else SENDER_WINDOW_NS
        is_whole = self._seen[-1][0] - self._seen[0][0] >= needed_ns - _LOOK_NS
        if is_near and is_steady:
            self._is_proven |= is_whole
            self._was_proven |= self._is_proven
            self.disagrees &= not self._is_proven
        elif not is_near or is_whole:
            # An hour off is told at once, a wide spread only of a whole window.
            if self._is_proven:
                self._distrust()
            self.disagrees = True


class EventClock:
    """Gives the frames of one camera their event times.

    Times are strictly increasing and never later than the host's clock. A change of rung slews; it
    steps where frames are missing anyway.

    Parameters
    ----------
    rule
        What the plant file says.
    """

    def __init__(self, rule: ClockRule) -> None:
        self._rule = rule
        self._newest_ns: int | None = None
        self._stepped = False
        self.reopened()

    def reopened(self) -> None:
        """Begin anew with a stream whose media time begins anew."""
        self._envelope = _Envelope()
        self._sender = _Sender(self._rule.follow)
        self._rung = Rung.ARRIVAL
        self._slew_ns = 0
        self._opened_ns: int | None = None
        self._before: FrameTimes | None = None
        self._sender_minus_media_ns = 0

    @property
    def findings(self) -> frozenset[ClockFinding]:
        """What is wrong at present."""
        found = {
            ClockFinding.SENDER_CLOCK_DISAGREES: self._sender.disagrees,
            ClockFinding.MEDIA_CLOCK_DRIFTS: self._envelope.drifts,
            ClockFinding.HOST_CLOCK_STEPPED: self._stepped,
        }
        return frozenset(finding for finding, is_so in found.items() if is_so)

    @property
    def sender_offset_ns(self) -> int | None:
        """The sender's clock minus the time by arrival; None without such a clock."""
        return self._sender.offset_ns

    def stamp(self, frame: FrameTimes) -> EventTime | None:
        """Return the event time of the next frame, None if it must not be used.

        Those of the first 0.6 s must not: probing has queued them. Nor those that would stand
        before their predecessor or after the present.
        """
        self._begin_if_torn(frame)
        before, self._before = self._before, frame
        self._envelope.take(frame.arrival_ns, frame.arrival_ns - frame.media_ns)
        by_arrival_ns = frame.media_ns + self._envelope.least_ns - self._rule.camera_delay_ns
        if self._opened_ns is None:
            self._opened_ns = frame.arrival_ns
        if before is None or frame.arrival_ns - self._opened_ns < SETTLING_NS:
            return None
        self._sender.take(frame, by_arrival_ns)
        if frame.sender_ns is not None:
            self._sender_minus_media_ns = frame.sender_ns - frame.media_ns
        by_sender_ns = frame.media_ns + self._sender_minus_media_ns
        value_ns = self._on_rung(by_arrival_ns, by_sender_ns, frame.arrival_ns - before.arrival_ns)
        event_ns = min(max(value_ns, (self._newest_ns or 0) + _LEAST_STEP_NS), frame.arrival_ns)
        if self._newest_ns is not None and event_ns <= self._newest_ns:
            return None
        self._newest_ns = event_ns
        return EventTime(event_ns, self._rung, self._sync(frame.host_error_ns))

    def _begin_if_torn(self, frame: FrameTimes) -> None:
        before = self._before
        if before is None:
            return
        passed_ns = frame.arrival_ns - before.arrival_ns
        played_ns = frame.media_ns - before.media_ns
        if passed_ns < -GAP_NS:
            # Until the host's clock has caught up nothing could be told: events begin anew.
            self._newest_ns, self._stepped = None, True
        if abs(passed_ns) > GAP_NS or played_ns <= 0 or played_ns > passed_ns + GAP_NS:
            self.reopened()

    def _on_rung(self, by_arrival_ns: int, by_sender_ns: int, passed_ns: int) -> int:
        """Return the time on the present rung, moved there slowly from the one before."""
        rung = Rung.SENDER if self._sender.is_right else Rung.ARRIVAL
        values = {Rung.SENDER: by_sender_ns, Rung.ARRIVAL: by_arrival_ns}
        if rung is not self._rung:
            self._slew_ns += values[self._rung] - values[rung] if self._was_near(values) else 0
            self._rung = rung
        most_ns = max(0, passed_ns) * SLEW_PPM // 1_000_000
        self._slew_ns -= max(-most_ns, min(most_ns, self._slew_ns))
        return values[rung] + self._slew_ns

    @staticmethod
    def _was_near(values: dict[Rung, int]) -> bool:
        """A sender's clock that has just stepped by an hour is no place to come from."""
        apart_ns = values[Rung.SENDER] - values[Rung.ARRIVAL]
        return abs(apart_ns) <= SENDER_BEHIND_NS

    def _sync(self, host_error_ns: int) -> Sync:
        rule = self._rule
        error_ns = host_error_ns + self._envelope.spread_ns + rule.delay_error_ns
        error_ns += abs(self._slew_ns)
        if self._rung is Rung.SENDER:
            error_ns += abs(self._sender.offset_ns or 0)
        claims = self._rung is Rung.SENDER or rule.is_delay_measured
        is_host_right = host_error_ns < SYNCHRONISED_NS
        return Sync(SyncSource.NTP if claims and is_host_right else SyncSource.FREE, error_ns)
