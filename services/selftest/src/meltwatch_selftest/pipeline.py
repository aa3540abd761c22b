"""The course of a self-test: live windows, an anomaly, its alarm, its acknowledgement, calm."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from meltwatch_chassis.clock import Clock
from meltwatch_schemas.alarm import AlarmRecord, AlarmState
from meltwatch_schemas.alarm_command import CommandResult
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.identifiers import alarm_id
from meltwatch_schemas.instants import ns_from_utc
from meltwatch_schemas.record import RawRecord, read_json, read_score
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_S

from meltwatch_selftest.domain.furnace import SyntheticFurnace
from meltwatch_selftest.domain.messages import (
    CONDITION,
    acknowledgement,
    alarm_point,
    chunk_record,
    furnace_off,
    no_alarm_point,
)
from meltwatch_selftest.domain.verdict import SelftestVerdict, Windows
from meltwatch_selftest.ports import AlarmView, Tell, Topics

_PIECE_NS: Final = 2 * NS_PER_S
"""Video and current of the history are sent in pieces: less than the idle gap of 5 s apart."""
_YOUNG_NS: Final = 10 * NS_PER_S
_REMIND_NS: Final = 10 * NS_PER_S

_Seen = TypeVar("_Seen")


@dataclass(frozen=True, slots=True)
class Limits:
    """How long to wait, s.

    Attributes
    ----------
    patience_s
        For the first live window with a verdict.
    budget_s
        From the beginning of the anomaly to the alarm's record.
    settling_s
        For each step after that: Redis, the acknowledgement, the return to normal.
    """

    patience_s: float
    budget_s: float
    settling_s: float = 60.0


@dataclass(slots=True)
class SelfTest:
    """One run of the self-test.

    Attributes
    ----------
    furnace
        The furnace that it shows to the system.
    topics, view
        The system's topics and its view of the alarms.
    prefix
        First part of the topics' names.
    clock
        Event times are those of the wall clock.
    tell
        Takes progress.
    """

    furnace: SyntheticFurnace
    topics: Topics
    view: AlarmView
    prefix: str
    clock: Clock
    tell: Tell
    windows: Windows = field(default_factory=Windows, init=False)
    _alarms: list[AlarmRecord] = field(default_factory=list, init=False)
    _results: dict[str | None, CommandResult] = field(default_factory=dict, init=False)
    _failures: list[str] = field(default_factory=list, init=False)
    _live_ns: int | None = field(default=None, init=False)
    _anomaly_ns: int | None = field(default=None, init=False)

    @property
    def alarm_id(self) -> str:
        """Id of the furnace's alarm."""
        return alarm_id(self.furnace.furnace_id, CONDITION)

    def run_course(self, limits: Limits) -> SelftestVerdict:
        """Show the system a furnace and return the result."""
        self.topics.send([alarm_point(self.alarm_id)])
        try:
            self._watch(limits)
        finally:
            off = furnace_off(self.furnace.furnace_id, self.clock.now_ns())
            self.topics.send([no_alarm_point(self.alarm_id), off])
        return self._verdict()

    def _watch(self, limits: Limits) -> None:
        self.tell(f"{self.furnace.furnace_id}: publishing two minutes of history")
        self._live_ns = self._until(
            self._young_window, limits.patience_s, "a live window with a verdict on both modalities"
        )
        if self._live_ns is None:
            return
        if self._alarms:
            self._failures.append("expected no alarm of a calm furnace, got one")
        self.tell("windows are judged live; the furnace begins to overheat")
        self._anomaly_ns = self.clock.now_ns()
        self.furnace.overheat(self._anomaly_ns)
        raised = self._until(self._newest(AlarmState.UNACK), limits.budget_s, "an alarm")
        if raised is not None:
            self._follow(raised, limits.settling_s)
        self._judge_windows()

    def _follow(self, raised: AlarmRecord, limit_s: float) -> None:
        """See the alarm in Redis, acknowledge it, and see it go."""
        self.tell(f"alarm after {self._seconds_since_anomaly(raised):.1f} s; acknowledging it")
        self._until(self._in_redis(AlarmState.UNACK), limit_s, "the alarm in Redis")
        command_id = str(uuid.uuid4())
        self.topics.send([acknowledgement(command_id, raised, self.clock.now_ns())])
        answer = self._until(
            lambda: self._results.get(command_id), limit_s, "an answer to the acknowledgement"
        )
        if answer is not None and answer.result != "done":
            self._failures.append(f"expected the acknowledgement done, got {answer.detail}")
        self.tell("the furnace calms down")
        self.furnace.calm_down()
        self._until(self._newest(AlarmState.NORM), limit_s, "the alarm back to normal")
        self._until(self._in_redis(AlarmState.NORM), limit_s, "the same in Redis")

    def _judge_windows(self) -> None:
        if missing := self.windows.missing():
            self._failures.append(f"expected a window of every number, {missing} are missing")
        if self._live_ns is not None and (bad := self.windows.without_verdict(self._live_ns)):
            self._failures.append(
                f"expected every live window scored, {len(bad)} are not, the first for "
                f"{', '.join(bad[0].reasons) or bad[0].status}"
            )

    def _until(self, seen: Callable[[], _Seen | None], limit_s: float, what: str) -> _Seen | None:
        """Send data until something is seen; note a failure if the time is over."""
        began_ns = reminded_ns = self.clock.monotonic_ns()
        while (found := seen()) is None:
            now_ns = self.clock.monotonic_ns()
            if now_ns - began_ns > limit_s * NS_PER_S:
                self._failures.append(
                    f"expected {what} within {limit_s:g} s, got none; {self.windows.summary()}"
                )
                return None
            if now_ns - reminded_ns > _REMIND_NS:
                reminded_ns = now_ns
                self.tell(f"waiting for {what}; {self.windows.summary()}")
            self._go_on()
        return found

    def _go_on(self) -> None:
        """Send what is due and read what has come."""
        now_ns = self.clock.now_ns()
        while self.furnace.position_ns < now_ns:
            until_ns = min(now_ns, self.furnace.position_ns + _PIECE_NS)
            due = self.furnace.due(until_ns)
            self.topics.send(chunk_record(chunk, self.clock.now_ns()) for chunk in due)
        for record in self.topics.collect():
            try:
                self._take(record)
            except ContractViolation as refusal:
                self._failures.append(f"{record.topic}: {refusal}")

    def _take(self, record: RawRecord) -> None:
        if record.topic == Topic.SCORES.under(self.prefix):
            self.windows.add_score(read_score(record))
        elif record.topic == Topic.ALARMS.under(self.prefix):
            alarm = read_json(record, AlarmRecord)
            if alarm.alarm_id == self.alarm_id:
                self._alarms.append(alarm)
        else:
            result = read_json(record, CommandResult)
            self._results[result.command_id] = result

    def _young_window(self) -> int | None:
        newest_ns = self.windows.newest_scored_ns()
        return newest_ns if newest_ns and self.clock.now_ns() - newest_ns < _YOUNG_NS else None

    def _newest(self, state: AlarmState) -> Callable[[], AlarmRecord | None]:
        def seen() -> AlarmRecord | None:
            newest = self._alarms[-1] if self._alarms else None
            return newest if newest and newest.state is state else None

        return seen

    def _in_redis(self, state: AlarmState) -> Callable[[], AlarmRecord | None]:
        def seen() -> AlarmRecord | None:
            shown = self.view.alarm(self.alarm_id)
            return shown if shown and shown.state is state else None

        return seen

    def _seconds_since_anomaly(self, raised: AlarmRecord) -> float:
        return (ns_from_utc(raised.times.published) - (self._anomaly_ns or 0)) / NS_PER_S

    def _verdict(self) -> SelftestVerdict:
        raised = next((each for each in self._alarms if each.state is AlarmState.UNACK), None)
        waited_s = None
        if raised is not None and raised.raise_time is not None:
            waited_s = (raised.times.published - raised.raise_time).total_seconds()
        live_ns = self._live_ns
        return SelftestVerdict(
            furnace_id=self.furnace.furnace_id,
            alarm_id=self.alarm_id,
            failures=tuple(self._failures),
            windows=self.windows.statuses() | {"missing": self.windows.missing()},
            event_to_score_s=self.windows.event_to_score_s(live_ns) if live_ns else None,
            anomaly_to_alarm_s=self._seconds_since_anomaly(raised) if raised else None,
            event_to_alarm_s=waited_s,
        )
