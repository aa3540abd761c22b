"""What one channel tells, and when: groups, reminders, quiet hours, another try.

Pure: the present is an argument. What has been told before the process started comes from the
receipts, so that a restart neither repeats everything nor forgets a reminder.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from meltwatch_schemas.alarm import Priority

from meltwatch_notify_gateway.domain.call import RANK, Call, Notice, is_within, reading_order
from meltwatch_notify_gateway.domain.plan import ChannelPlan

GROUP: Final = timedelta(seconds=10)
"""What begins within it is one message, and there is one message of a plant in it."""
_FIRST_PAUSE: Final = timedelta(seconds=10)
_LONGEST_PAUSE: Final = timedelta(seconds=60)
LOST_AFTER: Final = 3
"""Tries in a row that failed: then other channels are told."""


@dataclass(slots=True)
class _Waiting:
    call: Call
    asked: datetime
    told: datetime | None

    def is_due(self, now: datetime, interval: timedelta) -> bool:
        return self.told is None or not is_within(self.told, now, interval)


class Pager:
    """The calls of one channel.

    Parameters
    ----------
    plan
        How the channel is used.

    Attributes
    ----------
    failures
        Tries in a row that have failed.
    """

    def __init__(self, plan: ChannelPlan) -> None:
        self.plan = plan
        self.failures = 0
        self._told: Mapping[str, datetime] = {}
        self._waiting: dict[str, _Waiting] = {}
        self._last: dict[str, datetime] = {}
        self._failed_at: datetime | None = None
        self._is_telling = False

    @property
    def open_calls(self) -> int:
        """How many calls wait for an acknowledgement."""
        return len(self._waiting)

    @property
    def is_lost(self) -> bool:
        """So many tries have failed that others must know."""
        return self.failures >= LOST_AFTER

    def recall(self, told: Mapping[str, datetime]) -> None:
        """Take when calls were last told, by their tokens: what the receipts say."""
        self._told = told

    def hear(self, alarm_id: str, call: Call | None, now: datetime) -> None:
        """Take why an alarm calls now, None if it does not any more."""
        known = self._waiting.get(alarm_id)
        if call is None or not self.plan.tells(call):
            self._waiting.pop(alarm_id, None)
        elif known is not None and known.call.token == call.token:
            known.call = call
        else:
            self._waiting[alarm_id] = _Waiting(call, now, self._told.get(call.token))

    def next_notice(self, now: datetime) -> Notice | None:
        """Return what is to be told now; it must be settled before there is another."""
        if self._is_telling or self._is_pausing(now):
            return None
        ready = [notice for notice in self._groups(now) if self._may_go(notice, now)]
        if not ready:
            return None
        self._is_telling = True
        notice = min(ready, key=lambda each: (RANK[each.priority], each.first_out.since))
        self._last[notice.plant] = now
        return notice

    def settle(self, notice: Notice, now: datetime, *, delivered: bool) -> None:
        """Take what has become of a notice: told, or to be tried again."""
        self._is_telling = False
        self._last = {p: at for p, at in self._last.items() if is_within(at, now, GROUP)}
        self._last[notice.plant] = now
        if not delivered:
            self.failures += 1
            self._failed_at = now
            return
        self.failures, self._failed_at = 0, None
        for call in notice.calls:
            waiting = self._waiting.get(call.alarm_id)
            if waiting is not None and waiting.call.token == call.token:
                waiting.told = now

    def _is_pausing(self, now: datetime) -> bool:
        if self._failed_at is None:
            return False
        pause = min(_FIRST_PAUSE * 2 ** min(self.failures - 1, 8), _LONGEST_PAUSE)
        return is_within(self._failed_at, now, pause)

    def _groups(self, now: datetime) -> Iterator[Notice]:
        groups: dict[str, list[_Waiting]] = defaultdict(list)
        for each in self._waiting.values():
            is_due = each.is_due(now, self.plan.interval(each.call))
            if is_due and not self.plan.holds(each.call, now):
                groups[each.call.plant].append(each)
        for group in groups.values():
            reminded = frozenset(each.call.token for each in group if each.told is not None)
            yield Notice(reading_order([each.call for each in group]), reminded)

    def _may_go(self, notice: Notice, now: datetime) -> bool:
        """Wait for what belongs to the group, but not with a critical one, nor a reminder."""
        last = self._last.get(notice.plant)
        if last is not None and is_within(last, now, GROUP):
            return False
        if notice.priority is Priority.CRITICAL or notice.reminded:
            return True
        asked = min(self._waiting[call.alarm_id].asked for call in notice.calls)
        return not is_within(asked, now, GROUP)
