"""When a replay says of a portrait what live said, and which alarms another portrait explains."""

import math
from typing import Any

import numpy as np
import pytest
from meltwatch_backtester.domain.alarm_comparison import AlarmDifference
from meltwatch_backtester.domain.findings import Findings
from meltwatch_backtester.domain.journal import ComparedTransition
from meltwatch_backtester.domain.novelty_comparison import NOVELTY_TOLERANCE, novelty_difference
from meltwatch_backtester.domain.window_comparison import Kind, compare
from meltwatch_schemas.instants import utc_from_ns
from meltwatch_schemas.novelty import FollowedLevels

from tests.support.builders import FURNACE, NOON_NS, novelty, window_score

HOP_NS = 1_440_000_000


def levels(value: float, judged_ns: int = NOON_NS) -> FollowedLevels:
    return FollowedLevels(judged_ns, np.full(64, value, np.float16))


def test_the_same_bits_are_no_difference() -> None:
    assert novelty_difference(novelty(), novelty()) == 0.0
    assert novelty_difference(None, None) == 0.0


@pytest.mark.parametrize(
    "changes",
    [
        {"video": 0.5 + 1e-12},
        {"current": 0.25 - 1e-9},
        {"followed_video": levels(3.25 + 2**-9)},
        {"followed_video": levels(3.25 + 2**-9), "peak": (0, 0)},
    ],
)
def test_last_digits_of_another_processor_are_the_same(changes: dict[str, Any]) -> None:
    difference = novelty_difference(novelty(**changes), novelty())

    assert 0.0 < difference <= NOVELTY_TOLERANCE


@pytest.mark.parametrize(
    "changes",
    [
        {"video": 0.52},
        {"current": None},
        {"portrait": "b" * 64},
        {"unusual": 0b111},
        {"followed_video": levels(3.3)},
        {"followed_video": levels(3.25, NOON_NS + HOP_NS)},
        {"followed_video": None},
    ],
)
def test_anything_else_is_another_one(changes: dict[str, Any]) -> None:
    assert novelty_difference(novelty(**changes), novelty()) > NOVELTY_TOLERANCE
    assert novelty_difference(novelty(), None) == math.inf


def test_how_large_a_difference_is_stands_in_the_comparison() -> None:
    one, other = (window_score(NOON_NS, FURNACE, novelty=novelty(video=v)) for v in (0.5, 0.503))

    found = compare(one, other, with_cuts=True)

    assert found.kind is None
    assert found.novelty_difference == pytest.approx(0.003)


@pytest.mark.parametrize(
    ("condition", "is_explained"),
    [("NOVELTY", True), ("PORTRAIT_STALE", True), ("OVERHEAT", False)],
)
def test_another_portrait_explains_its_own_alarms_alone(condition: str, is_explained: bool) -> None:
    findings = Findings(with_cuts=True)
    score, live = (
        window_score(NOON_NS, FURNACE, novelty=novelty(portrait=each * 64)) for each in "ab"
    )
    assert findings.note(score, live, late=0, is_beyond=False) is Kind.OTHER_PORTRAIT
    raised = ComparedTransition("RAISE", utc_from_ns(NOON_NS), "UNACK", None)
    difference = AlarmDifference(f"{FURNACE}/{condition}", FURNACE, (raised,), (), NOON_NS)

    found = findings.explained(difference, is_tried=False, newest_live_ns=NOON_NS)

    assert found.is_explained is is_explained
    assert ("other_portrait" in found.why) is is_explained
