"""Each finding about a stream and its clock comes true here, and none on a good camera."""

from dataclasses import replace

import pytest
from meltwatch_schemas.window import NS_PER_MS, NS_PER_S
from meltwatch_sources.domain.event_clock import ClockFinding, Rung
from meltwatch_sources.domain.finding import SourceFinding
from meltwatch_sources.domain.stream_check import (
    CameraClock,
    StreamFigures,
    StreamFrame,
    judged_clock,
    judged_stream,
)

START = 1_800_000_000 * NS_PER_S
GOOD_CLOCK = CameraClock(Rung.SENDER, 3 * NS_PER_MS, frozenset(), NS_PER_MS)


def frames(
    rate: float = 10, seconds: float = 20, key_every: int = 6, late_ms: int = 0, damaged: int = 0
) -> list[StreamFrame]:
    """Give the frames of a camera; every third one is late."""
    step_ns = int(NS_PER_S / rate)
    return [
        StreamFrame(
            number * step_ns,
            START + number * step_ns + (late_ms * NS_PER_MS if number % 3 == 0 else 0),
            is_key=number % key_every == 0,
            is_damaged=number % 7 == 1 and number < damaged * 7,
        )
        for number in range(int(seconds * rate))
    ]


def red(findings: list[SourceFinding]) -> set[str]:
    return {finding.code for finding in findings if finding.is_checked}


def unknown(findings: list[SourceFinding]) -> set[str]:
    return {finding.code for finding in findings if not finding.is_checked}


def test_a_good_stream_has_no_findings_and_right_figures() -> None:
    figures = StreamFigures.of(frames())

    assert judged_stream(figures, "all") == []
    assert figures.rate_hz == pytest.approx(10)
    assert figures.key_every_s == pytest.approx(0.6)
    assert figures.jitter_s == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("stream", "code"),
    [
        (frames(key_every=40), "key_frames_too_far"),
        (frames(key_every=10_000), "key_frames_too_far"),
        (frames(rate=2, key_every=1), "rate_too_low"),
        (frames(late_ms=400), "jitter"),
        (frames(damaged=3), "decoder_errors"),
    ],
)
def test_each_finding_of_a_stream_says_what_to_do(stream: list[StreamFrame], code: str) -> None:
    found = judged_stream(StreamFigures.of(stream), "all")

    assert red(found) == {code}
    assert all(each.advice and each.said.isprintable() for each in found)


def test_key_frames_alone_must_come_for_each_place_of_the_clip() -> None:
    far = [frame for frame in frames(key_every=10) if frame.is_key]
    near = [frame for frame in frames(key_every=7) if frame.is_key]

    assert red(judged_stream(StreamFigures.of(far), "key")) == {"key_frames_too_far"}
    assert judged_stream(StreamFigures.of(near), "key") == []


def test_of_a_few_frames_nothing_is_called_good() -> None:
    found = judged_stream(StreamFigures.of(frames()[:4]), "all")

    assert red(found) == set()
    assert unknown(found) == {"key_frames_too_far", "rate_too_low", "jitter"}


def test_a_slow_media_clock_is_no_jitter() -> None:
    stretched = [replace(frame, arrival_ns=START + frame.media_ns * 25 // 21) for frame in frames()]

    assert judged_stream(StreamFigures.of(stretched), "all") == []


def test_a_good_clock_has_no_findings() -> None:
    assert judged_clock(GOOD_CLOCK, "auto") == []


@pytest.mark.parametrize(
    ("clock", "codes"),
    [
        (
            replace(
                GOOD_CLOCK,
                rung=Rung.ARRIVAL,
                offset_ns=3600 * NS_PER_S,
                findings=frozenset({ClockFinding.SENDER_CLOCK_DISAGREES}),
            ),
            {"clock_offset", "sender_clock_disagrees"},
        ),
        (
            replace(
                GOOD_CLOCK,
                rung=Rung.ARRIVAL,
                offset_ns=-NS_PER_S // 2,
                findings=frozenset({ClockFinding.SENDER_CLOCK_DISAGREES}),
            ),
            {"sender_clock_disagrees"},
        ),
        (
            replace(GOOD_CLOCK, findings=frozenset({ClockFinding.MEDIA_CLOCK_DRIFTS})),
            {"media_clock_drifts"},
        ),
        (replace(GOOD_CLOCK, host_error_ns=16 * NS_PER_S), {"host_clock_unsynchronised"}),
    ],
)
def test_each_finding_of_a_clock(clock: CameraClock, codes: set[str]) -> None:
    found = judged_clock(clock, "auto")

    assert red(found) == codes
    assert all(each.advice for each in found)


def test_an_hour_is_said_to_look_like_a_time_zone() -> None:
    (offset,) = judged_clock(replace(GOOD_CLOCK, offset_ns=-7200 * NS_PER_S), "auto")

    assert offset.code == "clock_offset"
    assert "-7200.0 s off, as of a time zone" in offset.said


def test_what_a_camera_does_not_tell_or_did_not_prove_is_not_checked() -> None:
    silent = judged_clock(replace(GOOD_CLOCK, rung=Rung.ARRIVAL, offset_ns=None), "auto")
    young = judged_clock(replace(GOOD_CLOCK, rung=Rung.ARRIVAL), "auto")

    assert (red(silent), unknown(silent)) == (set(), {"sender_clock_disagrees", "clock_offset"})
    assert (red(young), unknown(young)) == (set(), {"sender_clock_disagrees"})
