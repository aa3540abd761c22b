"""What key figures are made of outlives a restart, and no figure says more than is known."""

import asyncio
import json
from datetime import UTC, timedelta

import pytest
from meltwatch_chassis.testing import ManualClock
from meltwatch_console.adapters import alarm_file
from meltwatch_console.adapters.alarm_file import NAME, AlarmFile, AlarmKeeper, KeptAlarms
from meltwatch_console.domain.alarm_lines import AlarmFigures, AlarmLines
from meltwatch_console.domain.journal import JournalTail
from meltwatch_console.domain.occurrences import OccurrenceBook, ReviewQuestion, ReviewScope
from meltwatch_console.domain.roster import Roster
from meltwatch_console.errors import AlarmFileRefused
from meltwatch_console.pipeline.live_picture import Link, LinkState, LivePicture
from meltwatch_core.alarms.kpi.load import DAY_NS
from meltwatch_schemas.instants import utc_from_ns

from tests.support.builders import ALARM, NOON_NS, alarm_record
from tests.unit.console.test_alarm_lines import TIMES, value

OLD_DAYS = 20
BOTH = ReviewQuestion(ReviewScope.ALL)


class Life:
    """One run of a console, so many days after noon.

    Parameters
    ----------
    folder
        Where it keeps what it knows.
    days
        When it is started.
    """

    def __init__(self, folder, days: float = 0, file=None) -> None:
        self.clock = ManualClock(NOON_NS + int(days * DAY_NS))
        now_ns = self.clock.now_ns()
        self.picture = LivePicture(
            Roster((), 10), JournalTail(), OccurrenceBook(), AlarmLines(now_ns), self.clock
        )
        kept_in = file or AlarmFile(folder, "meltwatch")
        self.keeper = AlarmKeeper(self.picture, kept_in, self.clock)
        self.keeper.restore()
        self.picture.note_link(Link(LinkState.LIVE))

    def raised(self, days: float, seq: int) -> None:
        """Hear of a raise so many days after noon."""
        at = utc_from_ns(NOON_NS) + timedelta(days=days)
        record = alarm_record(
            ALARM, seq, raise_time=at, occurrence_id=f"o{seq}", times=dict.fromkeys(TIMES, at)
        )
        self.picture.lines.take(record)
        self.picture.occurrences.take(record)

    def end(self) -> None:
        """Be told to stop."""

        async def stopped() -> None:
            keeping = asyncio.create_task(self.keeper.keep_on())
            await asyncio.sleep(0)
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)

        asyncio.run(stopped())

    def figures(self) -> AlarmFigures:
        found = self.picture.lines.figures(self.clock.now_ns(), UTC, [])
        assert found is not None
        return found


class FullDisk:
    """A file that nobody can write."""

    prefix = "meltwatch"

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.seen: list[KeptAlarms] = []
        self.tried_thrice = asyncio.Event()
        self._loop = loop

    def read(self, _now_ns: int) -> None:
        raise PermissionError("not yours")

    def write(self, kept: KeptAlarms) -> None:
        self.seen.append(kept)
        if len(self.seen) == 3:
            self._loop.call_soon_threadsafe(self.tried_thrice.set)
        raise OSError("no space left on device")


def first_life(folder) -> None:
    """Be told of three raises, the last one three days before the end."""
    life = Life(folder)
    for seq, days in enumerate((0.0, 10.0, 17.0), 1):
        life.raised(days, seq)
    life.clock.advance(OLD_DAYS * DAY_NS)
    life.end()


def test_figures_and_events_of_a_month_are_there_after_a_restart(tmp_path):
    first_life(tmp_path)
    again = Life(tmp_path, OLD_DAYS)
    # Kafka gives again what is younger than 7 days; of the rest it has the newest alone.
    again.raised(17.0, 3)
    again.raised(19.0, 4)

    found = again.figures()

    assert found.since_ns == NOON_NS
    assert value(found, "annunciations") == 4, "none is missing, none is counted twice"
    events = again.picture.occurrences.answer(BOTH)
    assert [each.occurrence_id for each in events] == ["o4", "o3", "o2", "o1"]


def test_what_kafka_has_thinned_out_since_is_not_counted_as_whole(tmp_path):
    first_life(tmp_path)
    again = Life(tmp_path, OLD_DAYS + 8)
    again.raised(OLD_DAYS + 2.0, 5)

    found = again.figures()

    assert found.since_ns == NOON_NS + (OLD_DAYS + 2) * DAY_NS
    assert value(found, "annunciations") == 1


def test_while_the_alarms_are_not_live_nothing_is_saved(tmp_path):
    life = Life(tmp_path)
    life.raised(0.0, 1)
    life.picture.note_link(Link(LinkState.STALE))
    life.end()
    assert list(tmp_path.iterdir()) == []


async def test_it_is_saved_again_and_again_and_a_full_disk_ends_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(alarm_file, "SAVED_EVERY_S", 0.0)
    file = FullDisk(asyncio.get_running_loop())
    life = Life(tmp_path, file=file)
    life.raised(0.0, 1)
    keeping = asyncio.create_task(life.keeper.keep_on())
    await file.tried_thrice.wait()
    assert not keeping.done()
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    assert [len(each.lines) for each in file.seen[:3]] == [1, 1, 1]


TORN = {
    "cut off": lambda text: text[:-20],
    "no file of ours": lambda _: '{"form": "another"}',
    "another form": lambda text: changed(text, form="meltwatch-console-alarms/2"),
    "other topics": lambda text: changed(text, prefix="another"),
    "of the future": lambda text: changed(text, saved_ns=10**19 - 1),
    "before all time": lambda text: changed(text, whole_from_ns=-1),
    "no text": lambda _: "\x00",
}


def changed(text: str, **changes: object) -> str:
    return json.dumps(json.loads(text) | changes)


@pytest.mark.parametrize("hurt", TORN)
def test_a_file_that_is_none_is_refused_and_the_console_starts(tmp_path, hurt):
    first_life(tmp_path)
    file = tmp_path / NAME
    file.write_text(TORN[hurt](file.read_text()))
    with pytest.raises(AlarmFileRefused, match="expected"):
        AlarmFile(tmp_path, "meltwatch").read(NOON_NS + 30 * DAY_NS)
    again = Life(tmp_path, OLD_DAYS)
    assert again.picture.lines.held(again.clock.now_ns()) == []


def test_what_is_no_file_or_too_large_is_refused(tmp_path, monkeypatch):
    (tmp_path / NAME).mkdir()
    with pytest.raises(AlarmFileRefused, match="expected a file"):
        AlarmFile(tmp_path, "meltwatch").read(NOON_NS)
    monkeypatch.setattr(alarm_file, "MAX_BYTES", 3)
    (tmp_path / NAME).rmdir()
    (tmp_path / NAME).write_text("1234")
    with pytest.raises(AlarmFileRefused, match="at most 3 bytes"):
        AlarmFile(tmp_path, "meltwatch").read(NOON_NS)
