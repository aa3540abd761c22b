"""System alarms that do not come from scores: the clock or a report raises and clears them."""

from collections.abc import Iterator, Sequence
from typing import Final

from meltwatch_schemas.alarm import Mode, Priority
from meltwatch_schemas.alarm_point import AlarmPoint
from meltwatch_schemas.instants import utc_from_ns
from meltwatch_schemas.record import OutgoingRecord
from meltwatch_schemas.text import escaped
from meltwatch_schemas.window import NS_PER_S

from meltwatch_core.alarms.adapters import AdapterWatch
from meltwatch_core.alarms.alarm import Alarm
from meltwatch_core.alarms.alarm_state import Rules, Suppression
from meltwatch_core.alarms.judgement import announce, withdraw
from meltwatch_core.alarms.manager.scribe import Scribe
from meltwatch_core.alarms.snapshot import Occasion
from meltwatch_core.alarms.system_alarms import (
    FURNACE_SILENT,
    MASKS,
    PLANT_ALARMS,
    PLANT_BLIND,
    TRITON_DOWN,
    JudgedBy,
    parents_of,
)
from meltwatch_core.alarms.watch import Level, Watch, furnace_silent, plant_blind, triton_down

_EARLY_NS: Final = 5 * NS_PER_S
"""A parent that is due this soon masks already: else its children are announced just before it."""
_SETTLING_NS: Final = 5 * NS_PER_S
"""A parent still masks for this long after its end: its children are about to end, too."""
_LONGEST_DETAIL: Final = 300
_MOST_REPORTS: Final = 100


class SystemDesk:
    """Judges Meltwatch itself.

    Parameters
    ----------
    scribe
        Keeps the alarms.
    watch
        Which furnaces should be seen, and when each was.
    plant
        Equipment path of the plant-wide alarms.

    Attributes
    ----------
    adapters
        Told who gives a sign of life.
    """

    def __init__(self, scribe: Scribe, watch: Watch, plant: str) -> None:
        self._scribe = scribe
        self._watch = watch
        self._plant = plant
        self.adapters = AdapterWatch()
        self._masks: set[str] = set()
        self._reports: dict[str, list[str]] = {}
        self._reported_ns: dict[str, int] = {}
        # Since when the condition of an active alarm is gone, and when one was cleared.
        self._gone_ns: dict[str, int] = {}
        self._cleared_ns: dict[str, int] = {}

    def take_over_masks(self) -> None:
        """Take up what stood before: parents that are active mask from the first record on."""
        self._masks = {
            alarm.point.alarm_id
            for alarm in self._scribe.registry.active()
            if alarm.point.condition in MASKS
        }

    def report(self, condition: str, detail: str) -> None:
        """Raise a plant-wide alarm that is judged by reports, with the next tick.

        Parameters
        ----------
        condition
            ``FOREIGN_WRITER`` or ``HISTORY_GAP``.
        detail
            What was seen, for a person; may hold text from outside.
        """
        reports = self._reports.setdefault(condition, [])
        if len(reports) < _MOST_REPORTS:
            reports.append(escaped(detail))

    def forget(self, alarm_id: str) -> None:
        """Take that an alarm was decommissioned: whoever it was about is gone for good."""
        equipment, _, condition = alarm_id.rpartition("/")
        if equipment == self._plant:
            self.adapters.forget(condition)

    def rules(self, point: AlarmPoint) -> Rules:
        """Return what suppresses an alarm by design while its condition holds."""
        found = set()
        if any(self._is_told_by(parent) for parent in parents_of(point, self._plant)):
            found.add(Suppression.MASKED)
        if point.suppress_when and self._watch.state(point.equipment_path) in point.suppress_when:
            found.add(Suppression.FURNACE_STATE)
        return frozenset(found)

    def _is_told_by(self, parent_id: str) -> bool:
        """Tell whether a parent stands, or is about to; one that nobody hears masks nothing."""
        parent, is_due = self._scribe.registry.last_known(parent_id), parent_id in self._masks
        if parent is None:
            return is_due
        point, facts = parent.point, parent.facts
        is_quiet = point.mode is Mode.SHADOW or point.priority is Priority.JOURNAL
        return (facts.active or is_due) and not (is_quiet or facts.is_silenced)

    def tick(self, now_ns: int, read_until_ns: int | None) -> list[OutgoingRecord]:
        """Raise and clear what is due; return what must be written because of it.

        Parameters
        ----------
        now_ns
            Wall clock, ns UTC.
        read_until_ns
            Everything that was written before this instant has been read; None if that is not
            known anew.
        """
        if read_until_ns is not None:
            self._watch.note_read(read_until_ns)
        written = list(self._tell_reports(now_ns))
        if self._watch.read_until_ns is not None:
            written += self._judge(self._watch.read_until_ns, now_ns)
        return written

    def _tell_reports(self, now_ns: int) -> Iterator[OutgoingRecord]:
        reports, self._reports = self._reports, {}
        for condition, alarm in PLANT_ALARMS.items():
            if alarm.judge is JudgedBy.REPORT:
                detail = _listed(reports.get(condition, ()))
                yield from self._tell_report(condition, detail, now_ns)

    def _tell_report(
        self, condition: str, detail: str | None, now_ns: int
    ) -> Iterator[OutgoingRecord]:
        name = f"{self._plant}/{condition}"
        alarm = self._scribe.registry.alarm(self._plant, name)
        if alarm is None:
            return
        if detail is not None:
            self._reported_ns[name] = now_ns
            if not alarm.facts.active:
                yield from self._raise(alarm, Level(True, now_ns, detail), now_ns)
        elif alarm.facts.active:
            # After a restart the last report is not known: the off-delay begins now.
            last_ns = self._reported_ns.setdefault(name, now_ns)
            if now_ns - last_ns >= _delay_ns(alarm.point.setpoint.off_delay_s):
                yield from self._clear(alarm, Level(False, now_ns, "not seen again"), now_ns)

    def _judge(self, at_ns: int, now_ns: int) -> Iterator[OutgoingRecord]:
        """Parents first: what they mask is not to be announced a moment before them."""
        furnaces = self._watch.watched(now_ns)
        each = list(furnaces.values())
        yield from self._take(
            self._plant, PLANT_BLIND, plant_blind(self._watch, each, at_ns), now_ns
        )
        yield from self._take(self._plant, TRITON_DOWN, triton_down(each, at_ns), now_ns)
        for condition, level in self.adapters.levels(at_ns, self._watch.reading_since_ns):
            yield from self._take(self._plant, condition, level, now_ns)
        told = (alarm.point for alarm in self._scribe.registry.active())
        # A standing alarm must end, even if its furnace is not watched any more.
        standing = [p.equipment_path for p in told if p.condition == FURNACE_SILENT]
        for furnace_id in dict.fromkeys([*furnaces, *standing]):
            level = furnace_silent(self._watch, furnaces.get(furnace_id), at_ns)
            yield from self._take(furnace_id, FURNACE_SILENT, level, now_ns)

    def _take(
        self, equipment: str, condition: str, level: Level, now_ns: int
    ) -> Iterator[OutgoingRecord]:
        """Decide one clock alarm, and whether it masks its children."""
        name, at_ns = f"{equipment}/{condition}", self._watch.read_until_ns or 0
        if not level.holds and not self._scribe.registry.is_active(name):
            self._settle(name, at_ns)
            return
        alarm = self._scribe.registry.alarm(equipment, name)
        if alarm is None:
            return
        setpoint, is_active = alarm.point.setpoint, alarm.facts.active
        if level.holds:
            self._gone_ns.pop(name, None)
            held_ns = at_ns - level.since_ns - _delay_ns(setpoint.on_delay_s)
            if not is_active and held_ns >= 0:
                yield from self._raise(alarm, level, now_ns)
            if is_active or held_ns >= -_EARLY_NS:
                self._masks.add(name)
                return
            self._settle(name, at_ns)
            return
        gone_ns = self._gone_ns.setdefault(name, at_ns)
        if level.ends_at_once or at_ns - gone_ns >= _delay_ns(setpoint.off_delay_s):
            del self._gone_ns[name]
            self._cleared_ns[name] = at_ns
            yield from self._clear(alarm, level, now_ns)

    def _settle(self, name: str, at_ns: int) -> None:
        """Stop an alarm from masking once its children had time to end as well."""
        if at_ns - self._cleared_ns.get(name, 0) >= _SETTLING_NS:
            self._cleared_ns.pop(name, None)
            self._masks.discard(name)

    def _raise(self, alarm: Alarm, level: Level, now_ns: int) -> Iterator[OutgoingRecord]:
        due_ns = level.since_ns + _delay_ns(alarm.point.setpoint.on_delay_s)
        occasion = Occasion(level.since_ns, due_ns, f"{level.text} since {self._clock(level)}")
        after = announce(alarm, occasion, self._scribe.stamp(now_ns), self.rules(alarm.point))
        yield from self._scribe.keep(alarm, after)

    def _clock(self, level: Level) -> str:
        return self._scribe.registry.locale.clock(utc_from_ns(level.since_ns))

    def _clear(self, alarm: Alarm, level: Level, now_ns: int) -> Iterator[OutgoingRecord]:
        occasion = Occasion(level.since_ns, level.since_ns, level.text)
        yield from self._scribe.keep(alarm, withdraw(alarm, occasion, self._scribe.stamp(now_ns)))


def _listed(details: Sequence[str]) -> str | None:
    """Return what was reported in one text, or None if nothing was."""
    text = ""
    for told, detail in enumerate(details):
        longer = f"{text}; {detail}" if text else detail[:_LONGEST_DETAIL]
        if len(longer) > _LONGEST_DETAIL:
            return f"{text}; and {len(details) - told} more"
        text = longer
    return text or None


def _delay_ns(delay_s: float) -> int:
    return round(delay_s * NS_PER_S)
