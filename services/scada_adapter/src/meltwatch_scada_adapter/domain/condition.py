"""An alarm as a condition of OPC UA Part 9, without any protocol's types."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final
from uuid import UUID, uuid5

from meltwatch_schemas.alarm import SEVERITY, AlarmRecord, AlarmState, Priority, Quality, Shelve
from meltwatch_schemas.alarm_list import is_unacknowledged
from meltwatch_schemas.alarm_point import AlarmPoint

PIPELINE_DOWN: Final = "ALARM_PIPELINE_DOWN"
_NAMESPACE: Final = UUID("6f0b5d0e-6a0b-5a53-9d0b-2f3c1f2a6a11")
_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Shelving(StrEnum):
    """States of Part 9's ShelvedStateMachine."""

    UNSHELVED = "Unshelved"
    TIMED = "TimedShelved"
    ONE_SHOT = "OneShotShelved"


@dataclass(frozen=True, slots=True)
class ScadaCondition:
    """What a client is shown of one alarm.

    Attributes
    ----------
    alarm_id, equipment, name
        Which alarm, of which furnace, and its last level.
    title, priority, state, is_system
        As in the alarm record; ``state`` is the ISA-18.2 word.
    event_id
        16 bytes: of the record, and so the token of an acknowledgement.
    occurred, received
        When it happened, and when the record was written.
    occurrence_id, since
        Which activation it is, and when its condition began; empty and None before the first.
    message, quality, score
        One sentence, trust in the input, and the fused logit if there is one.
    retain
        It belongs on an operator's list.
    active, acked, latched, suppressed, out_of_service
        The facts beneath the state.
    shelving, unshelve_at
        How it is shelved, and until when.
    comment, user
        The last words of a person about it, and whose.
    max_shelve_s
        Longest shelving that its alarm point allows; None where that is not known.
    """

    alarm_id: str
    equipment: str
    name: str
    title: str = ""
    priority: Priority = Priority.MEDIUM
    state: AlarmState = AlarmState.NORM
    is_system: bool = False
    event_id: bytes = bytes(16)
    occurred: datetime = _LONG_AGO
    received: datetime = _LONG_AGO
    occurrence_id: str = ""
    since: datetime | None = None
    message: str = ""
    quality: Quality = Quality.GOOD
    score: float | None = None
    retain: bool = False
    active: bool = False
    acked: bool = True
    latched: bool = False
    suppressed: bool = False
    out_of_service: bool = False
    shelving: Shelving = Shelving.UNSHELVED
    unshelve_at: datetime | None = None
    comment: str = ""
    user: str = ""
    max_shelve_s: float | None = None

    @property
    def severity(self) -> int:
        """1 to 1000, by priority."""
        return SEVERITY[self.priority]

    @property
    def is_new(self) -> bool:
        """Whether nothing has ever been told of it."""
        return self.received is _LONG_AGO

    @property
    def is_put_aside(self) -> bool:
        """Suppressed, shelved or out of service: not announced whatever happens."""
        is_shelved = self.shelving is not Shelving.UNSHELVED
        return self.suppressed or self.out_of_service or is_shelved

    @property
    def is_waiting(self) -> bool:
        """Whether it waits for an acknowledgement."""
        return is_unacknowledged(self.state)

    def gone(self, now: datetime) -> "ScadaCondition":
        """Return it as at rest: it was decommissioned, and nobody will hear of it again."""
        return ScadaCondition(
            alarm_id=self.alarm_id, equipment=self.equipment, name=self.name, title=self.title,
            priority=self.priority, is_system=self.is_system, occurred=now, received=now,
            event_id=uuid5(_NAMESPACE, f"{self.alarm_id}|GONE|{now.isoformat()}").bytes,
            message="decommissioned",
        )  # fmt: skip


def of_point(point: AlarmPoint) -> ScadaCondition:
    """Return the condition of an alarm point that has never raised."""
    return ScadaCondition(
        alarm_id=point.alarm_id,
        equipment=point.equipment_path,
        name=point.alarm_id.rpartition("/")[2],
        title=point.title,
        priority=point.priority,
        is_system=point.class_ == "system",
        max_shelve_s=point.max_shelve_s if point.shelvable else 0.0,
    )


def of_record(record: AlarmRecord, before: ScadaCondition | None) -> ScadaCondition:
    """Return the condition of an alarm record.

    Parameters
    ----------
    record
        The newest one.
    before
        What was shown: people's words last until the next ones, and the point's limits.
    """
    said = record.transition
    words = said.comment if said.by is not None else None
    shelve = record.shelve
    return ScadaCondition(
        alarm_id=record.alarm_id,
        equipment=record.equipment_path,
        name=record.alarm_id.rpartition("/")[2],
        title=record.title,
        priority=record.priority,
        state=record.state,
        is_system=record.class_ == "system",
        event_id=event_id_of(record.event_id),
        occurred=_occurred(record),
        received=record.times.published,
        occurrence_id=record.occurrence_id,
        since=record.condition_time,
        message=record.message,
        quality=record.quality,
        score=record.evidence.score,
        retain=record.retain,
        active=record.active,
        acked=record.acked or record.state is AlarmState.NORM,
        latched=record.latched,
        suppressed=record.state is AlarmState.DSUPR,
        out_of_service=record.out_of_service is not None,
        shelving=_shelving(shelve),
        unshelve_at=shelve.until if shelve else None,
        comment=(before.comment if before else "") if words is None else words,
        user=said.by or (before.user if before else ""),
        max_shelve_s=before.max_shelve_s if before else None,
    )


def event_id_of(text: str) -> bytes:
    """Return the 16 bytes of an event id; of one that is no 32 hex digits, a digest of it."""
    try:
        found = bytes.fromhex(text)
    except ValueError:
        found = b""
    return found if len(found) == 16 else uuid5(_NAMESPACE, text).bytes


def pipeline_down(prefix: str, *, is_down: bool, now: datetime, reason: str) -> ScadaCondition:
    """Return the adapter's own condition: nobody says any more what goes on in the plant.

    Parameters
    ----------
    prefix
        Topic prefix: it stands for the plant as a whole.
    is_down
        Whether it holds.
    now
        Wall clock: since when.
    reason
        One line.
    """
    alarm_id = f"{prefix}/{PIPELINE_DOWN}"
    state = AlarmState.UNACK if is_down else AlarmState.NORM
    return ScadaCondition(
        alarm_id=alarm_id,
        equipment=prefix,
        name=PIPELINE_DOWN,
        title="Alarms are not up to date",
        priority=Priority.CRITICAL,
        state=state,
        is_system=True,
        event_id=uuid5(_NAMESPACE, f"{alarm_id}|{state}|{now.isoformat()}").bytes,
        occurred=now,
        received=now,
        since=now if is_down else None,
        message=reason,
        retain=is_down,
        active=is_down,
        acked=not is_down,
        max_shelve_s=0.0,
    )


def acknowledged(
    condition: ScadaCondition, user: str, comment: str, now: datetime
) -> ScadaCondition:
    """Return the adapter's own condition after somebody has acknowledged it here."""
    token = f"{condition.alarm_id}|ACK|{now.isoformat()}"
    return replace(
        condition,
        state=AlarmState.ACKED if condition.active else AlarmState.NORM,
        event_id=uuid5(_NAMESPACE, token).bytes,
        occurred=now,
        received=now,
        acked=True,
        user=user,
        comment=comment,
    )


def levels(path: str) -> list[str]:
    """Return a path and all levels above it, the highest first: ``a``, ``a/b``, ``a/b/c``."""
    parts = path.split("/")
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]


def _occurred(record: AlarmRecord) -> datetime:
    at = {
        "RAISE": record.raise_time,
        "CLEAR": record.clear_time,
        "ACK": record.ack_time,
    }.get(record.transition.cause)
    return at or record.times.published


def _shelving(shelve: Shelve | None) -> Shelving:
    if shelve is None:
        return Shelving.UNSHELVED
    return Shelving.ONE_SHOT if shelve.one_shot else Shelving.TIMED
