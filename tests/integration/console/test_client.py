"""``import meltwatch`` against a real console: what stands there is what a program gets."""

from datetime import timedelta

import meltwatch
import numpy as np
import pytest
from meltwatch_schemas.instants import utc_from_ns
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_MS, NS_PER_S

from tests.integration.console.furnace_forge import FURNACE, wait_for_scores
from tests.support.builders import alarm_record
from tests.support.waiting import until
from tests.unit.client.test_notebooks import NOTEBOOKS, outputs_of
from tests.unit.core.alarms.samples import ALARM_ID, score
from tests.unit.core.alarms.samples import FURNACE as JUDGED

pytestmark = pytest.mark.integration


def test_tables_and_pictures_of_a_furnace(make_console, furnace, forge):
    console = make_console([FURNACE])
    console.wait_live()
    wait_for_scores(console, furnace)
    forge.raised(f"{FURNACE}/OVERHEAT", title="Overheating")
    until(lambda: console.ask("api/v1/alarms")[1]["alarms"], "the console has it")
    loud = furnace.loud()
    end = utc_from_ns(loud.window_end_ns)

    with meltwatch.connect(console.url) as plant:
        assert plant.me()["role"] == "engineer"
        assert plant.furnaces().arrow.column("id").to_pylist() == [FURNACE]
        assert plant.alarms().to_pandas().title.tolist() == ["Overheating"]
        assert plant.alarm(f"{FURNACE}/OVERHEAT")["title"] == "Overheating"
        assert plant.journal(FURNACE, state="UNACK", most=1).to_polars()["cause"].to_list()

        scores = plant.scores(FURNACE, end - timedelta(seconds=30), end)
        assert scores.units == {"low": "log-odds", "high": "log-odds"}
        expected = [
            (each.window_end_ns // NS_PER_MS, each.logit)
            for each in furnace.scores
            if loud.window_end_ns - 30 * NS_PER_S <= each.window_end_ns < loud.window_end_ns
        ]
        ends = (scores.arrow.column("end").cast("int64").to_numpy() // 1000).tolist()
        levels = scores.arrow.column("high").to_pylist()
        np.testing.assert_allclose(np.array(levels), [level for _, level in expected], rtol=1e-6)
        assert ends == [end_ms for end_ms, _ in expected]
        assert plant.currents(FURNACE, end - timedelta(seconds=5), end).units["a"] == "A"
        assert plant.newest(FURNACE)["status"] == "scored"

        film = plant.frames(FURNACE, end)
        assert film.pixels.shape == (10, 64, 64, 3)
        for at, pixels in zip(film.times, film.pixels, strict=True):
            np.testing.assert_array_equal(pixels, furnace.pixels(int(at.astype(np.int64))))
        maps = plant.maps(FURNACE, end, end + timedelta(seconds=0.5))
        assert maps.times.astype(np.int64).tolist() == [loud.window_end_ns // NS_PER_MS * NS_PER_MS]
        np.testing.assert_allclose(maps.pixels[0], loud.anomaly_map / 255, atol=1e-6)
        assert len(plant.maps(FURNACE, end - timedelta(days=2), end - timedelta(days=1))) == 0
        assert len(plant.frames(FURNACE, end - timedelta(days=30))) == 0

        changes = plant.follow()
        first = next(changes)
        assert (first.event, first.data["alarms"][0]["title"]) == ("snapshot", "Overheating")
        forge.raised(f"{FURNACE}/VIDEO_LOST", title="Camera")
        news = next(change for change in changes if change.event == "alarm")
        assert news.data["title"] == "Camera"
        changes.close()


def test_commands_carry_what_was_seen(broker, make_manager, make_console):
    with make_manager() as manager:
        manager.wait_ready()
        console = make_console([JUDGED])
        console.wait_live()
        broker.send_scores(score(number, 6.0) for number in range(4))
        until(lambda: console.ask("api/v1/alarms")[1]["alarms"], "the console has it")
        with meltwatch.connect(console.url) as plant:
            (alarm,) = plant.alarms().rows()
            with pytest.raises(meltwatch.RefusedError) as refused:
                plant.acknowledge(ALARM_ID, seen="0" * 32)
            assert (refused.value.code, refused.value.newest["state"]) == ("stale", "UNACK")
            assert plant.acknowledge(ALARM_ID, alarm["annunciation_id"], "on it")["code"] == "ok"
            assert plant.judge(ALARM_ID, "true_alarm", "splash")["code"] == "ok"
        assert len(broker.read(Topic.ALARM_COMMANDS)) == 3


def test_the_notebook_of_an_alarm(make_console, furnace, forge, tmp_path):
    console = make_console([FURNACE])
    console.wait_live()
    wait_for_scores(console, furnace)
    end = utc_from_ns(furnace.loud().window_end_ns)
    evidence = alarm_record(f"{FURNACE}/OVERHEAT", 1).evidence.model_copy(
        update={"window_end": end}
    )
    forge.raised(f"{FURNACE}/OVERHEAT", title="Too hot", raise_time=end, evidence=evidence)
    until(lambda: console.ask("api/v1/alarms")[1]["alarms"], "the console has it")

    looked = outputs_of(NOTEBOOKS[2], tmp_path, CONSOLE=console.url)
    assert f"Too hot on {FURNACE}" in looked
    assert looked.count("image/png") == 2
