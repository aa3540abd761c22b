"""What commands of sources print, and what they refuse, without any source."""

import asyncio
import io
import json
import threading
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import psutil
import pytest
from meltwatch_chassis.errors import BadUsage, DependencyUnreachable
from meltwatch_chassis.health import Health, HealthServer
from meltwatch_chassis.metrics import Metrics
from meltwatch_chassis.run_state import write_state
from meltwatch_chassis.testing import ManualClock
from meltwatch_local_cluster.launch.plans import ServicePlan
from meltwatch_local_cluster.launch.service import Service, Supervisor
from meltwatch_schemas.chunk import Modality
from meltwatch_schemas.window import NS_PER_S
from meltwatch_source_producer import command_shared
from meltwatch_source_producer.acceptance import (
    Acceptance,
    AcceptedVideo,
    acceptance_file,
    encoded,
    references_of,
)
from meltwatch_source_producer.command_list import list_sources
from meltwatch_source_producer.command_shared import (
    SecondsLine,
    in_thread,
    print_columns,
    waited_for,
)
from meltwatch_sources.domain.picture_check import PictureReference
from meltwatch_sources.domain.supervision import Loss
from meltwatch_sources.ports import SourceLost
from meltwatch_sources.source_report import SourceTiming
from meltwatch_sources.supervisor import LiveSource, SourceName

from tests.support.run_states import run_state

EVIL = "\x1b[2Jevil\u202e"


def source(clock: ManualClock) -> LiveSource:
    name = SourceName("a/b/c", Modality.VIDEO, "cam", "rtsp://h/1", "cam-login")
    return LiveSource(name, clock, Metrics())


def test_a_report_says_what_came_and_how_long_ago() -> None:
    clock = ManualClock(1_800_000_000 * NS_PER_S)
    live = source(clock)
    live.opening()
    assert live.report().newest_s is None
    for _ in range(50):
        clock.advance(NS_PER_S // 10)
        live.delivered()
    live.used()
    live.timed(SourceTiming("ntp", 0.2, 0.16, "sender", 0.01))
    clock.advance(NS_PER_S)
    running = live.report()
    clock.advance(NS_PER_S * 3 // 2)
    silent = live.report()
    live.lost(SourceLost("no route", Loss.LOST))
    live.opening()
    clock.advance(9 * NS_PER_S)
    waiting = live.report()

    assert (running.state, running.newest_s, running.used_s) == ("running", 1.0, 1.0)
    assert running.rate_hz == pytest.approx(5.0)
    assert running.credentials == "cam-login"
    assert (silent.state, silent.newest_s) == ("silent", 2.5)
    assert (waiting.state, waiting.why, waiting.reconnects) == ("waiting", "no route", 1)
    assert (waiting.since_s, waiting.rate_hz) == (9.0, 0.0)
    assert json.dumps(asdict(waiting))


def served(page: object) -> HealthServer:
    return HealthServer(
        "127.0.0.1:0",
        Health(lambda: None, lambda: None),
        Metrics().registry,
        {"/sources": lambda: page},
    )


def test_what_a_producer_says_is_shown_and_its_texts_reach_no_terminal_as_they_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = ManualClock(1_800_000_000 * NS_PER_S)
    evil = asdict(source(clock).report()) | {"furnace_id": EVIL, "why": EVIL, "address": EVIL}
    page = {"sources": [evil], "spool": {"bytes": 5_000_000, "oldest_s": 3.0, "dropped": 2}}
    with served(page) as server:
        code = list_sources(at=[server.address])
        shown = capsys.readouterr().out
        list_sources(at=[server.address], as_json=True)
        printed = capsys.readouterr().out

    assert code == 1, "it does not run"
    assert shown.count(r"\x1b[2Jevil\u202e") == 3
    assert "Waiting for Kafka: 5.0 MB, the oldest for 3 s; dropped: 2" in shown
    assert not any(
        character in shown + printed for character in EVIL if not character.isprintable()
    )
    assert json.loads(printed)["sources"][0]["why"] == EVIL


def test_without_an_address_the_run_of_this_folder_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    launcher = psutil.Process()
    plan = ServicePlan("source_producer", {}, "", tmp_path / "log")
    clock = ManualClock(1_800_000_000 * NS_PER_S)
    page = {
        "sources": [asdict(source(clock).report()) | {"state": "running"}],
        "spool": {"bytes": 0, "oldest_s": 0.0, "dropped": 0},
    }
    monkeypatch.setenv("MELTWATCH_STATE_DIR", str(tmp_path))
    with served(page) as server:
        plan = replace(plan, health_address=server.address)
        service = Service(plan, clock, lambda *_: None)
        run = run_state(
            services=Supervisor([service]).states,
            launcher_pid=launcher.pid,
            launcher_started=launcher.create_time(),
        )
        write_state(tmp_path, run)
        assert list_sources() == 0
        assert "a/b/c    video  running" in capsys.readouterr().out
        write_state(tmp_path, run.model_copy(update={"services": {}}))
        with pytest.raises(BadUsage, match="a run of others"):
            list_sources()


@pytest.mark.parametrize(
    "page", [None, [], {}, {"sources": 1, "spool": {}}, {"sources": [{}], "spool": {}}, "x" * 9]
)
def test_a_page_of_something_else_is_refused(page: object) -> None:
    with served(page) as server, pytest.raises(DependencyUnreachable, match="something else"):
        list_sources(at=[server.address])


def test_a_page_that_fails_is_an_answer() -> None:
    def fail() -> object:
        raise RuntimeError("no disk")

    health = Health(lambda: None, lambda: None)
    with (
        HealthServer("127.0.0.1:0", health, Metrics().registry, {"/sources": fail}) as server,
        pytest.raises(DependencyUnreachable, match="something else"),
    ):
        list_sources(at=[server.address])


def test_columns_are_aligned_and_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    print_columns(("A", "B"), [("1", EVIL), ("long", "2")])

    assert capsys.readouterr().out == "A     B\n1     \\x1b[2Jevil\\u202e\nlong  2\n"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_shown_on_a_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing() -> int:
        await asyncio.sleep(0)
        return 7

    terminal, pipe = Terminal(), io.StringIO()
    monkeypatch.setattr(command_shared.sys, "stderr", terminal)
    assert waited_for(nothing(), EVIL, 20) == 7
    monkeypatch.setattr(command_shared.sys, "stderr", pipe)
    waited_for(nothing(), "watching", 20)

    assert "evil" in terminal.getvalue()
    assert "\x1b[2J" not in terminal.getvalue(), "what it is called is escaped"
    assert terminal.getvalue().endswith("\r\x1b[K")
    assert pipe.getvalue() == ""
    assert SecondsLine("x", 1) is not None


async def test_what_blocks_holds_up_no_other_and_its_error_is_raised() -> None:
    hold = threading.Event()

    def fail() -> None:
        raise SourceLost("away")

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await in_thread(hold.wait)
    hold.set()
    assert await in_thread(lambda: 3) == 3
    with pytest.raises(SourceLost, match="away"):
        await in_thread(fail)


def test_a_record_stands_beside_the_plant_file_under_one_name(tmp_path: Path) -> None:
    plant = tmp_path / "plant.yaml"
    file = acceptance_file(plant, "../../a/F-1")

    assert file.parent == tmp_path / "accepted"
    assert references_of(plant, ["../../a/F-1"]) == ({}, [])
    file.parent.mkdir()
    file.write_text("{")
    found, unreadable = references_of(plant, ["../../a/F-1"])
    assert found == {}
    assert unreadable == [f"{file}: expected a record of 'sources accept', got something else"]


def test_a_reference_is_kept_as_it_was(tmp_path: Path) -> None:
    mean = np.random.default_rng(1).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    reference = PictureReference.of([mean])
    video = AcceptedVideo(
        source_id="cam",
        address="rtsp://h/1",
        crop=None,
        codec="h264",
        width=64,
        height=64,
        rate_hz=5,
        key_every_s=None,
        jitter_s=None,
        delay_s=None,
        rung=None,
        clock_offset_s=None,
        border_grey=reference.border_grey,
        red_to_blue=reference.red_to_blue,
        mean=encoded(reference),
    )
    record = Acceptance(
        furnace_id="a/b", by="Li", at="2026-11-29T13:00:00Z", seconds=25, video=video,
        current=None, findings=(), despite=(),
    )  # fmt: skip
    plant = tmp_path / "plant.yaml"
    acceptance_file(plant, "a/b").parent.mkdir()
    acceptance_file(plant, "a/b").write_text(record.model_dump_json())
    found, unreadable = references_of(plant, ["a/b"])

    assert unreadable == []
    assert np.array_equal(found["a/b"].mean, mean)
    assert found["a/b"].border_grey == reference.border_grey
