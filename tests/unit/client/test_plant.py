"""What a console knows comes out of the client as it went in; no broker is needed for that."""

from collections.abc import Iterator
from datetime import timedelta

import meltwatch
import numpy as np
import pytest
from meltwatch_schemas.instants import utc_from_ns
from meltwatch_schemas.window import NS_PER_MS, PUBLISHED_SPEC

from tests.support.builders import alarm_record
from tests.unit.client.conftest import ALARM, END_NS, FURNACE


@pytest.fixture
def plant(console) -> Iterator[meltwatch.PlantClient]:
    with meltwatch.connect(console[1]) as made:
        yield made


def test_who_asks_and_which_furnaces_there_are(plant):
    assert plant.me()["role"] == "engineer"
    assert plant.furnaces().rows() == [
        {"index": 0, "id": FURNACE, "area": "hall", "registered": False}
    ]


def test_an_alarm_is_listed_as_it_is(plant):
    (row,) = plant.alarms().rows()
    record = alarm_record(ALARM, 7, title="Too hot")

    assert (row["alarm_id"], row["title"], row["seq"]) == (ALARM, "Too hot", 7)
    assert row["raise_time"] == record.raise_time
    assert plant.alarm(ALARM)["title"] == "Too hot"
    assert plant.alarms().to_pandas().raise_time.dt.tz is not None
    assert plant.alarms().to_polars()["state"].to_list() == [record.state.value]
    with pytest.raises(meltwatch.RefusedError, match="unknown_alarm"):
        plant.alarm("hall/FMF-09/OVERHEAT")


def test_the_journal_is_asked_by_furnace_time_and_state(plant):
    (row,) = plant.journal().rows()
    at = row["published"]

    assert len(plant.journal(FURNACE, at, at + timedelta(seconds=1), state=row["state"])) == 1
    assert len(plant.journal("hall")) == 1
    assert len(plant.journal("other")) == 0
    assert len(plant.journal(until=at)) == 0
    with pytest.raises(meltwatch.RefusedError, match="bad_request"):
        plant.journal(state="hot")


def test_scores_are_those_of_the_windows_asked_for(plant):
    end = utc_from_ns(END_NS)
    scores = plant.scores(FURNACE, end - timedelta(seconds=10), end).arrow

    hops = np.arange(6, 0, -1)
    ends = (END_NS - hops * PUBLISHED_SPEC.hop_ns) // NS_PER_MS
    assert (scores.column("end").cast("int64").to_numpy() // 1000).tolist() == ends.tolist()
    np.testing.assert_allclose(scores.column("high").to_numpy(), (20 - hops) / 4)
    minute = plant.scores(FURNACE, end - timedelta(minutes=2), end, step_s=3600).rows()
    assert max(row["high"] for row in minute) == 19 / 4
    assert plant.newest(FURNACE)["score"] == 5.0
    assert len(plant.scores("hall/FMF-09", end - timedelta(seconds=10), end)) == 0


def test_a_map_comes_as_shares_and_a_quiet_window_has_none(plant):
    end = utc_from_ns(END_NS)
    maps = plant.maps(FURNACE, end - timedelta(seconds=10), end + timedelta(seconds=1))

    assert len(maps) == 1
    assert maps.times.astype(np.int64).tolist() == [END_NS]
    assert maps.pixels.shape == (1, 64, 64)
    np.testing.assert_allclose(maps.pixels[0, 40:50, 20:30], 0.8)
    assert maps.pixels.sum() == pytest.approx(80.0)


def test_more_maps_than_can_be_meant_are_refused(plant, monkeypatch):
    monkeypatch.setattr("meltwatch.plant._MOST_MAPS", 3)
    with pytest.raises(ValueError, match="at most 3 windows"):
        plant.maps(FURNACE, utc_from_ns(END_NS) - timedelta(hours=1), utc_from_ns(END_NS))


def test_the_stream_begins_with_the_whole_picture_and_goes_on(plant, console):
    changes = plant.follow()
    first = next(changes)
    assert (first.event, first.data["alarms"][0]["title"]) == ("snapshot", "Too hot")
    changes.close()
