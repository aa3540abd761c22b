"""Replay at recorded cuts gives the live windows, whatever the order of arrival and the crashes."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from meltwatch_backtester.domain.recorded import RecordedJoiner
from meltwatch_core.join.restore import resume
from meltwatch_core.join.window import AlignedWindow
from meltwatch_schemas.reasons import BEHIND
from meltwatch_schemas.score import Modality, WindowScore

from tests.support.examples import examples
from tests.support.oracle import Step
from tests.unit.core.join.lives import (
    HABITS,
    TOPICS,
    Broker,
    Habits,
    described,
    finish,
    live,
    score_of,
)
from tests.unit.core.join.sequences import (
    ENCODER,
    SMALL,
    at_once,
    chunk_of,
    plain,
    plant_steps,
    rules_of,
    small_steps,
    without_successors,
)


def lived(steps: list[Step], lives: list[Habits]) -> list[AlignedWindow]:
    """What a live system published that crashed now and then."""
    broker, reached = Broker(), 0
    for habits in lives:
        reached = live(broker, steps, reached, habits)
    finish(broker, steps)
    return broker.published


def start_of(topic: str, before: list[WindowScore], span: list[WindowScore]) -> int:
    """Where reading must begin: at what windows need, and behind the cut of those before."""
    newest = {score.furnace_id: score for score in before}
    if any(score.furnace_id not in newest for score in span):
        return 0
    needed = [score.inputs[topic].first_needed for score in span]
    handed_on = [score.inputs[topic].last_handed_on for score in newest.values()]
    known = [-1 if last is None else last for last in handed_on]
    return min([*(n for n in needed if n is not None), *(last + 1 for last in known)], default=0)


def replayed(steps: list[Step], scores: list[WindowScore], from_ns: int):
    """Replay the windows from an instant on, with nothing before it but scores."""
    before = [score for score in scores if score.window_end_ns < from_ns]
    span = [score for score in scores if score.window_end_ns >= from_ns]
    starts = {m: start_of(topic, before, span) for m, topic in TOPICS.items()}
    pasts = resume({}, before, TOPICS).furnaces
    joiner = RecordedJoiner(7, ENCODER, pasts, TOPICS, rules_of(SMALL))
    for record in (step.record for step in steps if step.record):
        if record.offset >= starts[Modality(record.modality)]:
            joiner.push(chunk_of(record), record.offset)
    return [joiner.close(score) for score in span]


def told(window: AlignedWindow):
    """What a window says, but for whom live did not wait for: no cut tells."""
    said = plain(window)
    said = replace(said, reasons=said.reasons - set(BEHIND.values()))
    return said, window.source_states, window.irregularities, window.features


@examples(8)
@given(
    small_steps() | plant_steps(),
    st.lists(HABITS, max_size=3),
    st.just(0.0) | st.floats(0, 0.99),
)
def test_windows_closed_at_their_recorded_cuts_are_the_live_ones(
    steps: list[Step], lives: list[Habits], share: float
) -> None:
    steps = without_successors(steps)
    published = lived(steps, lives)
    ends = sorted(window.window_end_ns for window in published)
    from_ns = ends[int(share * len(ends))] if ends else 0
    closed = replayed(steps, [score_of(window) for window in published], from_ns)
    expected = [window for window in published if window.window_end_ns >= from_ns]
    assert [told(one.window) for one in closed] == [told(window) for window in expected]
    assert not any(one.is_preceded for one in closed)


def steady(ends: int) -> tuple[list[Step], list[WindowScore]]:
    """A furnace that sends both modalities all the time, and its scores."""
    lines = [
        f"{topic} {number} a one {200 + 3 * number}"
        for number in range(ends)
        for topic in ("video", "current")
    ]
    steps = at_once(described("\n".join(lines)))
    return steps, [score_of(window) for window in lived(steps, [])]


def test_a_window_that_live_never_published_is_told():
    steps, scores = steady(60)
    del scores[5]
    closed = replayed(steps, scores, 0)
    assert [one.is_preceded for one in closed].index(True) == 5
    assert sum(one.is_preceded for one in closed) == 1


def test_the_second_publication_of_a_window_is_passed_over():
    steps, scores = steady(40)
    assert replayed(steps, [*scores, scores[-1]], 0)[-1] is None


def test_a_window_that_the_records_do_not_give_is_told():
    steps, scores = steady(40)
    far = replace(scores[-1], window_end_ns=scores[-1].window_end_ns + 1000 * SMALL.hop)
    assert replayed(steps, [*scores, far], 0)[-1].window is None
