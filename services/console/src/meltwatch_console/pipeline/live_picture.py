"""The picture that every browser has: furnaces, alarms, scores, and how far to trust them."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final

from meltwatch_chassis.clock import Clock
from meltwatch_schemas.alarm import AlarmRecord, AlarmState, Heartbeat
from meltwatch_schemas.alarm_board import AlarmTurn

from meltwatch_console.domain.alarm_lines import AlarmLines
from meltwatch_console.domain.journal import JournalTail
from meltwatch_console.domain.occurrences import OccurrenceBook
from meltwatch_console.domain.roster import Roster

Publish = Callable[[str, bytes], None]
_EMPTY: Final = b"[]"
NS_PER_MS: Final = 1_000_000


class LinkState(StrEnum):
    """What every page says of its data."""

    LIVE = "live"
    STALE = "stale"
    NO_MANAGER = "no_manager"


@dataclass(frozen=True, slots=True)
class Link:
    """How far the picture may be trusted.

    Attributes
    ----------
    state
        In a word.
    age_s
        For how long nothing of the alarm manager was heard, whole seconds.
    reason
        One line: what is away; empty while all is live.
    """

    state: LinkState
    age_s: int = 0
    reason: str = ""


class LivePicture:
    """What the topics have told, as browsers are sent it.

    Parameters
    ----------
    roster
        The furnaces.
    journal
        Keeps what has happened.
    occurrences
        Keeps what there is to review.
    lines
        Keeps what key figures are made of.
    clock
        Wall clock: browsers count ages and time left by it, not by their own.

    Attributes
    ----------
    publish
        Gives an event to every browser.
    link
        How far all of it may be trusted.
    is_whole
        All that stands in the topics is known. Until then a browser keeps the alarms that it has.
    scores
        Returns the scores of the snapshot, a JSON list.
    """

    def __init__(
        self,
        roster: Roster,
        journal: JournalTail,
        occurrences: OccurrenceBook,
        lines: AlarmLines,
        clock: Clock,
    ) -> None:
        self._clock = clock
        self.roster = roster
        self.journal = journal
        self.occurrences = occurrences
        self.lines = lines
        self.publish: Publish = lambda _event, _data: None
        self.scores: Callable[[], bytes] = lambda: _EMPTY
        self.link = Link(LinkState.STALE, reason="the alarms are being read")
        self.is_whole = False
        self._alarms: Mapping[str, AlarmRecord] = {}
        self._epoch: int | None = None

    def alarm(self, alarm_id: str) -> AlarmRecord | None:
        """Return the newest record of an alarm."""
        return self._alarms.get(alarm_id)

    def snapshot(self) -> bytes:
        """Return the whole picture, JSON."""
        furnaces = encoded([entry.shown() for entry in self.roster.in_order()])
        return (
            b'{"furnaces":' + furnaces + b',"alarms":' + _joined(self.listed())
            + b',"scores":' + self.scores() + b',"link":' + encoded(asdict(self.link))
            + b',"now_ms":' + encoded(self._now_ms()) + b',"whole":' + encoded(self.is_whole)
            + b"}"
        )  # fmt: skip

    def alarm_list(self) -> bytes:
        """Return the alarms that are not normal, JSON."""
        return (
            b'{"alarms":' + _joined(self.listed()) + b',"link":' + encoded(asdict(self.link))
            + b',"epoch":' + encoded(self._epoch) + b"}"
        )  # fmt: skip

    def tell_all(self) -> None:
        """Give every browser the whole picture: more has changed than events have told."""
        self.is_whole = True
        self.publish("snapshot", self.snapshot())

    def note_furnace(self, furnace_id: str) -> None:
        """Note that a furnace was heard of, and tell the browsers of one that was not known."""
        if (entry := self.roster.note(furnace_id)) is not None:
            self.publish("furnace", encoded(entry.shown()))

    def index_of(self, furnace_id: str) -> int | None:
        """Return the number of a furnace that was heard of; None for one too many."""
        self.note_furnace(furnace_id)
        entry = self.roster.entry(furnace_id)
        return None if entry is None else entry.index

    def take_history(self, turns: Iterable[AlarmTurn], alarms: Mapping[str, AlarmRecord]) -> None:
        """Take what stood in the topics before anybody could look."""
        self._alarms = alarms
        self.is_whole = False
        for turn in turns:
            if turn.after is None:
                self.lines.end(turn.alarm_id, self._clock.now_ns())
            else:
                self._keep(turn.after)
                self.roster.note(turn.after.equipment_path)

    def note_gap(self) -> None:
        """Note that something may have been missed: the topics are read again."""
        self.lines.note_gap(self._clock.now_ns())

    def take(self, turns: Iterable[AlarmTurn], alarms: Mapping[str, AlarmRecord]) -> None:
        """Take what has changed, and tell the browsers.

        Parameters
        ----------
        turns
            Changes in the order of the topic.
        alarms
            The newest record of each alarm.
        """
        self._alarms = alarms
        for turn in turns:
            if turn.after is None:
                gone = {"alarm_id": turn.alarm_id, "state": AlarmState.NORM, "removed": True}
                self.publish("alarm", encoded(gone))
                self.lines.end(turn.alarm_id, self._clock.now_ns())
                continue
            self._keep(turn.after)
            self.note_furnace(turn.after.equipment_path)
            self.publish("alarm", turn.after.to_json())

    def note_link(self, link: Link) -> None:
        """Note how far the picture may be trusted, and tell the browsers of another word."""
        was, self.link = self.link, link
        if (was.state, was.reason) != (link.state, link.reason):
            self.publish("link", encoded(asdict(link)))

    def beat(self, heartbeat: Heartbeat | None) -> None:
        """Tell the browsers that this process lives, and what the alarm manager has said last."""
        told: dict[str, Any] = {"link": asdict(self.link), "now_ms": self._now_ms()}
        if heartbeat is not None:
            self._epoch = heartbeat.epoch
            told |= {
                "epoch": heartbeat.epoch, "watched": heartbeat.watched, "blind": heartbeat.blind,
            }  # fmt: skip
        self.publish("heartbeat", encoded(told))

    def _keep(self, record: AlarmRecord) -> None:
        self.journal.take(record)
        self.occurrences.take(record)
        self.lines.take(record)

    def _now_ms(self) -> int:
        return self._clock.now_ns() // NS_PER_MS

    def listed(self) -> Iterable[AlarmRecord]:
        """Return the alarms that are not normal."""
        return (each for each in self._alarms.values() if each.state is not AlarmState.NORM)


def encoded(value: Any) -> bytes:
    """Return JSON in one line of UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _joined(records: Iterable[AlarmRecord]) -> bytes:
    return b"[" + b",".join(each.to_json() for each in records) + b"]"
