"""An adapter that was there and is silent is an alarm; one that never was is none."""

from dataclasses import replace

import pytest
from meltwatch_core.alarms.adapters import ADAPTERS
from meltwatch_core.alarms.system_alarms import NOTIFY_SILENT, SCADA_SILENT
from meltwatch_schemas.alarm import Heartbeat
from meltwatch_schemas.instants import utc_from_ns
from meltwatch_schemas.record import RawRecord
from meltwatch_schemas.topics import Topic

from tests.unit.core.alarms.samples import PREFIX, json_record
from tests.unit.core.alarms.virtual_plant import VirtualPlant, at

FURNACE = "a/F1"
NOTIFY, SCADA = f"{PREFIX}/{NOTIFY_SILENT}", f"{PREFIX}/{SCADA_SILENT}"
WORK = {"reason": "the contract has ended"}


class Scene:
    """A plant that is well, and adapters that give signs of life or do not."""

    def __init__(self) -> None:
        self.plant = VirtualPlant((FURNACE,))
        self.offset = 10_000
        self.beats: list[RawRecord] = []

    def beat(self, service: str) -> RawRecord:
        message = Heartbeat(
            service=service, epoch=1, seq=1, active_alarms=0, at=utc_from_ns(at(self.plant.now_s))
        )
        self.offset += 1
        return json_record(Topic.HEARTBEATS, message, service, self.offset)

    def live(self, seconds: int, *services: str) -> None:
        """Let time pass, with a sign of life every five seconds."""
        for _ in range(0, seconds, 5):
            for service in services:
                record = self.beat(service)
                self.beats.append(record)
                now_ns = at(self.plant.now_s)
                assert self.plant.manager.handle_record(record, now_ns) == [], "not foreign"
            self.plant.run(5)

    def take_over(self) -> None:
        """Let another manager go on; it reads the beats again."""
        manager = self.plant.take_over()
        for record in self.beats:
            manager.restore_beat(record)

    @property
    def standing(self) -> dict[str, str]:
        return self.plant.standing()


@pytest.fixture
def scene() -> Scene:
    made = Scene()
    made.live(30)
    return made


def test_who_was_never_there_is_not_missed(scene: Scene) -> None:
    scene.live(120)
    assert scene.standing == {}


@pytest.mark.parametrize(
    ("service", "alarm_id"),
    [(name, f"{PREFIX}/{condition}") for condition in ADAPTERS for name in ADAPTERS[condition]],
)
def test_who_was_there_is_missed_within_a_minute_and_welcome_when_back(
    scene: Scene, service: str, alarm_id: str
) -> None:
    scene.live(60, service)
    assert scene.standing == {}
    scene.live(25)
    assert scene.standing == {}, "a restart takes as long"
    scene.live(30)
    assert scene.standing == {alarm_id: "UNACK"}
    assert service in scene.plant.record(alarm_id).message
    scene.live(60, service)
    assert scene.standing == {alarm_id: "RTNUN"}


def test_one_of_two_scada_adapters_is_missed(scene: Scene) -> None:
    scene.live(30, "opcua", "sparkplug")
    scene.live(60, "sparkplug")
    assert scene.standing == {SCADA: "UNACK"}
    assert "opcua" in scene.plant.record(SCADA).message
    assert "sparkplug" not in scene.plant.record(SCADA).message


def test_a_manager_that_takes_over_knows_who_was_there(scene: Scene) -> None:
    scene.live(30, "notify_gateway")
    scene.take_over()
    scene.live(60)
    assert scene.standing == {NOTIFY: "UNACK"}


def test_a_manager_that_takes_over_beside_a_living_gateway_raises_nothing(scene: Scene) -> None:
    scene.live(30, "notify_gateway")
    scene.take_over()
    scene.live(120, "notify_gateway")
    assert scene.standing == {}


def test_who_is_decommissioned_is_expected_no_more_until_it_comes_back(scene: Scene) -> None:
    scene.live(30, "notify_gateway")
    scene.live(60)
    answer = scene.plant.order("decommission", NOTIFY, role="engineer", arguments=WORK)
    assert answer.code == "ok"
    scene.live(120)
    assert [each.value for each in scene.plant.log.of(Topic.ALARMS)][-1] is None
    scene.live(30, "notify_gateway")
    scene.live(60)
    assert scene.standing[NOTIFY] == "UNACK"


@pytest.mark.parametrize(
    "change",
    [
        {"key": b"opcua"},
        {"key": None},
        {"value": b"{}"},
        {"headers": ()},
    ],
)
def test_what_is_no_sign_of_life_is_foreign(scene: Scene, change) -> None:
    record = replace(scene.beat("notify_gateway"), **change)
    written = scene.plant.manager.handle_record(record, at(scene.plant.now_s))
    assert Topic.DEAD_LETTERS in {each.topic for each in written}


@pytest.mark.parametrize("service", ["alarm_manager", "console"])
def test_nobody_else_gives_signs_of_life_there(scene: Scene, service: str) -> None:
    written = scene.plant.manager.handle_record(scene.beat(service), at(scene.plant.now_s))
    assert Topic.DEAD_LETTERS in {each.topic for each in written}
