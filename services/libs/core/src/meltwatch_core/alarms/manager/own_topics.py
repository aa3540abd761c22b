"""The topics that only the manager may write: what others write there is corrected.

It reads them as it reads its input. A record that it did not write is kept as a dead letter, and
what is true of the alarm that it touched is written again, in a new reign above the one it claims.
Adapters alone may give their own signs of life among the manager's.
"""

from collections.abc import Mapping
from typing import Final

import structlog
from meltwatch_schemas.access import ACCESS, Principal
from meltwatch_schemas.errors import ContractViolation, violation
from meltwatch_schemas.identifiers import alarm_id_of
from meltwatch_schemas.record import OutgoingRecord, RawRecord
from meltwatch_schemas.text import escaped
from meltwatch_schemas.topics import Topic

from meltwatch_core.alarms.adapters import adapter_of
from meltwatch_core.alarms.authorship import MAX_EPOCH, Authorship, claimed_epoch
from meltwatch_core.alarms.commit_note import authorships
from meltwatch_core.alarms.manager.outgoing import tombstone
from meltwatch_core.alarms.manager.scribe import Scribe
from meltwatch_core.alarms.manager.system import SystemDesk
from meltwatch_core.alarms.ports import Commit, Place, Written
from meltwatch_core.alarms.system_alarms import FOREIGN_WRITER

OWN: Final = ACCESS[Principal.ALARM_MANAGER].own
_log = structlog.get_logger()


class OwnTopics:
    """Tells the manager's own records from others, and answers the others.

    Parameters
    ----------
    scribe
        Keeps the alarms: what it holds is true, whatever a topic says.
    system
        Raises ``FOREIGN_WRITER``.
    """

    def __init__(self, scribe: Scribe, system: SystemDesk) -> None:
        self._scribe = scribe
        self._system = system
        self._authorships: dict[Place, Authorship] = {}

    def trust(self, commits: Mapping[Place, Commit | None]) -> dict[Place, int | None]:
        """Take over what former managers have committed; return where each topic is read from."""
        own = {place: commit for place, commit in commits.items() if place.topic in OWN}
        last = max((commit.epoch for commit in commits.values() if commit), default=0)
        self._authorships = authorships(own, last)
        return {
            place: self._authorships[place].checked if place in self._authorships else None
            for place in own
        }

    def is_own(self, topic: Topic, record: RawRecord) -> bool:
        """Tell whether a record was written by a manager, this one or one before it."""
        authorship = self._authorships.get(Place(topic, record.partition))
        return authorship is None or authorship.is_own(record.offset)

    def begin_topic(self, place: Place, start: int) -> None:
        """Begin to look a topic through, from an offset on."""
        known = self._authorships.get(place)
        if known is None or start < known.checked:
            self._authorships[place] = Authorship(start)

    def pass_over(self, place: Place, record: RawRecord) -> None:
        """Account for a record without looking at it."""
        self._authorships[place].look_at(record.offset)

    def handle_own_record(
        self, topic: Topic, record: RawRecord, now_ns: int
    ) -> list[OutgoingRecord]:
        """Look at the next record of a topic; return what corrects it, if it is foreign."""
        is_own = self._authorships[Place(topic, record.partition)].look_at(record.offset)
        if is_own or self._is_of_adapter(topic, record, now_ns):
            return []
        claimed = claimed_epoch(record)
        self._report(topic, record, claimed)
        self._scribe.outdo(claimed)
        refusal = violation(f"expected records of the alarm manager alone, epoch {claimed} claimed")
        return [
            *(self._put_right(record, claimed, now_ns) if topic is Topic.ALARMS else []),
            self._scribe.set_aside(record, topic, refusal),
        ]

    def restore_beat(self, record: RawRecord) -> None:
        """Take over that an adapter was there, some time ago."""
        self._is_of_adapter(Topic.HEARTBEATS, record, 0)

    def _is_of_adapter(self, topic: Topic, record: RawRecord, now_ns: int) -> bool:
        name = adapter_of(record) if topic is Topic.HEARTBEATS else None
        if name is not None:
            self._system.adapters.hear(name, now_ns)
        return name is not None

    def _report(self, topic: Topic, record: RawRecord, claimed: int) -> None:
        self._scribe.count_foreign(topic)
        self._system.report(FOREIGN_WRITER, f"{topic} offset {record.offset}")
        _log.error(
            "foreign_writer",
            topic=topic.value,
            partition=record.partition,
            offset=record.offset,
            key=escaped((record.key or b"").decode(errors="backslashreplace"))[:200],
            claimed_epoch=claimed,
        )

    def _put_right(self, record: RawRecord, claimed: int, now_ns: int) -> list[OutgoingRecord]:
        """Return the true record of an alarm, or, of one that never was, that there is none."""
        try:
            alarm_id = alarm_id_of(record.key)
        except ContractViolation:
            return []  # no reader looks for an alarm under such a key
        forget = tombstone(Topic.ALARMS, alarm_id)
        alarm = self._scribe.registry.last_known(alarm_id)
        if alarm is None or alarm.record is None:
            return [forget]
        truth = self._scribe.restate(alarm, now_ns)
        # No epoch of ours is above such a claim: readers must forget it first.
        return [forget, *truth] if claimed > MAX_EPOCH else truth

    def commits(self, written: Written) -> dict[Place, Commit]:
        """Return how far each topic has been looked through, a transaction's records included."""
        begun: set[Place] = set()
        for place, offset in written:
            if place in self._authorships:
                self._authorships[place].wrote(offset, begins=place not in begun)
                begun.add(place)
        return {
            place: Commit(known.checked, known.checked, self._scribe.epoch, own=tuple(known.own))
            for place, known in self._authorships.items()
        }
