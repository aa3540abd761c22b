"""A system under test that lives in memory: it judges our furnace by what the furnace was told."""

from dataclasses import dataclass, field
from typing import Any

from meltwatch_chassis.testing import ManualClock
from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.alarm_command import AlarmCommand, CommandResult
from meltwatch_schemas.instants import utc_from_ns
from meltwatch_schemas.record import JSON, MSGPACK, OutgoingRecord, RawRecord, headers_for
from meltwatch_schemas.score import SCHEMA, encode_score
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_MS, PUBLISHED_SPEC
from meltwatch_selftest.domain.furnace import SyntheticFurnace

from tests.support.builders import alarm_record, window_score

PREFIX = "meltwatch"
HOP_NS = PUBLISHED_SPEC.hop_ns


class WatchedFurnace(SyntheticFurnace):
    """Says what it was told last."""

    hot = False

    def overheat(self, from_ns: int) -> None:
        super().overheat(from_ns)
        self.hot = True

    def calm_down(self) -> None:
        super().calm_down()
        self.hot = False


@dataclass
class System:
    """Topics and view at once; time goes on by 200 ms with each look.

    Attributes
    ----------
    faults
        What it does wrong: ``deaf`` scores nothing, ``blind`` never alarms, ``gap`` leaves a
        window out, ``unscored`` gives one no verdict, ``no_view`` keeps Redis empty,
        ``refuses`` answers no, ``stuck`` never returns to normal, ``garbles`` an alarm record.
    """

    clock: ManualClock
    furnace: WatchedFurnace
    alarm_id: str
    faults: set[str] = field(default_factory=set)
    sent: list[OutgoingRecord] = field(default_factory=list)
    records: list[RawRecord] = field(default_factory=list)
    state: str = "NORM"
    last_end_ns: int = 0
    live: int = 0

    def send(self, records: Any) -> None:
        for record in records:
            self.sent.append(record)
            if record.topic is Topic.ALARM_COMMANDS:
                self._answer(AlarmCommand.from_json(record.value))

    def collect(self) -> list[RawRecord]:
        self.clock.advance(200 * NS_PER_MS)
        end_ns = PUBLISHED_SPEC.first_end_after(
            self.furnace.furnace_id, self.clock.now_ns() - HOP_NS
        )
        if end_ns > self.last_end_ns and "deaf" not in self.faults:
            self.last_end_ns = end_ns
            self._judge(end_ns)
        come, self.records = self.records, []
        return come

    def alarm(self, alarm_id: str) -> AlarmRecord | None:
        assert alarm_id == self.alarm_id
        return None if "no_view" in self.faults else alarm_record(alarm_id, state=self.state)

    def _judge(self, end_ns: int) -> None:
        self.live += 1
        if self.live == 2 and "gap" in self.faults:
            return
        if self.live == 2 and "garbles" in self.faults:
            self._publish(Topic.ALARMS, self.alarm_id, b"{}", headers_for("alarm/1.0", JSON))
        logit = None if self.live == 2 and "unscored" in self.faults else -3.0
        score = encode_score(window_score(end_ns, self.furnace.furnace_id, logit))
        self._publish(Topic.SCORES, self.furnace.furnace_id, score, headers_for(SCHEMA, MSGPACK))
        hot = self.furnace.hot
        if hot and self.live > 2 and self.state == "NORM" and "blind" not in self.faults:
            self._become("UNACK")
        elif not hot and self.state == "ACKED" and "stuck" not in self.faults:
            self._become("NORM")

    def _answer(self, command: AlarmCommand) -> None:
        refused = "refuses" in self.faults
        result = CommandResult(
            command_id=command.command_id,
            alarm_id=self.alarm_id,
            result="refused" if refused else "done",
            code="not_permitted" if refused else "ok",
            detail="not today" if refused else "",
            at=utc_from_ns(self.clock.now_ns()),
        )
        headers = headers_for("alarm-result/1.0", JSON)
        self._publish(Topic.ALARM_RESULTS, self.alarm_id, result.to_json(), headers)
        self._become("ACKED")

    def _become(self, state: str) -> None:
        self.state = state
        now = utc_from_ns(self.clock.now_ns())
        times = dict.fromkeys(("event", "watermark", "ingest", "scored", "published"), now)
        record = alarm_record(self.alarm_id, state=state, times=times, raise_time=now)
        headers = headers_for("alarm/1.0", JSON)
        self._publish(Topic.ALARMS, self.alarm_id, record.to_json(), headers)

    def _publish(self, topic: Topic, key: str, value: bytes, headers: Any) -> None:
        self.records.append(
            RawRecord(topic.under(PREFIX), 0, 0, 0, key.encode(), value, tuple(headers))
        )
