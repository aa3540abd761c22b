"""Furnaces whose windows reach an alarm manager as they would live, under a virtual wall clock."""

import heapq
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from meltwatch_core.alarms.manager.alarms import AlarmPipeline
from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.alarm_command import CommandResult
from meltwatch_schemas.alarm_point import AlarmPoint
from meltwatch_schemas.instants import utc_from_ns
from meltwatch_schemas.outside import FurnaceState, FurnaceStateWord
from meltwatch_schemas.record import RawRecord
from meltwatch_schemas.score import Modality, ScoreTimes, SourceState, WindowScore
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_S

from tests.unit.core.alarms.samples import (
    BOTH,
    HOP_NS,
    command_fields,
    command_record,
    json_record,
    score,
    score_record,
    window_end,
)
from tests.unit.core.alarms.topic_log import TopicLog

START_NS = window_end(0, "a/F0")
HOP_S = HOP_NS / NS_PER_S
Fault = Callable[[str, float], dict[str, Any] | None]
"""Of a furnace and a second: changes of its score there, or None where no window comes."""


def clean(_furnace_id: str, _second: float) -> dict[str, Any]:
    return {}


def unscored(*reasons: str, modalities: tuple[Modality, ...] = BOTH) -> dict[str, Any]:
    return {"logit": None, "reasons": reasons, "modalities": modalities}


def marked(*reasons: str, modalities: tuple[Modality, ...] = BOTH) -> dict[str, Any]:
    return {"reasons": reasons, "modalities": modalities}


@dataclass
class VirtualPlant:
    """A plant and its manager; time is in seconds from the beginning.

    Attributes
    ----------
    furnaces
        Their ids.
    log
        What is written, and who works on it.
    """

    furnaces: tuple[str, ...] = ("a/F1", "a/F2", "a/F3", "a/F4")
    log: TopicLog = field(default_factory=TopicLog)
    now_s: float = 0.0
    _chance: random.Random = field(default_factory=lambda: random.Random(7))
    _offset: int = 0
    _numbers: dict[str, int] = field(default_factory=dict)
    _said: dict[str, RawRecord] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.manager = self.log.take_over()

    def run(
        self,
        seconds: float,
        fault: Fault = clean,
        *,
        is_read: bool = True,
        jitter_s: float = 1.5,
    ) -> list[AlarmRecord]:
        """Let time pass; return the alarm records of it."""
        before = len(self.log.alarms())
        due = [*self._windows(seconds, fault, jitter_s)] if is_read else []
        end_s = self.now_s + seconds
        ticks = [(float(second), None) for second in range(int(self.now_s) + 1, int(end_s) + 1)]
        for at_s, made in heapq.merge(
            sorted(due, key=lambda each: each[0]), ticks, key=lambda each: each[0]
        ):
            self.now_s = at_s
            if made is not None:
                self.hear(made)
            else:
                read_until_ns = at(at_s - 0.4) if is_read else None
                self._write(self.manager.tick(at(at_s), read_until_ns))
        self.now_s = end_s
        return self.log.alarms()[before:]

    def hear(self, made: WindowScore) -> None:
        """Let the manager read a score now."""
        record = score_record(made, self._offset)
        self._offset += 1
        self._write(self.manager.handle_record(record, at(self.now_s)))

    def say(self, furnace_id: str, word: FurnaceStateWord) -> None:
        """Let the plant say what a furnace is doing."""
        message = FurnaceState(state=word, since=utc_from_ns(at(self.now_s)), by="mes")
        record = json_record(Topic.FURNACE_STATES, message, furnace_id)
        self._said[furnace_id] = record
        self._write(self.manager.handle_record(record, at(self.now_s)))

    def set_point(self, point: AlarmPoint) -> None:
        """Let an engineer write an alarm point."""
        record = json_record(Topic.ALARM_POINTS, point, point.alarm_id)
        self._write(self.manager.handle_record(record, at(self.now_s)))

    def order(self, command: str, alarm_id: str, **changes: Any) -> CommandResult:
        """Send a command and return its answer."""
        fields = command_fields(command, alarm_id=alarm_id, **changes)
        record = command_record(fields, key=alarm_id)
        self._write(self.manager.handle_record(record, at(self.now_s)))
        return CommandResult.from_json(self.log.of(Topic.ALARM_RESULTS)[-1].value or b"")

    def shelve(self, alarm_id: str, duration_s: float, **arguments: Any) -> CommandResult:
        """Shelve an alarm."""
        return self.order("shelve", alarm_id, arguments={"duration_s": duration_s, **arguments})

    def record(self, alarm_id: str) -> AlarmRecord:
        """Return the newest record of an alarm."""
        return [each for each in self.log.alarms() if each.alarm_id == alarm_id][-1]

    def wait_away(self, seconds: float) -> None:
        """Let time pass without a manager; then another one takes over."""
        self.now_s += seconds
        self.take_over()

    def take_over(self) -> AlarmPipeline:
        """Let another manager go on from what was committed; it reads again what that says."""
        self.log.write([], self.manager)
        self.manager = self.log.take_over()
        for record in self._said.values():
            self.manager.restore_state(record)
        return self.manager

    def standing(self) -> dict[str, str]:
        """Return the state of each alarm that is not normal."""
        last = {record.alarm_id: record.state.value for record in self.log.alarms()}
        return {name: state for name, state in last.items() if state != "NORM"}

    def _write(self, written: list[Any]) -> None:
        if written:
            self.log.write(written, self.manager)

    def _windows(
        self, seconds: float, fault: Fault, jitter_s: float
    ) -> Iterable[tuple[float, WindowScore]]:
        for furnace_id in self.furnaces:
            number = self._numbers.get(furnace_id, 0)
            while (end_s := second_of(number, furnace_id)) < self.now_s + seconds - 1:
                changes = fault(furnace_id, end_s) if end_s >= self.now_s - 1 else None
                if changes is not None:
                    at_s = end_s + 0.5 + self._chance.random() * jitter_s
                    yield max(at_s, self.now_s), window(number, furnace_id, at_s, changes)
                number += 1
            self._numbers[furnace_id] = number


def window(
    number: int, furnace_id: str, published_s: float, changes: dict[str, Any]
) -> WindowScore:
    """Return a score as published at a second."""
    changes = dict(changes)
    logit, modalities = changes.pop("logit", -3.0), changes.pop("modalities", BOTH)
    end_ns = window_end(number, furnace_id)
    times = ScoreTimes(
        last_event_ns=end_ns,
        last_ingest_ns=end_ns,
        joined_ns=end_ns,
        scored_ns=None if logit is None else at(published_s),
        published_ns=at(published_s),
    )
    return score(number, logit, furnace_id, modalities, **(changes | {"times": times}))


def begun(**seconds: float) -> dict[Modality, SourceState]:
    """Return states of sources that began at a second each."""
    return {
        Modality(name): SourceState(
            proven=True,
            boot_id="0" * 16,
            seq=1,
            event_ns=at(second),
            ingest_ns=at(second),
            standing_since_ns=at(second),
            stepped_from_ns=None,
            begun_ns=at(second),
        )
        for name, second in seconds.items()
    }


def at(second: float) -> int:
    """Return the wall clock at a second, ns UTC."""
    return START_NS + round(second * NS_PER_S)


def second_of(number: int, furnace_id: str) -> float:
    """Return when a window ends."""
    return (window_end(number, furnace_id) - START_NS) / NS_PER_S
