"""What the alarm manager read beside scores: its journal, commands and alarm points."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from meltwatch_core.alarms.points import MasterAlarmList
from meltwatch_core.alarms.system_alarms import is_by_clock
from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.alarm_command import AlarmCommand
from meltwatch_schemas.alarm_point import AlarmPoint
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.identifiers import alarm_id_of, split_alarm_id
from meltwatch_schemas.point_rules import check_point
from meltwatch_schemas.record import RawRecord, read_json
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_MS

from meltwatch_backtester.domain.journal import Journal, JournalEntry, JournalMoment, place_of
from meltwatch_backtester.domain.span import Span
from meltwatch_backtester.pipeline.scope import Scope
from meltwatch_backtester.ports import History, TopicPart


@dataclass(frozen=True, slots=True, order=True)
class Instruction:
    """A command or an alarm point, at its place among the scores."""

    place: JournalMoment
    topic: str
    offset: int
    raw: RawRecord


@dataclass(frozen=True, slots=True)
class AlarmInputs:
    """All that concerns the alarms of some furnaces around a span.

    Attributes
    ----------
    journal
        The live one.
    points_before
        Alarm points that were written before the span, in their order.
    instructions
        Commands and alarm points of the span, in order.
    """

    journal: Journal
    points_before: list[RawRecord]
    instructions: list[Instruction]


def read_alarm_inputs(
    history: History, scope: Scope, span: Span, wanted: Callable[[str], bool]
) -> AlarmInputs:
    """Read what concerns the alarms of some furnaces.

    Parameters
    ----------
    history, scope, span
        What is replayed.
    wanted
        Tells of a furnace whether its alarms are.
    """

    def records(topic: Topic) -> Iterator[RawRecord]:
        part = TopicPart(topic, 0)
        for raw in history.read(part, *scope[part]):
            if _concerns(raw, wanted):
                yield raw

    journal = Journal(_entries(records(Topic.ALARMS)), span)
    points = list(records(Topic.ALARM_POINTS))
    before = [raw for raw in points if raw.timestamp_ms * NS_PER_MS < span.from_ns]
    instructions = [
        Instruction(JournalMoment(raw.timestamp_ms * NS_PER_MS), raw.topic, raw.offset, raw)
        for raw in points[len(before) :]
    ]
    for raw in records(Topic.ALARM_COMMANDS):
        place = _place_of_command(raw, journal)
        if place is not None:
            instructions.append(Instruction(place, raw.topic, raw.offset, raw))
    return AlarmInputs(journal, before, sorted(instructions))


def alarm_list_in_force(
    history: History, plant: Mapping[str, tuple[AlarmPoint, ...]]
) -> MasterAlarmList:
    """Return the alarm points that stand at the end of a history, over those of a plant file."""
    found, part = MasterAlarmList(plant, history.prefix), TopicPart(Topic.ALARM_POINTS, 0)
    for raw in history.read(part, *history.bounds(part)):
        # Whatever is no alarm point the manager does not take either.
        with suppress(ContractViolation):
            point = None if raw.value is None else check_point(read_json(raw, AlarmPoint))
            found.override(alarm_id_of(raw.key), point)
    return found


def addressed_again(raw: RawRecord, same_events: dict[str, str]) -> RawRecord:
    """Return a command with the event id of the replay in place of the live one.

    Parameters
    ----------
    raw
        The command's record.
    same_events
        By event id of the live journal, that of the same transition in the replay.
    """
    command = _command(raw)
    event_id = command.expected_event_id if command else None
    if event_id is None or event_id not in same_events:
        return raw
    fields = json.loads(raw.value or b"")
    fields["expected_event_id"] = same_events[event_id]
    return replace(raw, value=json.dumps(fields).encode())


def _concerns(raw: RawRecord, wanted: Callable[[str], bool]) -> bool:
    try:
        furnace_id, _ = split_alarm_id(alarm_id_of(raw.key))
    except ContractViolation:
        return False  # Nothing that could change an alarm.
    return wanted(furnace_id)


def _entries(records: Iterator[RawRecord]) -> Iterator[JournalEntry]:
    for raw in records:
        try:
            if raw.value is not None and not is_by_clock(alarm_id_of(raw.key)):
                yield JournalEntry(raw, read_json(raw, AlarmRecord))
        except ContractViolation:
            continue  # Live passes over it, too.


def _command(raw: RawRecord) -> AlarmCommand | None:
    try:
        return read_json(raw, AlarmCommand)
    except ContractViolation:
        return None


def _place_of_command(raw: RawRecord, journal: Journal) -> JournalMoment | None:
    """Return where a command stood among the scores.

    None if that was before the span, or if it changed nothing: live may have refused it for a
    reason that history does not hold, such as a role.
    """
    command = _command(raw)
    record = journal.answered(command, raw.timestamp_ms * NS_PER_MS) if command else None
    return place_of(record) if record is not None and journal.is_within(record) else None
