"""Blind is never silent: a real manager on a real broker, furnaces that stop, and what it says."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Self

import pytest
from meltwatch_core.alarms.system_alarms import (
    FURNACE_ALARMS,
    PLANT_ALARMS,
    SystemAlarm,
    system_points,
)
from meltwatch_schemas.alarm import Heartbeat
from meltwatch_schemas.score import ScoreTimes, WindowScore
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import PUBLISHED_SPEC

from tests.integration.alarm_manager.bench import Broker, wait_for_view
from tests.support.waiting import until
from tests.unit.core.alarms.samples import json_record, score

pytestmark = [pytest.mark.long, pytest.mark.integration]
ONE, TWO = "hall/FMF-01", "hall/FMF-02"


class Furnaces:
    """Publishes windows as they end, for the furnaces that send at present."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._newest = dict.fromkeys((ONE, TWO), time.time_ns() - 30_000_000_000)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.sending: dict[str, dict[str, Any]] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(0.2):
            for name, changes in dict(self.sending).items():
                self._broker.send_scores(self._due(name, changes))
            for name in self._newest.keys() - self.sending.keys():
                self._newest[name] = time.time_ns()

    def _due(self, name: str, changes: dict[str, Any]) -> Iterator[WindowScore]:
        end_ns = PUBLISHED_SPEC.first_end_after(name, self._newest[name])
        while end_ns <= time.time_ns():
            self._newest[name] = end_ns
            yield live_score(name, end_ns, **changes)
            end_ns += PUBLISHED_SPEC.hop_ns


def live_score(name: str, end_ns: int, logit: float | None = -3.0, **changes: Any) -> WindowScore:
    """Return the score of a window that has just ended."""
    now_ns = time.time_ns()
    times = ScoreTimes(end_ns, end_ns, now_ns, None if logit is None else now_ns, now_ns)
    made = score(0, logit, name, times=times, window_end_ns=end_ns, **changes)
    return replace(made, window_id=PUBLISHED_SPEC.window_id(name, end_ns))


def hurry(broker: Broker, equipment: str, alarms: dict[str, SystemAlarm], **delays: float) -> None:
    """Give system alarms other delays, so that the test need not wait for the usual ones."""
    for point in system_points(equipment, alarms):
        setpoint = point.setpoint.model_copy(update=delays)
        hasty = point.model_copy(update={"setpoint": setpoint})
        broker.send(json_record(Topic.ALARM_POINTS, hasty, hasty.alarm_id, prefix=broker.prefix))


def states(broker: Broker) -> dict[str, str]:
    """Return the state of each alarm."""
    return {record.alarm_id: record.state.value for record in broker.alarms()}


def wait_states(broker: Broker, wanted: dict[str, str]) -> None:
    """Wait until alarms are in these states."""
    until(
        lambda: wanted.items() <= states(broker).items(),
        lambda: f"{wanted}, got {states(broker)}",
    )


def last_heartbeat(broker: Broker) -> Heartbeat:
    return Heartbeat.from_json(broker.read(Topic.HEARTBEATS)[-1].value)


def test_what_nobody_sees_is_said_and_said_once(broker, make_manager, view):
    prefix = broker.prefix
    blind, triton = f"{prefix}/PLANT_BLIND", f"{prefix}/TRITON_DOWN"
    for name in (ONE, TWO):
        hurry(broker, name, {"SCORING_LOST": FURNACE_ALARMS["SCORING_LOST"]}, off_delay_s=2.0)
        hurry(broker, name, {"FURNACE_SILENT": FURNACE_ALARMS["FURNACE_SILENT"]}, off_delay_s=3.0)
    hurry(broker, prefix, {"PLANT_BLIND": PLANT_ALARMS["PLANT_BLIND"]}, off_delay_s=3.0)
    plant_triton = {"TRITON_DOWN": PLANT_ALARMS["TRITON_DOWN"]}
    hurry(broker, prefix, plant_triton, on_delay_s=3.0, off_delay_s=2.0)
    with make_manager() as manager, Furnaces(broker) as furnaces:
        manager.wait_ready()
        away = {"logit": None, "reasons": ("model_unavailable",)}
        furnaces.sending = {ONE: away, TWO: away}
        lost = {f"{ONE}/SCORING_LOST": "DSUPR", f"{TWO}/SCORING_LOST": "DSUPR"}
        wait_states(broker, {triton: "UNACK"})
        wait_states(broker, {blind: "UNACK", triton: "DSUPR", **lost})

        furnaces.sending = {ONE: {}, TWO: {}}
        calm = {f"{ONE}/SCORING_LOST": "NORM", f"{TWO}/SCORING_LOST": "NORM"}
        wait_states(broker, {blind: "RTNUN", triton: "NORM", **calm})
        until(lambda: last_heartbeat(broker).blind == 0, "a heartbeat that sees all")

        furnaces.sending = {TWO: {}}
        wait_states(broker, {f"{ONE}/FURNACE_SILENT": "UNACK"})
        until(lambda: view.zscore(f"{prefix}:active", f"{ONE}/FURNACE_SILENT"), "Redis")
        # On a busy machine the other one may be late for a moment, too.
        heartbeat = until(lambda: (h := last_heartbeat(broker)).blind == 1 and h, "a blind one")
        assert heartbeat.watched == 2
        assert heartbeat.oldest_verdict_age_s > 10

        furnaces.sending = {}
        masked = {f"{ONE}/FURNACE_SILENT": "DSUPR", f"{TWO}/FURNACE_SILENT": "DSUPR"}
        wait_states(broker, {blind: "UNACK", **masked})
        until(lambda: view.hget(f"{prefix}:alarm:{TWO}/FURNACE_SILENT", "state"), "Redis")
        assert f"{TWO}/FURNACE_SILENT" not in view.smembers(f"{prefix}:unacked")

        furnaces.sending = {ONE: {}, TWO: {}}
        over = {f"{ONE}/FURNACE_SILENT": "NORM", f"{TWO}/FURNACE_SILENT": "NORM"}
        wait_states(broker, {blind: "RTNUN", **over})
        # A manager that stops leaves what it has not shown yet to the next one.
        wait_for_view(view, broker)
    announced = [r.alarm_id for r in broker.alarms() if r.state == "UNACK"]
    assert (announced.count(blind), announced.count(triton)) == (2, 1)
    assert announced.count(f"{ONE}/FURNACE_SILENT") == 1
    assert f"{TWO}/FURNACE_SILENT" not in announced
