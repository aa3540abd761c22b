"""What a copy of the state topics must know of the alarm manager, to save and to give it back."""

from collections.abc import Callable, Mapping
from typing import Final

from meltwatch_core.alarms.authorship import MAX_OWN_EPOCH, Authorship
from meltwatch_core.alarms.commit_note import authorships
from meltwatch_core.alarms.ports import Commit, Place
from meltwatch_schemas import portrait
from meltwatch_schemas.access import ACCESS, Principal
from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.alarm_command import AlarmCommand, CommandResult
from meltwatch_schemas.alarm_point import AlarmPoint
from meltwatch_schemas.outside import AlarmReceipt, FurnaceState
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_S

STATE: Final = ACCESS[Principal.BACKUP].inputs
"""Topics that nothing else in the system could fill again, each of one partition."""
_MANAGER: Final = ACCESS[Principal.ALARM_MANAGER]
_OWN: Final = tuple(topic for topic in STATE if topic in _MANAGER.own)
RESUMED: Final = tuple(topic for topic in STATE if topic in (*_MANAGER.inputs, *_MANAGER.own))
"""Those of which the alarm manager commits how far it is."""
OFFSETS_GROUP: Final = _MANAGER.groups[-1]
"""Under which it does, without the prefix."""
(WRITER,) = _MANAGER.transactional_ids
"""As whom it writes, without the prefix."""
_SCHEMAS: Final = {
    Topic.ALARMS: AlarmRecord.schema_id,
    Topic.ALARM_POINTS: AlarmPoint.schema_id,
    Topic.FURNACE_STATES: FurnaceState.schema_id,
    Topic.ALARM_COMMANDS: AlarmCommand.schema_id,
    Topic.ALARM_RESULTS: CommandResult.schema_id,
    Topic.ALARM_RECEIPTS: AlarmReceipt.schema_id,
    Topic.PORTRAITS: portrait.SCHEMA,
}
Commits = Mapping[Place, Commit]


def schema_of(topic: Topic) -> str:
    """Return the kind and major version of a topic's messages, e.g. ``alarm/1``."""
    kind, _, _ = _SCHEMAS[topic].partition(".")
    return kind


def newest_epoch(commits: Commits) -> int:
    """Return the newest generation of the alarm manager that has committed; 0 if none has."""
    return max((commit.epoch for commit in commits.values()), default=0)


def judged_below(commits: Commits) -> dict[Topic, int]:
    """Return, by topic that others write, the offset below which all has been judged."""
    return {
        topic: commits[Place(topic, 0)].position
        for topic in RESUMED
        if topic not in _OWN and Place(topic, 0) in commits
    }


class Authors:
    """Tells the alarm manager's own records from those that somebody else has put among them.

    A record and the commit that names it become readable one after the other. So what no commit
    names is asked about again before it counts as somebody else's.

    Parameters
    ----------
    look
        Returns what is committed now.
    wait
        Waits a moment; returns False once there is no patience left.
    """

    def __init__(self, look: Callable[[], Commits], wait: Callable[[], bool]) -> None:
        self._look = look
        self._wait = wait
        self._known = _authorships(look())

    def is_own(self, topic: Topic, offset: int) -> bool:
        """Tell whether a manager wrote a record; of topics that anybody writes it always is."""
        if topic not in _OWN:
            return True
        while (known := self._known.get(Place(topic, 0))) and not known.is_own(offset):
            if not self._wait():
                return False
            self._known = _authorships(self._look())
        return True


def _authorships(commits: Commits) -> dict[Place, Authorship]:
    own = {place: commit for place, commit in commits.items() if place.topic in _OWN}
    return authorships(own, newest_epoch(commits))


class RestoredPlace:
    """How far the alarm manager is done with a topic that is written anew.

    Parameters
    ----------
    judged
        Of the old offsets, below which it was done; None if it wrote all of it itself.
    begin
        First new offset.

    Attributes
    ----------
    position
        Of the new offsets, below which it is done.
    """

    def __init__(self, judged: int | None, begin: int) -> None:
        self._judged = judged
        self.position = begin

    def note(self, old: int, new: int) -> None:
        """Note where a record stood and stands; both ascend."""
        if self._judged is None or old < self._judged:
            self.position = new + 1

    def commit(self, epoch: int) -> Commit:
        """Return what is to be committed."""
        return Commit(self.position, self.position, epoch)


def resumptions(
    judged: Mapping[Topic, int], begins: Mapping[Topic, int]
) -> dict[Topic, RestoredPlace]:
    """Return how far the manager is done with each topic, before any record is written.

    Parameters
    ----------
    judged
        Of the backup: what ``judged_below`` returned.
    begins
        By topic, the first new offset.
    """
    return {
        topic: RestoredPlace(None if topic in _OWN else judged.get(topic, 0), begins[topic])
        for topic in RESUMED
    }


def epoch_after(epoch: int, now_ns: int) -> int:
    """Return the generation behind which the restored alarm manager begins.

    What reigned between the backup and the loss is not known, and readers drop what is not newer
    than what they have seen. A reign takes longer than a second: so the seconds of the clock,
    added, are more than all of them, and more again after each later restore.

    Parameters
    ----------
    epoch
        Newest one of the backup.
    now_ns
        Wall clock, ns UTC.
    """
    return min(epoch + now_ns // NS_PER_S, MAX_OWN_EPOCH - 1)
