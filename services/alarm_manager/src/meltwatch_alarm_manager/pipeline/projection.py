"""From the alarms topic and the scores to changes of the read model."""

from collections.abc import Callable, Iterable

import structlog
from meltwatch_core.alarms.manager.outgoing import said
from meltwatch_core.alarms.trust import not_ahead, read_once
from meltwatch_core.alarms.watch import MAX_FURNACES
from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.identifiers import alarm_id_of
from meltwatch_schemas.record import RawRecord, read_json
from meltwatch_schemas.score import WindowScore
from meltwatch_schemas.topics import Topic

from meltwatch_alarm_manager.ports import AlarmChange, FurnaceChange

_log = structlog.get_logger()


class Projection:
    """Reads what the view is made from.

    Parameters
    ----------
    prefix
        Topic prefix.
    is_registered
        Tells whether somebody has registered a furnace.
    max_furnaces
        Limit of unregistered furnaces, because anybody may invent names.
    """

    def __init__(
        self,
        prefix: str,
        is_registered: Callable[[str], bool],
        max_furnaces: int = MAX_FURNACES,
    ) -> None:
        self._alarms = Topic.ALARMS.under(prefix)
        self._is_registered = is_registered
        self._max_furnaces = max_furnaces
        self._unregistered: set[str] = set()

    def changes(
        self, records: Iterable[RawRecord], now_ns: int
    ) -> list[AlarmChange | FurnaceChange]:
        """Return the changes that records bring: every alarm record, the newest of each furnace.

        Parameters
        ----------
        records
            Of the alarms topic and the scores.
        now_ns
            Wall clock, ns UTC: a window in the future is no furnace's newest.
        """
        alarms: list[AlarmChange | FurnaceChange] = []
        furnaces: dict[str, FurnaceChange] = {}
        for record in records:
            try:
                if record.topic == self._alarms:
                    alarms.append(_alarm_change(record))
                else:
                    self._note(not_ahead(read_once(record), now_ns), furnaces)
            except Exception as error:  # noqa: BLE001 - whatever it holds, it ends nothing
                self._report(record, error)
        return [*alarms, *furnaces.values()]

    def _note(self, score: WindowScore, furnaces: dict[str, FurnaceChange]) -> None:
        name, known = score.furnace_id, furnaces.get(score.furnace_id)
        if known is not None and score.window_end_ns <= known.score.window_end_ns:
            return
        is_registered = self._is_registered(name)
        if is_registered or self._has_room(name):
            furnaces[name] = FurnaceChange(score, score.unregistered or not is_registered)

    def _has_room(self, name: str) -> bool:
        """Tell whether an unregistered furnace is shown; the manager counts whom it refuses."""
        if name not in self._unregistered and len(self._unregistered) < self._max_furnaces:
            self._unregistered.add(name)
        return name in self._unregistered

    def _report(self, record: RawRecord, error: Exception) -> None:
        """Log a refused alarm record; a refused score is in the dead letters by the manager."""
        if record.topic == self._alarms:
            _log.error("alarm_record_refused", offset=record.offset, detail=said(error))


def _alarm_change(record: RawRecord) -> AlarmChange:
    alarm_id = alarm_id_of(record.key)
    if record.value is None:
        return AlarmChange(alarm_id, None, b"", record.offset)
    return AlarmChange(alarm_id, read_json(record, AlarmRecord), record.value, record.offset)
