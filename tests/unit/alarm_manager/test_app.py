"""The two loops, on fakes of everything outside."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from meltwatch_alarm_manager import app
from meltwatch_alarm_manager.adapters.forked_trial import outlives
from meltwatch_alarm_manager.pipeline.projection import Projection
from meltwatch_alarm_manager.ports import AlarmChange, FurnaceChange, Settlement
from meltwatch_alarm_manager.vitals import ManagerVitals
from meltwatch_chassis.dependencies import Dependencies
from meltwatch_chassis.errors import ConfigurationError, TransientError
from meltwatch_chassis.metrics import Metrics
from meltwatch_core.alarms.manager.alarms import AlarmPipeline
from meltwatch_core.alarms.points import MasterAlarmList
from meltwatch_core.alarms.ports import Commit, Place
from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.record import OutgoingRecord, RawRecord
from meltwatch_schemas.topics import Topic

from tests.support.leaping_loop import LoopClock, leaping
from tests.unit.core.alarms.samples import ALARM_ID, FURNACE, PREFIX, score, score_record
from tests.unit.core.alarms.topic_log import NOW_NS, SCORES, TopicLog

PAUSE_S = 0.001


class Plant:
    """One broker, one Redis, one process; faults wait in queues and strike one call each."""

    def __init__(self) -> None:
        self.log = TopicLog()
        self.scores: list[RawRecord] = []
        self.position = 0
        self.shown: dict[str, AlarmChange | FurnaceChange] = {}
        self.write_faults: list[BaseException] = []
        self.view_faults: list[Exception] = []
        self.is_flushed = False
        self.views_made = 0
        self.topic_ids: dict[str, str] = {}
        self.vitals: ManagerVitals

    # -- election, ledger, intake
    async def leads(self) -> bool:
        await asyncio.sleep(PAUSE_S)
        return True

    async def write(self, records: Sequence[OutgoingRecord], settle: Settlement) -> None:
        if self.write_faults:
            raise self.write_faults.pop()
        self.log.commits = dict(settle(self.log.append(records)))

    async def committed(self) -> Mapping[Place, Commit | None]:
        return self.log.commits

    async def whole(self, topic: Topic) -> AsyncIterator[RawRecord]:
        for record in self.log.read(topic):
            yield record

    async def seek(
        self, offsets: Mapping[Place, int | None], judged: Mapping[Place, int]
    ) -> Mapping[Place, range]:
        assert all(judged[place] >= 0 for place in judged)
        self.position = offsets[SCORES] or 0
        ends = {place: self.log.end(place.topic) for place in offsets} | {SCORES: len(self.scores)}
        return {
            place: range(ends[place] if offset is None else offset, ends[place])
            for place, offset in offsets.items()
        }

    async def take(self, _timeout_s: float) -> Sequence[RawRecord]:
        await asyncio.sleep(PAUSE_S)
        found = self.scores[self.position :]
        self.position += len(found)
        return found

    async def ends(self) -> Mapping[Place, int]:
        return {SCORES: len(self.scores)}

    async def has_read(self, ends: Mapping[Place, int]) -> bool:
        return self.position >= ends[SCORES]

    # -- feed, view
    async def end(self) -> int:
        return self.log.end(Topic.ALARMS)

    async def all_alarms(self, _timeout_s: float) -> Sequence[RawRecord]:
        await asyncio.sleep(PAUSE_S)
        return [*self.log.read(Topic.ALARMS), *self.scores]

    async def has_caught_up(self) -> bool:
        return True

    async def follow(self, _alarms_offset: int) -> None:
        """Begin anew."""

    async def open(self, _end: int) -> int:
        if self.view_faults:
            raise self.view_faults.pop()
        self.is_flushed = False
        self.views_made += 1
        return 0

    async def is_present(self) -> bool:
        return not self.is_flushed

    async def apply(self, changes: Sequence[AlarmChange | FurnaceChange]) -> bool:
        if self.is_flushed:
            return False
        for change in changes:
            name = change.alarm_id if isinstance(change, AlarmChange) else change.score.furnace_id
            self.shown[name] = change
        return True

    def flush(self) -> None:
        self.shown.clear()
        self.is_flushed = True

    async def run_until(self, holds: Callable[[], bool]) -> None:
        """Run both loops until something holds, then stop them."""
        stop, metrics, clock = asyncio.Event(), Metrics(), LoopClock()
        self.vitals = ManagerVitals(clock, Dependencies(metrics, clock), metrics)

        async def watch() -> None:
            while not holds():  # noqa: ASYNC110 - what is waited for is the test's own
                await asyncio.sleep(PAUSE_S)
            stop.set()

        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            group.create_task(watch())
            await app.run_until_stopped(self._manager(), self._projector(), stop)

    def _manager(self) -> app.Manager:
        return app.Manager(
            election=lambda: opened(Ports(leads=self.leads)),
            ledger=lambda: opened(Ports(write=self.write)),
            intake=lambda: opened(
                Ports(
                    committed=self.committed,
                    whole=self.whole,
                    read_from=self.seek,
                    poll=self.take,
                    ends=self.ends,
                    has_read=self.has_read,
                    topic_ids=self.topic_ids,
                    tail=lambda topic, _: self.whole(topic),
                )
            ),
            pipeline=lambda: AlarmPipeline(
                MasterAlarmList({}), Metrics(), PREFIX, outlives=outlives
            ),
            clock=LoopClock(),
            vitals=self.vitals,
        )

    def _projector(self) -> app.Projector:
        registered: set[str] = set()
        feed = Ports(
            end=self.end,
            read_from=self.follow,
            poll=self.all_alarms,
            has_caught_up=self.has_caught_up,
            alarms_id=None,
        )
        view = Ports(open=self.open, is_present=self.is_present, apply=self.apply)
        return app.Projector(
            feed=lambda: opened(feed),
            view=lambda: opened(view),
            projection=Projection(PREFIX, registered.__contains__),
            clock=LoopClock(),
            vitals=self.vitals,
        )


class Ports:
    """A port made of functions."""

    def __init__(self, **functions: Any) -> None:
        self.__dict__.update(functions)


@asynccontextmanager
async def opened(port):
    yield port


@pytest.fixture
def plant() -> Plant:
    made = Plant()
    made.scores = [score_record(score(number, 3.0), number) for number in range(4)]
    return made


async def test_scores_become_alarms_and_alarms_are_shown(plant):
    await plant.run_until(lambda: {ALARM_ID, FURNACE} <= set(plant.shown))
    assert [record.state for record in plant.log.alarms()] == ["UNACK"]
    assert plant.vitals.readiness() is None


@leaping
async def test_after_a_failed_write_a_new_reign_writes_the_same_once(plant):
    plant.write_faults = [TransientError("the broker is away") for _ in range(2)]
    await plant.run_until(lambda: len(plant.log.alarms()) == 1)
    assert plant.write_faults == []
    assert plant.log.commits[SCORES].position == 4


@leaping
async def test_a_cancellation_that_a_client_lets_out_is_a_failure_like_any_other(plant):
    plant.write_faults = [asyncio.CancelledError() for _ in range(2)]
    await plant.run_until(lambda: len(plant.log.alarms()) == 1)
    assert plant.write_faults == []


@leaping
async def test_a_view_that_cannot_be_opened_is_tried_again_while_alarms_go_on(plant):
    plant.view_faults = [TransientError("Redis is away") for _ in range(2)]
    await plant.run_until(lambda: bool(plant.shown) and bool(plant.log.alarms()))
    assert plant.views_made == 1


async def test_a_flushed_view_is_made_anew(plant):
    def is_shown_again() -> bool:
        if plant.views_made == 1 and ALARM_ID in plant.shown:
            plant.flush()
        return plant.views_made == 2 and ALARM_ID in plant.shown

    await plant.run_until(is_shown_again)


async def test_what_trying_again_cannot_cure_ends_everything(plant):
    plant.view_faults = [ConfigurationError("a Redis Cluster")]
    with pytest.raises(BaseExceptionGroup) as failure:
        await plant.run_until(lambda: False)
    assert failure.group_contains(ConfigurationError, match="Redis Cluster")


async def test_alarms_that_a_topic_made_again_lacks_are_written_again_also_after_a_failed_try(
    plant,
):
    plant.topic_ids = {"p.alarms.v1": "one"}
    memory = app.AlarmMemory()
    first = plant.log.judge([score(number, 3.0) for number in range(4)])
    memory.keep(first, plant.topic_ids)

    def begun(epoch: int) -> AlarmPipeline:
        anew = AlarmPipeline(MasterAlarmList({}), Metrics(), PREFIX)
        anew.begin_reign({SCORES: Commit(4, 4, epoch - 1)}, {SCORES: range(4, 4)})
        return anew

    assert memory.retell(begun(2), {"p.alarms.v1": "one"}, 0) == [], "the same topic"
    for _ in range(2):  # the first time the broker did not take it
        again = begun(2)
        (record,) = memory.retell(again, {"p.alarms.v1": "two"}, NOW_NS)
        assert AlarmRecord.from_json(record.value or b"").alarm_id == ALARM_ID
    assert memory.retell(begun(3), {"p.alarms.v1": "two"}, 0) == [], "another one reigned since"
    memory.keep(again, {"p.alarms.v1": "two"})
    assert memory.retell(begun(3), {"p.alarms.v1": "two"}, 0) == []
