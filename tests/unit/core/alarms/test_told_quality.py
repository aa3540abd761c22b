"""A change of quality is told once it has lasted, and a camera that flickers is told once."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_core.alarms.trust import TOLD_WINDOWS, QualityCount
from meltwatch_schemas.alarm import Quality
from meltwatch_schemas.score import Modality, WindowScore

from tests.support.examples import examples
from tests.unit.core.alarms.samples import BOTH, FURNACE, point, score, score_record, setpoint
from tests.unit.core.alarms.test_annunciation import Watchman
from tests.unit.core.alarms.test_takeover import judge_with_deaths
from tests.unit.core.alarms.topic_log import NOW_NS, SCORES, TopicLog, without_run

TEN_MINUTES = 417
"""Windows."""
QUALITIES = {
    Quality.GOOD: BOTH,
    Quality.UNCERTAIN: (Modality.CURRENT,),
    Quality.BAD: (),
}


def of(number: int, quality: Quality, logit: float = 3.0) -> WindowScore:
    """Return a window of a quality; without both modalities there is no logit."""
    modalities = QUALITIES[quality]
    return score(number, logit if modalities else None, modalities=modalities)


def told(qualities: list[Quality]) -> list[tuple[int, Quality]]:
    """Return which windows behind a raise were told of, and as what."""
    log = TopicLog()
    windows = [of(number, Quality.GOOD) for number in range(4)]
    log.judge([*windows, *(of(number, each) for number, each in enumerate(qualities, 4))])
    ends = {made.window_end_ns: number for number, made in enumerate(windows)}
    first = min(ends)
    hop = windows[1].window_end_ns - first
    return [
        (round((record.times.watermark.timestamp() * 1e9 - first) / hop) - 4, record.quality)
        for record in log.alarms()
        if record.transition.cause == "QUALITY"
    ]


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        # (quality, windows) …, and which window is told of as what
        ([(Quality.UNCERTAIN, 9), (Quality.GOOD, 30)], []),
        ([(Quality.UNCERTAIN, 10)], [(9, Quality.UNCERTAIN)]),
        ([(Quality.UNCERTAIN, 10), (Quality.GOOD, 9)], [(9, Quality.UNCERTAIN)]),
        (
            [(Quality.UNCERTAIN, 10), (Quality.GOOD, 10)],
            [(9, Quality.UNCERTAIN), (19, Quality.GOOD)],
        ),
        ([(Quality.BAD, 9), (Quality.UNCERTAIN, 1)], [(9, Quality.UNCERTAIN)]),
        ([(Quality.UNCERTAIN, 9), (Quality.BAD, 10)], [(18, Quality.BAD)]),
        ([(Quality.BAD, 10), (Quality.UNCERTAIN, 10)], [(9, Quality.BAD), (19, Quality.UNCERTAIN)]),
        ([(Quality.BAD, 1), (Quality.GOOD, 11)] * 5, []),
    ],
)
def test_what_is_told_and_when(
    runs: list[tuple[Quality, int]], expected: list[tuple[int, Quality]]
) -> None:
    assert told([quality for quality, count in runs for _ in range(count)]) == expected


@pytest.mark.parametrize("bad", [Quality.UNCERTAIN, Quality.BAD])
def test_a_camera_that_flickers_per_window_is_told_once_and_an_old_token_counts(
    bad: Quality,
) -> None:
    plant = Watchman()
    plant.windows(3.0, 4)
    flicker = itertools.cycle([bad, Quality.GOOD])
    for quality in itertools.islice(flicker, TEN_MINUTES):
        plant.hear(of(plant.number, quality))
    sixty_seconds_ago = plant.ids()[0]
    answer = plant.order("ack", sixty_seconds_ago)

    causes = [record.transition.cause for record in plant.log.alarms()]
    assert causes == ["RAISE", "QUALITY", "ACK"]
    assert plant.log.alarms()[1].quality is bad
    assert answer.code == "ok"


@examples(5)
@given(st.lists(st.sampled_from([*Quality]), min_size=TEN_MINUTES, max_size=TEN_MINUTES))
def test_however_it_flickers_few_records_are_written(qualities: list[Quality]) -> None:
    assert len(told(qualities)) <= TEN_MINUTES / TOLD_WINDOWS


@st.composite
def flickering(draw: st.DrawFn) -> list[WindowScore]:
    """One furnace whose alarm comes and goes while its quality changes in runs."""
    runs = draw(
        st.lists(
            st.tuples(
                st.sampled_from([*Quality]), st.sampled_from([3.0, 3.0, -3.0]), st.integers(1, 14)
            ),
            min_size=3,
            max_size=14,
        )
    )
    made = [(quality, logit) for quality, logit, count in runs for _ in range(count)]
    start = [(Quality.GOOD, 3.0)] * 4
    return [
        of(number, quality, logit)
        for number, (quality, logit) in enumerate([*start, *made])
        if number < 4 or draw(st.integers(0, 9))
    ]


@examples(40)
@given(flickering(), st.data())
def test_a_manager_that_dies_tells_no_more_and_no_less(
    stream: list[WindowScore], data: st.DataObject
) -> None:
    sizes = iter(lambda: data.draw(st.integers(1, 8)), None)
    deaths = iter(data.draw(st.lists(st.booleans(), max_size=12)) + [False] * 10_000)
    disturbed = judge_with_deaths(stream, sizes, deaths).alarms()
    calm = judge_with_deaths(stream, iter([len(stream)] * 2), iter([False] * 2)).alarms()
    assert [without_run(record) for record in disturbed] == [without_run(r) for r in calm]


def test_windows_long_ago_do_not_count() -> None:
    count = QualityCount()
    for position in range(9):
        count = count.after(position, Quality.BAD, Quality.GOOD)
    assert count.needed_from(9) == 0
    assert count.needed_from(20_000) is None
    assert not count.after(20_000, Quality.BAD, Quality.GOOD).tells(Quality.GOOD)


def test_an_alarm_that_is_over_counts_nothing() -> None:
    log = TopicLog(points={"a/b/F1": (point("a/b/F1", ack_required=False),)})
    lows = [score(n, -3.0, "a/b/F1", (Modality.CURRENT,)) for n in range(30)]
    log.judge(lows)
    assert log.alarms() == []


def test_windows_that_were_told_of_do_not_count_again_for_a_successor() -> None:
    slow = point(setpoint=setpoint(off_delay_s=120.0))
    log = TopicLog(points={FURNACE: (slow,)})
    runs = [*[Quality.UNCERTAIN] * 10, *[Quality.GOOD] * 10]
    raising = [of(number, Quality.GOOD) for number in range(4)]
    stream = [*raising, *(of(number, each, -3.0) for number, each in enumerate(runs, 4))]
    log.judge(stream)
    causes = [record.transition.cause for record in log.alarms()]
    assert (causes, log.commit(SCORES).offset) == (["RAISE", "QUALITY", "QUALITY"], 4)

    successor = log.take_over()
    for offset, made in enumerate(stream[4:], 4):
        successor.handle_record(score_record(made, offset), NOW_NS)
    after = of(24, Quality.UNCERTAIN, -3.0)
    assert successor.handle_record(score_record(after, 24), NOW_NS) == []
