from meltwatch_schemas.window import PUBLISHED_SPEC
from meltwatch_selftest.domain.verdict import Windows

from tests.support.builders import window_score

HOP_NS = PUBLISHED_SPEC.hop_ns
FIRST = window_score()


def windows(*numbers: int, logit: float | None = -3.0) -> Windows:
    made = Windows()
    for number in numbers:
        made.add_score(window_score(FIRST.window_end_ns + number * HOP_NS, logit=logit))
    return made


def test_window_numbers_without_a_window_are_missing():
    assert windows(0, 1, 2).missing() == 0
    assert windows(0, 2, 5).missing() == 3
    assert Windows().missing() == 0


def test_a_window_that_comes_again_is_ignored():
    again = windows(0, 1)
    again.add_score(window_score(FIRST.window_end_ns, logit=None))

    assert again.statuses() == {"scored": 2, "degraded": 0, "unscored": 0}


def test_windows_without_a_verdict_are_found_from_an_instant_on():
    mixed = windows(0, logit=None)
    mixed.add_score(window_score(FIRST.window_end_ns + HOP_NS))
    mixed.add_score(window_score(FIRST.window_end_ns + 2 * HOP_NS, logit=None))

    assert mixed.newest_scored_ns() is None
    assert [w.window_end_ns for w in mixed.without_verdict(FIRST.window_end_ns)] == [
        FIRST.window_end_ns + 2 * HOP_NS
    ]


def test_waiting_times_are_told_once_there_are_two():
    assert windows(0).event_to_score_s(0) is None
    # As the builder makes them: published 200 ms after the newest event.
    assert windows(0, 1).event_to_score_s(0) == {"p50": 0.2, "p95": 0.2}
    assert windows(0, 1).event_to_score_s(FIRST.window_end_ns) is None


def test_the_summary_says_what_the_last_window_lacks():
    assert Windows().summary() == "no window came"
    assert windows(0, logit=None).summary() == (
        "1 windows came, the last unscored (model_unavailable)"
    )
