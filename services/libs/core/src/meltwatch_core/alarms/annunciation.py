"""What an operator acknowledges: an occurrence as it was announced, not one record of it."""

from dataclasses import dataclass
from typing import Final, Self

from meltwatch_schemas.alarm import AlarmRecord, AlarmState, Transition
from meltwatch_schemas.alarm_command import Command

MAX_EVENTS: Final = 10_000
"""Of more records since an annunciation only the newest count, and the announcing one."""
_ANEW: Final = frozenset({"RAISE", "REALARM"})


def announces(transition: Transition) -> bool:
    """Tell whether a transition calls an operator: no remark and no change of quality does."""
    if transition.to is not AlarmState.UNACK:
        return False
    return transition.from_ is not AlarmState.UNACK or transition.cause in _ANEW


@dataclass(frozen=True, slots=True)
class Annunciation:
    """The records of an occurrence since it was last announced.

    Attributes
    ----------
    event_id
        Of the record that announced it; None where it never was, or nobody knows any more.
    since
        Event ids of its records from then on, the newest last.
    acknowledgement
        Event id of the record of its acknowledgement, if there is one.
    """

    event_id: str | None = None
    since: tuple[str, ...] = ()
    acknowledgement: str | None = None

    def covers(self, event_id: str) -> bool:
        """Tell whether somebody who saw this event has seen the annunciation."""
        return event_id == self.event_id or event_id in self.since

    def after(self, record: AlarmRecord, before: AlarmRecord | None) -> Self:
        """Return what is known after one more record; the topic may lack some before it.

        Parameters
        ----------
        record
            In the order of the topic.
        before
            The last one before it that is known.
        """
        event_id = record.event_id
        if announces(record.transition):
            return type(self)(event_id, (event_id,))
        is_same = before is not None and before.occurrence_id == record.occurrence_id
        named = record.annunciation_id
        known = self if is_same and named in (None, self.event_id) else type(self)(named)
        is_ack = record.transition.cause == Command.ACK.upper()
        return type(self)(
            known.event_id,
            (*known.since, event_id)[-MAX_EVENTS:],
            event_id if is_ack else known.acknowledgement,
        )
