"""The rule on phase currents: judged from the score's features, whatever a model had to say."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_core.alarms.points import point_of
from meltwatch_schemas.alarm import Priority
from meltwatch_schemas.instants import utc_from_ns
from meltwatch_schemas.point_rules import CURRENT_IMBALANCE
from meltwatch_schemas.score import Features, Modality, WindowScore
from meltwatch_schemas.window import NS_PER_S

from tests.unit.core.alarms.samples import FURNACE, score, window_end
from tests.unit.core.alarms.topic_log import TopicLog

RULE_ID = f"{FURNACE}/{CURRENT_IMBALANCE}"
ON = 8  # windows; the on-delay of 10 s passes with the eighth
CURRENT_ONLY = (Modality.CURRENT,)


def uneven(
    *numbers: int, share: float | None = 0.31, logit: float | None = None, **changes: object
) -> list[WindowScore]:
    return [
        replace(score(number, logit, **changes), features=Features(imbalance=share))
        for number in numbers
    ]


def records_of(*scores: WindowScore):
    log = TopicLog()
    log.judge(scores)
    return [record for record in log.alarms() if record.alarm_id == RULE_ID]


@pytest.mark.parametrize("modalities", [CURRENT_ONLY, (Modality.VIDEO, Modality.CURRENT)])
def test_windows_that_no_model_scored_raise_and_clear_it(modalities: tuple[Modality, ...]) -> None:
    raised, cleared = records_of(
        *uneven(*range(ON + 1), modalities=modalities),
        *uneven(*range(ON + 1, 2 * ON + 2), share=0.05, modalities=modalities),
    )

    assert (raised.transition.cause, cleared.transition.cause) == ("RAISE", "CLEAR")
    assert raised.condition_time == utc_from_ns(window_end(0))
    assert raised.raise_time == utc_from_ns(window_end(0) + 10 * NS_PER_S)
    assert (raised.priority, raised.class_) == (Priority.MEDIUM, "process")
    evidence = raised.evidence
    assert (evidence.imbalance, evidence.imbalance_on, evidence.imbalance_off) == (0.31, 0.25, 0.2)
    assert evidence.score is evidence.probability is evidence.members is None
    assert raised.model.name == "none"
    assert "imbalance 31 % since " in raised.message
    assert raised.message.endswith(", alarm from 25 %")
    assert "returned to normal, imbalance 5 %, alarm from 25 %" in cleared.message


@given(st.floats(-50, 50) | st.none())
def test_no_verdict_of_a_model_has_a_part_in_it(logit: float | None) -> None:
    assert len(records_of(*uneven(*range(ON + 1), logit=logit))) == 1
    assert records_of(*uneven(*range(ON + 1), share=0.1, logit=logit)) == []


def test_windows_whose_currents_are_not_to_be_trusted_neither_raise_nor_clear_it() -> None:
    assert records_of(*uneven(*range(3 * ON), share=None, logit=9.0)) == []
    standing = [*uneven(*range(ON + 1)), *uneven(*range(ON + 1, 4 * ON), share=None)]
    assert [record.transition.cause for record in records_of(*standing)][:1] == ["RAISE"]
    assert all(record.active for record in records_of(*standing))


def test_between_the_thresholds_what_was_decided_stands() -> None:
    between = uneven(*range(ON + 1, 4 * ON), share=0.22)

    assert len(records_of(*uneven(*range(ON + 1)), *between)) == 1
    assert records_of(*between) == []


def test_a_record_keeps_the_thresholds_of_a_point_that_no_list_holds_any_more() -> None:
    (raised,) = records_of(*uneven(*range(ON + 1)))

    assert (point_of(raised).setpoint.on, point_of(raised).setpoint.off) == (0.25, 0.2)
