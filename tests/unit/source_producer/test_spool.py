"""What is put in comes out once, in order, within a bound; what a file holds is hostile."""

import os
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
from itertools import count
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from meltwatch_chassis.errors import ConfigurationError
from meltwatch_schemas.record import OutgoingRecord
from meltwatch_source_producer import spool as spools
from meltwatch_source_producer.spool import LEAST_BYTES, Spool

TOPIC = "plant.embeddings.v1"


def record(time_ms: int, furnace: str = "a/F1", size: int = 100) -> OutgoingRecord:
    return OutgoingRecord(TOPIC, furnace.encode(), os.urandom(size), (), time_ms)


def emptied(spool: Spool) -> list[tuple[int, bytes]]:
    """Take everything out, in its order."""
    found = []
    while waiting := spool.oldest(10**15, 50):
        spool.settle(waiting)
        found += [(one.time_ms, one.value) for one in waiting]
    return found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "producer.spool"


class AnySpool(RuleBasedStateMachine):
    """A spool against a sorted list; it is closed and opened again in between."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "any.spool"
        self.spool = Spool(self.path, LEAST_BYTES)
        self.numbers = count()
        self.model: list[tuple[int, int, bytes]] = []

    @rule(time_ms=st.integers(0, 50), size=st.integers(0, 9000))
    def put(self, time_ms: int, size: int) -> None:
        made = record(time_ms, size=size)
        self.spool.send(made)
        self.model.append((time_ms, next(self.numbers), made.value or b""))
        self.model.sort()

    @rule(span_ms=st.integers(0, 20), most=st.integers(1, 5), keep=st.integers(0, 3))
    def take(self, span_ms: int, most: int, keep: int) -> None:
        waiting = self.spool.oldest(span_ms, most)
        expected = [one for one in self.model[:most] if one[0] <= self.model[0][0] + span_ms]
        assert [(one.time_ms, one.value) for one in waiting] == [(t, v) for t, _, v in expected]
        settled = waiting[keep:]
        self.spool.settle(settled)
        self.model = self.model[: min(keep, len(waiting))] + self.model[len(waiting) :]

    @rule()
    def open_again(self) -> None:
        self.spool.__exit__()
        self.spool = Spool(self.path, LEAST_BYTES)

    @invariant()
    def figures_are_right(self) -> None:
        figures = self.spool.figures()
        assert sum(figures.bytes_by_furnace.values()) == sum(len(v) for *_, v in self.model)
        assert figures.oldest_ms == (self.model[0][0] if self.model else None)
        assert self.spool.is_idle() == (not self.model)

    def teardown(self) -> None:
        self.spool.__exit__()
        self.folder.cleanup()


TestAnySpool = AnySpool.TestCase
TestAnySpool.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)


def test_without_room_the_oldest_go_and_the_bound_holds(path: Path):
    with Spool(path, LEAST_BYTES) as spool:
        for time_ms in range(4000):
            spool.send(record(time_ms, size=24_000))
        figures = spool.figures()
        on_disk = sum(file.stat().st_size for file in path.parent.iterdir())
        times = [time_ms for time_ms, _ in emptied(spool)]
    assert on_disk <= LEAST_BYTES
    assert sum(figures.bytes_by_furnace.values()) > LEAST_BYTES / 2
    assert times == list(range(4000 - len(times), 4000))
    assert figures.dropped == 4000 - len(times)
    assert spool.problem() is None


PUTS_AND_IS_KILLED = """
    import os, sys
    from pathlib import Path
    from meltwatch_source_producer.spool import Spool
    from meltwatch_schemas.record import OutgoingRecord

    spool = Spool(Path(sys.argv[1]), 64 * 1024 * 1024)
    for number in range(500):
        spool.send(OutgoingRecord("t", b"a/F1", b"%d" % number, (), number))
    spool.settle(spool.oldest(100, 50))
    print("done", flush=True)
    sys.stdin.read()
"""


@pytest.mark.programs
def test_a_killed_process_loses_nothing_and_keeps_nobody_out(path: Path):
    command = [sys.executable, "-c", textwrap.dedent(PUTS_AND_IS_KILLED), str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"done\n"
        with pytest.raises(ConfigurationError, match="nobody else has open"):
            Spool(path, LEAST_BYTES)
        process.send_signal(signal.SIGKILL)
    with Spool(path, LEAST_BYTES) as spool:
        assert [int(value) for _, value in emptied(spool)] == list(range(50, 500))


@pytest.fixture
def small_files() -> object:
    """Let this process write no large file, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    def limit(size: int | None) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size or before[0], before[1]))

    yield limit
    limit(None)
    signal.signal(signal.SIGXFSZ, ignored)


def test_a_full_disk_costs_no_record_while_memory_has_room(path: Path, small_files):
    with Spool(path, LEAST_BYTES) as spool:
        for time_ms in range(20):
            spool.send(record(time_ms, size=20_000))
        small_files(200_000)
        for time_ms in range(20, 120):
            spool.send(record(time_ms, size=20_000))
        assert spool.problem() is not None
        assert spool.figures().dropped == 0
        assert [time_ms for time_ms, _ in emptied(spool)] == list(range(120))
        assert spool.is_idle()
        small_files(None)
        spool.send(record(7))
        assert spool.problem() is None
        assert [time_ms for time_ms, _ in emptied(spool)] == [7]


def test_what_a_full_disk_cannot_hold_is_bounded_in_memory(path: Path, small_files, monkeypatch):
    monkeypatch.setattr(spools, "MEMORY_BYTES", 1024 * 1024)
    small = Spool(path, LEAST_BYTES)
    with small as spool:
        small_files(100_000)
        for time_ms in range(200):
            spool.send(record(time_ms, size=20_000))
        times = [time_ms for time_ms, _ in emptied(spool)]
        dropped = spool.figures().dropped
    assert dropped > 0
    assert len(times) + dropped == 200
    assert times[-20:] == list(range(180, 200))


def foreign_tables(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE waiting (id INTEGER PRIMARY KEY, time_ms TEXT)")
    database.close()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(b"no database" * 1000),
        lambda path: path.write_bytes(os.urandom(100_000)),
        lambda path: path.write_bytes(b"SQLite format 3\0" + os.urandom(100_000)),
        foreign_tables,
    ],
    ids=["text", "noise", "header", "foreign tables"],
)
def test_a_file_that_is_not_ours_is_set_aside(path: Path, spoil):
    spoil(path)
    before = path.read_bytes()
    with Spool(path, LEAST_BYTES) as spool:
        spool.send(record(1))
        assert [time_ms for time_ms, _ in emptied(spool)] == [1]
    kept = path.with_name(path.name + ".unreadable").read_bytes()
    # SQLite notes its own mode in the first 100 bytes of a database, whoever made it.
    assert kept[100:] == before[100:]


def test_pages_that_are_spoilt_cost_what_stood_there_and_no_more(path: Path):
    with Spool(path, LEAST_BYTES) as spool:
        for time_ms in range(300):
            spool.send(record(time_ms, size=5000))
    content = bytearray(path.read_bytes())
    content[8192:] = os.urandom(len(content) - 8192)
    path.write_bytes(content)
    with Spool(path, LEAST_BYTES) as spool:
        spool.oldest(10**15, 10)
        spool.send(record(1000))
        assert 1000 in [time_ms for time_ms, _ in emptied(spool)]
        assert spool.is_idle()


def test_a_place_where_nothing_can_be_written_is_a_configuration_error(tmp_path: Path):
    with pytest.raises(ConfigurationError, match=r"spool .*missing/x\.spool: expected a file"):
        Spool(tmp_path / "missing" / "x.spool", LEAST_BYTES)
    with pytest.raises(ConfigurationError, match="expected a bound of"):
        Spool(tmp_path / "x.spool", 1)
