"""What is wrong with a camera's stream and its clock, seen from the frames of some seconds."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

import numpy as np
from meltwatch_schemas.window import NS_PER_S

from meltwatch_sources.domain.event_clock import (
    SENDER_BEHIND_NS,
    SENDER_WINDOW_NS,
    SYNCHRONISED_NS,
    ClockFinding,
    Rung,
)
from meltwatch_sources.domain.finding import SourceFinding, unchecked

LEAST_HZ: Final = 2.8
"""Fewer frames a second leave places of the clip empty."""
KEY_EVERY_S: Final = 2.0
KEY_ALONE_S: Final = 0.72
"""Where key frames alone are decoded: one for each place of the clip."""
MOST_JITTER_S: Final = 0.25
_FEW: Final = 8
_LEAST_S: Final = 3.0
_HALF_HOUR_S: Final = 1800
_ZONE_S: Final = 60


@dataclass(frozen=True, slots=True)
class StreamFrame:
    """What a check keeps of a frame.

    Attributes
    ----------
    media_ns, arrival_ns
        Within the stream, and by this host's clock.
    is_key, is_damaged
        As its adapter says.
    """

    media_ns: int
    arrival_ns: int
    is_key: bool
    is_damaged: bool


@dataclass(frozen=True, slots=True)
class StreamFigures:
    """A stream in numbers.

    Attributes
    ----------
    frames, damaged
        How many came, and how many of them were not whole.
    seconds
        Over which time.
    rate_hz
        Frames a second.
    key_every_s
        Longest time without a key frame; None if too little was seen.
    jitter_s
        Between the 5th and 95th percentile of delays; None if too little was seen.
    """

    frames: int
    damaged: int
    seconds: float
    rate_hz: float
    key_every_s: float | None
    jitter_s: float | None

    @classmethod
    def of(cls, frames: Sequence[StreamFrame]) -> "StreamFigures":
        """Return the figures of frames in their order."""
        damaged = sum(frame.is_damaged for frame in frames)
        whole = [frame for frame in frames if not frame.is_damaged]
        if len(whole) < _FEW:
            return cls(len(frames), damaged, 0.0, 0.0, None, None)
        seconds = (whole[-1].arrival_ns - whole[0].arrival_ns) / NS_PER_S
        keys_ns = [frame.media_ns for frame in whole if frame.is_key]
        gaps_ns = [after - before for before, after in pairwise([*keys_ns, whole[-1].media_ns])]
        arrivals = np.array([frame.arrival_ns - whole[0].arrival_ns for frame in whole], float)
        media = np.array([frame.media_ns - whole[0].media_ns for frame in whole], float)
        # A slow media clock is another finding: what is left is how unevenly frames come.
        slope, start = np.polyfit(media, arrivals, 1) if media.any() else (0.0, 0.0)
        low, high = np.percentile(arrivals - slope * media - start, [5, 95])
        return cls(
            len(frames),
            damaged,
            seconds,
            (len(whole) - 1) / seconds if seconds > 0 else 0.0,
            max(gaps_ns, default=0) / NS_PER_S if seconds >= _LEAST_S else None,
            float(high - low) / NS_PER_S,
        )


def judged_stream(figures: StreamFigures, decode: Literal["all", "key"]) -> list[SourceFinding]:
    """Return what is wrong with a stream, and what could not be checked.

    Parameters
    ----------
    figures
        Of some seconds.
    decode
        Which of its frames are asked for.
    """
    found: list[SourceFinding] = []
    if figures.damaged:
        found.append(
            SourceFinding(
                "decoder_errors",
                f"{figures.damaged} of {figures.frames} frames are damaged",
                "look at the network, or set transport: tcp",
            )
        )
    if figures.key_every_s is None or figures.jitter_s is None:
        said = f"{figures.frames} frames in {figures.seconds:.1f} s are too few"
        names = ("key_frames_too_far", "rate_too_low", "jitter")
        return [*found, *(unchecked(name, said) for name in names)]
    most_s = KEY_ALONE_S if decode == "key" else KEY_EVERY_S
    # Media time is written in steps.
    if figures.key_every_s > most_s * 1.05:
        found.append(
            SourceFinding(
                "key_frames_too_far",
                f"{figures.key_every_s:.1f} s without a key frame, at most {most_s:g} s are good",
                "set the camera's GOP or I-frame interval to 0.5 to 0.7 s",
            )
        )
    if decode == "all" and figures.rate_hz < LEAST_HZ:
        found.append(
            SourceFinding(
                "rate_too_low",
                f"{figures.rate_hz:.1f} frames a second, at least {LEAST_HZ:g} are needed",
                "set the camera's frame rate to 5 to 10",
            )
        )
    if figures.jitter_s > MOST_JITTER_S:
        found.append(
            SourceFinding(
                "jitter",
                f"frames come up to {figures.jitter_s:.2f} s unevenly",
                "look at the network and the load of this host; a wired net, a constant bit rate",
            )
        )
    return found


@dataclass(frozen=True, slots=True)
class CameraClock:
    """What a camera's clock looked like at the end of a check.

    Attributes
    ----------
    rung
        Whose clock event times follow; None if no frame could be stamped.
    offset_ns
        The sender's clock minus the time by arrival; None without reports.
    findings
        Of the event clock.
    host_error_ns
        Bound of the error of this host's clock.
    """

    rung: Rung | None
    offset_ns: int | None
    findings: frozenset[ClockFinding]
    host_error_ns: int


def judged_clock(clock: CameraClock, follow: str) -> list[SourceFinding]:
    """Return what is wrong with a camera's clock and ours, and what could not be checked.

    Parameters
    ----------
    clock
        As it was at the end.
    follow
        What the plant file wants.
    """
    found = [*_judged_sender(clock, follow)]
    if ClockFinding.MEDIA_CLOCK_DRIFTS in clock.findings:
        found.append(
            SourceFinding(
                "media_clock_drifts",
                "media time does not run at real time: fewer frames come than are stamped",
                "set a frame rate that the camera can keep",
            )
        )
    if clock.host_error_ns >= SYNCHRONISED_NS:
        found.append(
            SourceFinding(
                "host_clock_unsynchronised",
                "nobody keeps this host's clock right, as the kernel says",
                "run chrony or another NTP client on the host",
            )
        )
    return found


def _judged_sender(clock: CameraClock, follow: str) -> list[SourceFinding]:
    offset_ns = clock.offset_ns
    if offset_ns is None:
        said = "the camera told no time of its own"
        return [unchecked(name, said) for name in ("sender_clock_disagrees", "clock_offset")]
    found = []
    offset_s = offset_ns / NS_PER_S
    if abs(offset_ns) > SENDER_BEHIND_NS:
        halves = round(offset_s / _HALF_HOUR_S)
        is_zone = halves and abs(offset_s - halves * _HALF_HOUR_S) < _ZONE_S
        found.append(
            SourceFinding(
                "clock_offset",
                f"the camera's clock is {offset_s:+.1f} s off"
                + (", as of a time zone or summer time" if is_zone else ""),
                "set its NTP server, and UTC",
            )
        )
    if ClockFinding.SENDER_CLOCK_DISAGREES in clock.findings:
        found.append(
            SourceFinding(
                "sender_clock_disagrees",
                f"its reports are {offset_s:+.3f} s off or unsteady, so arrival is followed",
                "set its NTP server, and UTC; behind a restreamer set 'clock: arrival'",
            )
        )
    elif clock.rung is not Rung.SENDER and follow != "arrival":
        needed_s = SENDER_WINDOW_NS // NS_PER_S
        said = f"its clock is {offset_s:+.3f} s off so far; {needed_s} s of reports prove it"
        found.append(unchecked("sender_clock_disagrees", said))
    return found
