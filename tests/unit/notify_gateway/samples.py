"""Alarms as a pager hears them, told second by second."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from meltwatch_notify_gateway.domain.call import Notice
from meltwatch_notify_gateway.domain.pager import Pager
from meltwatch_notify_gateway.domain.plan import ChannelPlan
from meltwatch_notify_gateway.domain.switchboard import Switchboard
from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.alarm_board import AlarmTurn
from meltwatch_schemas.instants import utc_from_ns

from tests.support.builders import NOON_NS, alarm_record

NOON = utc_from_ns(NOON_NS)
PREFIX = "meltwatch"


def alarm_id_of(number: int, plant: str = "dashiqiao") -> str:
    return f"{plant}/smelting-1/FMF-{number:02}/OVERHEAT"


def alarm(number: int = 1, seq: int = 1, state: str = "UNACK", **changes: object) -> AlarmRecord:
    """Build a record of the n-th furnace's alarm; each is an annunciation unless it names one."""
    plant = str(changes.pop("plant", "dashiqiao"))
    usual = {
        "state": state,
        "active": state in ("UNACK", "ACKED"),
        "acked": state == "ACKED",
        "event_id": f"{number:016x}{seq:016x}",
        "annunciation_id": f"{number:016x}{seq:016x}",
    }
    return alarm_record(alarm_id_of(number, plant), seq, **usual | changes)


@dataclass
class Told:
    at_s: float
    notice: Notice


@dataclass
class Night:
    """One channel, second by second; what it tells arrives unless ``accepts`` says otherwise."""

    plan: ChannelPlan = field(default_factory=lambda: ChannelPlan("mail"))
    accepts: Callable[[float], bool] = lambda _: True
    at_s: float = 0.0
    told: list[Told] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.pager = Pager(self.plan)
        self.board = Switchboard(PREFIX, {self.plan.name: self.pager})

    def hear(self, *records: AlarmRecord) -> None:
        turns = [AlarmTurn(record.alarm_id, None, record) for record in records]
        self.board.hear(turns, self.now)

    @property
    def now(self):
        return NOON + timedelta(seconds=self.at_s)

    def go_on(self, seconds: float) -> list[Told]:
        begin = len(self.told)
        for _ in range(round(seconds)):
            self.at_s += 1
            while (notice := self.pager.next_notice(self.now)) is not None:
                arrived = self.accepts(self.at_s)
                if arrived:
                    self.told.append(Told(self.at_s, notice))
                self.board.settle(
                    self.plan.name, notice, self.now, None if arrived else "no answer"
                )
        return self.told[begin:]


def tokens(told: Iterable[Told]) -> list[str]:
    return [call.token for each in told for call in each.notice.calls]
