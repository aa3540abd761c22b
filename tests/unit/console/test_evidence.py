"""What belongs to a raise is kept once, tried again, and its loss is said."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
from meltwatch_chassis.errors import TransientError
from meltwatch_console.domain.occurrences import OccurrenceBook
from meltwatch_console.pipeline import evidence
from meltwatch_console.pipeline.evidence import FACTS, META, EvidenceKeeper
from meltwatch_console.pipeline.pictures import PictureDesk
from meltwatch_schemas.alarm_board import AlarmTurn
from meltwatch_schemas.instants import utc_from_ns

from tests.support.builders import FURNACE, alarm_record
from tests.unit.console.archive import ArchiveOfOne, book_of, scores

WINDOWS = scores(8)
END = utc_from_ns(WINDOWS[-1].window_end_ns)
ALARM = f"{FURNACE}/OVERHEAT"


class Shelf:
    """A folder in memory that fails as often as it is told to."""

    def __init__(self) -> None:
        self.files: dict[str, dict[str, bytes]] = {}
        self.noted: list[tuple[str, bool]] = []
        self.failures = 0

    def has(self, occurrence_id: str) -> bool:
        return occurrence_id in self.files

    def write(self, occurrence_id: str, files: dict[str, bytes]) -> None:
        self._fail()
        self.files[occurrence_id] = dict(files)

    def note(self, occurrence_id: str, _facts: bytes, *, is_judged: bool) -> None:
        self._fail()
        self.noted.append((occurrence_id, is_judged))

    def _fail(self) -> None:
        if self.failures:
            self.failures -= 1
            raise OSError("no space left on device")


class Bench:
    """A keeper, what it reads and where it writes."""

    def __init__(self) -> None:
        self.archive = ArchiveOfOne(WINDOWS)
        self.shelf, self.occurrences = Shelf(), OccurrenceBook()
        book = book_of(WINDOWS)
        desk = PictureDesk(book, self.archive)
        self.keeper = EvidenceKeeper(desk, book, self.shelf, self.occurrences, dict)

    def raised(self, occurrence: str = "o1", **changes: object):
        """Return the record of a raise, which is known to be there to review."""
        times = {"window_start": END, "window_end": END}
        told = {"evidence": {"score": 6.0, "threshold": 2.0, "threshold_off": 0.0, **times}}
        record = alarm_record(ALARM, occurrence_id=occurrence, **(told | changes))
        self.occurrences.take(record)
        return record

    @asynccontextmanager
    async def working(self):
        task = asyncio.create_task(self.keeper.keep_on())
        yield
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def until(self, is_so) -> None:
        async with asyncio.timeout(30), self.working():
            while not is_so():  # noqa: ASYNC110 - the keeper tells nobody
                await asyncio.sleep(0.001)


@pytest.fixture
def bench(monkeypatch) -> Bench:
    monkeypatch.setattr(evidence, "_LOOK_S", 0.0)
    return Bench()


def turn(record) -> AlarmTurn:
    return AlarmTurn(record.alarm_id, None, record)


async def test_a_raise_is_kept_with_all_that_belongs_to_it(bench):
    bench.keeper.take([turn(bench.raised()), AlarmTurn(ALARM, None, None)])
    await bench.until(lambda: bench.shelf.noted)

    files = bench.shelf.files["o1"]
    assert sorted(files) == sorted([META, FACTS, "map.png", *(f"frame-{n}.png" for n in range(10))])
    told = json.loads(files[META])
    assert told["missing"] == []
    assert told["spot"]["place"] == "lower middle"
    assert len(told["scores"]["rows"]) == 8
    assert sorted(told["currents"]["phases"]) == ["a", "b", "c"]
    assert (bench.keeper.kept, bench.keeper.failed) == (1, 0)
    assert bench.shelf.noted == [("o1", False)]


async def test_what_is_kept_already_is_not_fetched_again(bench):
    bench.shelf.files["o1"] = {}
    bench.keeper.take([turn(bench.raised())])
    await bench.until(lambda: bench.shelf.noted)
    assert bench.archive.asked == 0


async def test_what_cannot_be_fetched_is_said_and_the_rest_is_kept(bench):
    bench.archive.is_dear = True
    bench.keeper = EvidenceKeeper(
        PictureDesk(book_of([]), bench.archive), book_of(WINDOWS), bench.shelf, OccurrenceBook(),
        dict,
    )  # fmt: skip
    bench.keeper.take([turn(bench.raised())])
    await bench.until(lambda: bench.shelf.files)
    files = bench.shelf.files["o1"]
    assert sorted(files) == [META]
    missing = json.loads(files[META])["missing"]
    assert [each.partition(":")[0] for each in missing] == ["frames", "map", "currents"]


async def test_a_full_disk_and_kafkas_silence_are_tried_again_and_given_up_at_last(
    bench, monkeypatch
):
    bench.shelf.failures = 2
    bench.keeper.take([turn(bench.raised())])
    await bench.until(lambda: bench.keeper.kept == 1)

    async def silent(*_: object) -> None:
        raise TransientError("no answer")

    monkeypatch.setattr(bench.archive, "currents", silent)
    bench.keeper.take([turn(bench.raised("o2"))])
    await bench.until(lambda: bench.keeper.failed == 1)
    assert "o2" not in bench.shelf.files


async def test_after_a_start_those_that_stand_come_first_and_what_is_over_is_noted(bench):
    over = bench.raised("o1", state="NORM", active=False)
    system = alarm_record(f"{FURNACE}/VIDEO_LOST", **{"class": "system"})
    judged = {"verdict": "true_alarm", "by": "li", "at": END}
    standing = bench.raised("o2", judgement=judged)
    bench.shelf.failures = 1  # the note of the first
    bench.shelf.files["o2"] = {}
    bench.keeper.catch_up([over, system, standing])
    await bench.until(lambda: bench.shelf.noted)
    assert bench.shelf.noted == [("o1", False)], "the note of the other one failed, and is told"
    bench.keeper.take([turn(standing)])
    await bench.until(lambda: len(bench.shelf.noted) == 2)
    assert bench.shelf.noted[-1] == ("o2", True)
    assert sorted(bench.shelf.files) == ["o2"]
