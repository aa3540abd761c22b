"""The published geometry: availability at its limits, and a plant's two minutes."""

import random
from dataclasses import replace

import pytest
from meltwatch_core.join.quality import LOST_PHASE
from meltwatch_core.join.window import (
    LOW_CURRENT_COVERAGE,
    LOW_VIDEO_COVERAGE,
    NO_CURRENT,
    NO_VIDEO,
    AlignedWindow,
)
from meltwatch_schemas.score import Modality, ScoreStatus

from tests.support.oracle import Oracle, Record
from tests.support.rule_numbers import CURRENT, VIDEO, Numbers
from tests.unit.core.join.sequences import (
    PUBLISHED,
    Arrival,
    as_it_came,
    at_once,
    join,
    numbered,
    plain,
    rules_of,
)

FURNACE = "site/area/FMF-01"
END = PUBLISHED.first_end_after(FURNACE, 1_700_000_000 * 10**9)
NAN = float("nan")


def frame(time_ns: int, value: float) -> Record:
    return Record(VIDEO, 0, FURNACE, "camera", (time_ns,), (value,), time_ns)


def sample(time_ns: int, *values_a: float) -> Record:
    return Record(CURRENT, 0, FURNACE, "meter", (time_ns,), (values_a,), time_ns)


def window_at_end(records: list[Record]) -> AlignedWindow:
    """The window that ends at ``END``, closed by both modalities."""
    closing = [frame(END + 10**9, 0.0), sample(END + 10**9, 0.0, 0.0, 0.0)]
    ordered = sorted(records, key=lambda record: record.times) + closing
    outcomes = join(at_once(numbered(ordered)), PUBLISHED)
    windows = [w for outcome in outcomes for w in outcome.windows]
    return next(window for window in windows if window.window_end_ns == END)


def frames_but(*missing_ages: int) -> list[Record]:
    """One frame a slot, valued by its age, but for some slots."""
    ages = [age for age in range(10) if age not in missing_ages]
    return [frame(END - age * PUBLISHED.stride, float(age)) for age in ages]


def samples_with(absent: int) -> list[Record]:
    """One sample a grid point; phase a of the newest ones cannot be read."""
    return [
        sample(
            END - age * PUBLISHED.period, NAN if age < absent else 1e3 + age, 2e3 + age, 3e3 + age
        )
        for age in range(240)
    ]


def test_the_defaults_are_the_published_rules():
    assert rules_of(PUBLISHED) == rules_of(Numbers())


def test_a_clip_runs_from_the_oldest_slot_to_the_newest():
    window = window_at_end(frames_but())
    assert window.clip is not None
    assert window.clip[:, 0, 0].tolist() == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]
    assert window.video_coverage == 1.0


@pytest.mark.parametrize(("missing", "expected"), [(3, 4), (9, 8)])
def test_a_missing_slot_repeats_the_older_one_or_else_the_newer_one(missing, expected):
    window = window_at_end(frames_but(missing))
    assert window.clip is not None
    assert window.clip[9 - missing, 0, 0] == expected
    assert window.video_coverage == 0.9


def test_eight_frames_are_too_few():
    window = window_at_end(frames_but(3, 4))
    assert window.clip is None
    assert window.encoder_id is None
    assert window.video_coverage == 0.8
    assert window.reasons == (LOW_VIDEO_COVERAGE, NO_CURRENT)


def test_a_slot_takes_the_latest_frame_of_its_stride_and_no_later_one():
    slot = END - 2 * PUBLISHED.stride
    others = frames_but(2)
    inside = [frame(slot - PUBLISHED.stride + 1, 70.0), frame(slot - 1, 71.0)]
    window = window_at_end(others + inside)
    assert window.clip is not None
    assert window.clip[7, 0, 0] == 71.0
    assert window.video_coverage == 1.0


def test_a_window_names_its_own_newest_two_frames_also_where_it_has_too_few():
    names = [(f.event_ns, f.offset) for f in window_at_end(frames_but()).frames]
    assert [time_ns for time_ns, _ in names] == [END - PUBLISHED.stride, END]
    assert len({offset for _, offset in names}) == 2
    lacking = window_at_end(frames_but(0, 3, 4))
    assert lacking.clip is None
    assert [frame.event_ns for frame in lacking.frames] == [END - PUBLISHED.stride]
    assert window_at_end(frames_but(0, 1)).frames == ()


def test_current_is_available_from_684_of_720_values():
    window = window_at_end(samples_with(absent=37))
    # One of the 37 points is held over by the sample before it, 500 ms older.
    assert window.current_coverage == 684 / 720
    assert window.currents_a is not None
    assert window.currents_a[-1].tolist() == [1037.0, 2e3, 3e3]
    assert window.attainable_status is ScoreStatus.DEGRADED
    assert window.modalities == (Modality.CURRENT,)
    assert window.reasons == (NO_VIDEO, LOST_PHASE)


def test_683_values_are_too_few():
    window = window_at_end(samples_with(absent=38))
    assert window.current_coverage == 683 / 720
    assert window.currents_a is None
    assert window.reasons == (NO_VIDEO, LOW_CURRENT_COVERAGE, LOST_PHASE)


def test_a_sample_is_held_for_750_ms_and_not_longer():
    held = window_at_end([sample(END - 750_000_000 + 1, 5.0, 5.0, 5.0)])
    gone = window_at_end([sample(END - 750_000_000, 5.0, 5.0, 5.0)])
    assert held.current_coverage == 6 / 720
    assert gone.current_coverage == 3 / 720


def test_a_minute_of_a_troubled_plant_gives_what_the_oracle_says():
    """Real periods with jitter, an outage, NaN, repeats and disorder; the look-back fills up."""
    chance = random.Random(20_240_229)
    arrivals: list[tuple[float, Record]] = []
    start = 1_700_000_000 * 10**9
    for tick in range(270):
        time_ns = start + tick * 500_000_000
        values = tuple(NAN if chance.random() < 0.01 else chance.randrange(1000) for _ in range(3))
        delay = chance.choice((0, 0, 0, 4 * 10**8, 3 * 10**9))
        arrivals.append((time_ns + delay, sample(time_ns + chance.randrange(10**7), *values)))
    for tick in range(110):
        time_ns = start + 90 * 10**9 + tick * 480_000_000
        if not 60 < tick < 75:
            arrivals.append((time_ns + chance.randrange(4 * 10**8), frame(time_ns, tick)))
    arrivals += [(time + 10**9, replace(record, ingest=0)) for time, record in arrivals[::17]]
    arrivals.sort(key=lambda a: a[0])
    records = numbered(record for _, record in arrivals)
    came = [Arrival(int(at), r) for (at, _), r in zip(arrivals, records, strict=True)]
    steps, oracle, statuses = as_it_came(came, PUBLISHED), Oracle(PUBLISHED), set()
    for step, outcome in zip(steps, join(steps, PUBLISHED), strict=True):
        expected = oracle.take(step)
        assert [plain(window) for window in outcome.windows] == expected.windows
        assert (outcome.late, outcome.duplicates) == (expected.late, expected.duplicates)
        statuses |= {window.attainable_status for window in outcome.windows}
    assert statuses == set(ScoreStatus)
