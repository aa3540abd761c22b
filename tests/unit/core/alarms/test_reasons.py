"""Every word that a score may hold belongs to one system alarm: none is overlooked."""

from dataclasses import replace

import pytest
from meltwatch_core.alarms.system_alarms import FURNACE_ALARMS
from meltwatch_schemas.reasons import Reason
from meltwatch_schemas.score import ModelIdentity

from tests.unit.core.alarms.samples import score
from tests.unit.core.alarms.test_system_alarms import records_of

HARMLESS: frozenset[Reason] = frozenset()
"""Words of which nobody needs to be told."""


@pytest.mark.parametrize("word", Reason)
def test_a_word_belongs_to_one_alarm_or_is_harmless(word: Reason) -> None:
    owners = [name for name, alarm in FURNACE_ALARMS.items() if word in alarm.words]
    assert len(owners) == (0 if word in HARMLESS else 1)


@pytest.mark.parametrize("word", sorted(set(Reason) - HARMLESS))
def test_a_word_that_stays_raises_its_alarm_and_no_other(word: Reason) -> None:
    (record,) = records_of([score(number, -3.0, reasons=(word,)) for number in range(20)])
    assert word in FURNACE_ALARMS[record.alarm_id.rpartition("/")[2]].words
    assert f"{word} reported since" in record.message


def test_a_word_of_a_later_version_changes_nothing() -> None:
    assert records_of([score(number, -3.0, reasons=("too_new",)) for number in range(20)]) == []


def test_verdicts_of_another_ensemble_are_said_while_process_alarms_go_on() -> None:
    ours = [score(number, -3.0) for number in range(5)]
    theirs = ModelIdentity("fmformer", "2", "f" * 64)
    foreign = [replace(score(number, 3.0), model=theirs) for number in range(5, 25)]
    again = [score(number, 3.0) for number in range(25, 45)]
    raised = records_of([*ours, *foreign, *again])
    assert [(r.alarm_id.rpartition("/")[2], r.state.value) for r in raised] == [
        ("OVERHEAT", "UNACK"),
        ("SETPOINT_FOREIGN", "UNACK"),
        ("SETPOINT_FOREIGN", "RTNUN"),
    ]
    assert "verdicts are of another ensemble, ffffffffffff since" in raised[1].message
