"""From changes of alarms to the calls of every channel, and the notifications' own troubles."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from meltwatch_schemas.alarm import Priority
from meltwatch_schemas.alarm_board import AlarmTurn

from meltwatch_notify_gateway.domain.call import Call, Notice
from meltwatch_notify_gateway.domain.pager import Pager


class Switchboard:
    """Tells each channel's pager what calls, also when another channel or the manager is silent.

    Parameters
    ----------
    prefix
        Topic prefix: whose troubles these are.
    pagers
        By channel.
    """

    def __init__(self, prefix: str, pagers: Mapping[str, Pager]) -> None:
        self._prefix = prefix
        self._calls: dict[str, Call] = {}
        self.pagers = pagers

    def hear(self, turns: Iterable[AlarmTurn], now: datetime) -> None:
        """Take what has changed, in the order of the topic."""
        for turn in turns:
            known = self._calls.get(turn.alarm_id)
            call = None if turn.after is None else Call.of(turn.after, known)
            self._tell(turn.alarm_id, call, now)

    def note_link(self, now: datetime, *, is_down: bool) -> None:
        """Take whether the alarm manager is heard."""
        words = (
            "No sign of life of the alarm manager for 15 s: new alarms cannot be told. "
            "Watch the furnaces by other means, and call who runs Meltwatch."
        )
        self._note("ALARM_PIPELINE_DOWN", Priority.CRITICAL, words if is_down else None, now)

    def settle(self, name: str, notice: Notice, now: datetime, problem: str | None) -> None:
        """Take what has become of a channel's notice: None, or why it was not delivered."""
        pager = self.pagers[name]
        pager.settle(notice, now, delivered=problem is None)
        words = (
            f"Notifications by the channel {name} fail: {problem}. "
            "Who relies on it hears nothing at present."
        )
        self._note(f"{name}/CHANNEL_DOWN", Priority.HIGH, words if pager.is_lost else None, now)

    def _note(self, what: str, priority: Priority, words: str | None, now: datetime) -> None:
        alarm_id = f"{self._prefix}/{what}"
        is_known = alarm_id in self._calls
        if words is not None and not is_known:
            token = f"{what}@{now.isoformat()}"
            self._tell(alarm_id, Call(alarm_id, token, priority, now, words=words), now)
        elif words is None and is_known:
            self._tell(alarm_id, None, now)

    def _tell(self, alarm_id: str, call: Call | None, now: datetime) -> None:
        if call is None:
            self._calls.pop(alarm_id, None)
        else:
            self._calls[alarm_id] = call
        for name, pager in self.pagers.items():
            if alarm_id != self._channel_down(name):
                pager.hear(alarm_id, call, now)

    def _channel_down(self, name: str) -> str:
        """Return the id of the trouble of a channel, which it cannot tell itself."""
        return f"{self._prefix}/{name}/CHANNEL_DOWN"
