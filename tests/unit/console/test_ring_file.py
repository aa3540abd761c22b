"""Traces are kept over a restart; a file that is torn or hostile is refused with a reason."""

import asyncio
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import structlog
from meltwatch_chassis.testing import ManualClock
from meltwatch_console.adapters import ring_file
from meltwatch_console.adapters.ring_file import NAME, RingFile, RingKeeper
from meltwatch_console.domain.ring import MINUTE, WINDOW, SeenWindow, WindowRing
from meltwatch_console.domain.ring_block import FORM, last_line, ring_block
from meltwatch_console.errors import RingRefused
from meltwatch_console.pipeline.score_book import ScoreBook
from meltwatch_schemas.window import NS_PER_MS

from tests.support.builders import FURNACE, window_score
from tests.support.waiting import until

NOW_MS = 1_750_000_600_000
OTHER = "dashiqiao/smelting-1/FMF-04"


def ring(windows: int = 200) -> WindowRing:
    made = WindowRing()
    made.add_windows(
        SeenWindow(NOW_MS - 1_440 * (windows - n), None if n == 3 else n / 7, n % 8)
        for n in range(windows)
    )
    return made


@pytest.fixture
def file(tmp_path: Path) -> RingFile:
    return RingFile(tmp_path / "made", 3)


def write(file: RingFile, rings: dict[str, WindowRing]) -> None:
    with file.writing(NOW_MS) as draft:
        for name, each in rings.items():
            draft.write(ring_block(name, each))


def path_of(tmp_path: Path) -> Path:
    return tmp_path / "made" / NAME


def test_what_was_written_is_read_again(file: RingFile):
    assert file.read(NOW_MS) == ({}, 0), "there is none at first"
    rings = {FURNACE: ring(), OTHER: ring(3), "a/F": WindowRing()}
    write(file, rings)
    found, saved_ms = file.read(NOW_MS)
    assert saved_ms == NOW_MS
    assert found.keys() == rings.keys()
    for name, each in rings.items():
        for step in (0, 60_000):
            assert found[name].rows(0, 2**53, step) == each.rows(0, 2**53, step)
    found[FURNACE].add_windows([SeenWindow(NOW_MS, 1.0, 0), SeenWindow(NOW_MS - 1_440, 9.0, 0)])
    assert len(found[FURNACE].rows(0, 2**53)) == 201, "it goes on, and what is known stands"


def test_any_byte_that_is_missing_is_noticed(file: RingFile, tmp_path: Path):
    write(file, {FURNACE: ring(10)})
    whole = path_of(tmp_path).read_bytes()
    for size in range(len(whole)):
        path_of(tmp_path).write_bytes(whole[:size])
        if size == 0 or size < len(whole) - 1:
            with pytest.raises(RingRefused):
                file.read(NOW_MS)


def head(**changes: Any) -> bytes:
    told = {"furnace": FURNACE, "windows": 0, "minutes": 0, "crc": 0} | changes
    return json.dumps(told).encode() + b"\n"


def rows(windows: list[Any], minutes: list[Any]) -> bytes:
    made = WindowRing()
    made.restore(np.array(windows, WINDOW), np.array(minutes, MINUTE))
    return ring_block(FURNACE, made)


def row(key: int, score: float = 1.0):
    return (key, score, 0, 0, 0, 0)


END = last_line(1, NOW_MS)
HOSTILE = {
    "empty": b"",
    "another form": b"PK\x03\x04" + bytes(100),
    "no end": FORM + head(),
    "no JSON": FORM + b"x" * 5_000,
    "deep": FORM + b"[" * 1_000 + b"\n",
    "a list": FORM + b"[]\n",
    "more fields": FORM + head(more=1) + END,
    "a field less": FORM + b'{"furnace": "a/b"}\n' + END,
    "a huge count": FORM + head(windows=2**60) + END,
    "a count below none": FORM + head(minutes=-1) + END,
    "a count that is none": FORM + head(windows=True) + END,
    "no path": FORM + head(furnace="../../etc") + END,
    "no name": FORM + head(furnace=7) + END,
    "other rows": FORM + head(windows=1, crc=1) + bytes(16) + END,
    "twice": FORM + head() + head() + last_line(2, NOW_MS),
    "one too many": FORM
    + b"".join(head(furnace=f"a/F{n}") for n in range(4))
    + last_line(4, NOW_MS),
    "the end of another": FORM + head() + last_line(2, NOW_MS),
    "saved at no time": FORM + head() + b'{"blocks": 1, "saved_ms": "x"}\n',
    "in disorder": FORM + rows([row(2), row(1)], []) + END,
    "the same twice": FORM + rows([row(2), row(2)], []) + END,
    "before all time": FORM + rows([row(-5)], []) + END,
    "of the future": FORM + rows([row(NOW_MS + 61_000)], []) + END,
    "no number": FORM + rows([row(1, float("inf"))], []) + END,
    "a minute of the future": FORM + rows([], [(2**31 - 1, 0.0, 0.0, 0)]) + END,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_such_file_is_refused(file: RingFile, tmp_path: Path, name: str):
    path_of(tmp_path).write_bytes(HOSTILE[name])
    with pytest.raises(RingRefused, match="expected"):
        file.read(NOW_MS)


def test_a_folder_in_its_place_is_refused(file: RingFile, tmp_path: Path):
    path_of(tmp_path).mkdir()
    with pytest.raises(RingRefused):
        file.read(NOW_MS)


def test_what_cannot_be_written_leaves_the_old_one(file: RingFile, tmp_path: Path):
    write(file, {FURNACE: ring(2)})
    before = path_of(tmp_path).read_bytes()
    with pytest.raises(TypeError), file.writing(NOW_MS) as draft:
        draft.write(None)
    assert path_of(tmp_path).read_bytes() == before
    assert list((tmp_path / "made").iterdir()) == [path_of(tmp_path)], "no draft is left"


@pytest.fixture
def clock() -> ManualClock:
    made = ManualClock()
    made.advance(NOW_MS * NS_PER_MS - made.now_ns())
    return made


def book() -> ScoreBook:
    return ScoreBook("meltwatch", lambda _: 0)


async def test_a_restart_has_the_traces_of_before(file: RingFile, clock: ManualClock):
    first = book()
    end_ns = (NOW_MS - 2_000) * NS_PER_MS
    first.take_scores([window_score(end_ns, logit=2.0)])
    keeping = asyncio.create_task(RingKeeper(first, file, clock).keep_on())
    await asyncio.sleep(0)
    keeping.cancel()
    await asyncio.wait([keeping])

    second = book()
    assert await RingKeeper(second, file, clock).restore() == NOW_MS
    (kept,) = second.trace(FURNACE, 0, 2**53, 0)
    assert (kept.end_ms, kept.high) == (NOW_MS - 2_000, 2.0)
    assert second.newest(FURNACE) is None, "it is no furnace of now"
    assert json.loads(second.delta.snapshot()) == []
    second.take_scores([window_score(end_ns + 1_440 * NS_PER_MS, logit=3.0)])
    assert [each.high for each in second.trace(FURNACE, 0, 2**53, 0)] == [2.0, 3.0]
    assert second.since_ms(FURNACE) == NOW_MS - 2_000
    assert [name for name, _ in second.rings()] == [FURNACE]


async def test_a_file_that_is_refused_costs_no_start(file, clock, tmp_path):
    path_of(tmp_path).write_bytes(b"x")
    with structlog.testing.capture_logs() as logs:
        assert await RingKeeper(book(), file, clock).restore() == 0
    assert logs[0]["event"] == "ring_refused"
    assert "expected it to begin" in logs[0]["error"]


async def test_it_is_saved_again_and_again_and_a_full_disk_ends_nothing(
    file, clock, tmp_path, monkeypatch
):
    monkeypatch.setattr(ring_file, "SAVED_EVERY_S", 0.01)
    mine = book()
    mine.take_scores([window_score((NOW_MS - 2_000) * NS_PER_MS)])
    keeping = asyncio.create_task(RingKeeper(mine, file, clock).keep_on())
    await asyncio.to_thread(until, path_of(tmp_path).exists, "it is saved")
    path_of(tmp_path).unlink()
    path_of(tmp_path).mkdir()
    (path_of(tmp_path) / "x").touch()
    with structlog.testing.capture_logs() as logs:
        await asyncio.to_thread(until, lambda: bool(logs), "it is told")
    assert logs[0]["event"] == "ring_not_saved"
    assert not keeping.done()
    keeping.cancel()
    await asyncio.wait([keeping])
