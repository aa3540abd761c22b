"""``meltwatch labels export``: what people have judged comes out of the alarms topic."""

import json
from datetime import UTC, datetime

import pytest
from meltwatch_chassis.label_file import read_labels
from meltwatch_schemas.alarm import AlarmJudgement, AlarmVerdict

from tests.integration.cli.alarm_samples import OTHER, RAISED

pytestmark = pytest.mark.integration
JUDGED = RAISED.model_copy(
    update={
        "seq": 7,
        "judgement": AlarmJudgement(
            verdict=AlarmVerdict.TRUE_ALARM,
            cause="electrode 2",
            by="li.wei",
            at=datetime(2026, 11, 22, 13, tzinfo=UTC),
        ),
    }
)


@pytest.mark.usefixtures("addressed")
def test_what_was_judged_is_printed_or_written(command, publish, tmp_path):
    publish(RAISED, OTHER, JUDGED)

    code, out, err = command("labels", "export")
    assert (code, err) == (0, "")
    (label,) = json.loads(out)
    assert (label["furnace"], label["verdict"], label["cause"]) == (
        "f",
        "true_alarm",
        "electrode 2",
    )
    assert label["source"] == "f/OVERHEAT"

    file = tmp_path / "labels.csv"
    assert command("labels", "export", "--out", str(file))[0] == 0
    (read,) = read_labels(file)
    assert (read.furnace, read.by) == ("f", "li.wei")

    code, _, err = command("labels", "export", "--out", str(tmp_path / "no" / "labels.csv"))
    assert (code, err.count("\n")) == (2, 1)
