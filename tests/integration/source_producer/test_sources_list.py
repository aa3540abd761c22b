"""``meltwatch sources list`` tells the truth while a camera and a meter are killed and frozen."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.source_producer.bench import SourceProducer, producing
from tests.support.cameras import PASSWORD, USER, gst_camera
from tests.support.meter_process import MeterProcess
from tests.support.modbus_meter import FIRST, UNIT
from tests.support.waiting import until

pytestmark = [pytest.mark.integration]


def listed(address: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command at a producer's health address."""
    command = [sys.executable, "-m", "meltwatch_cli", "sources", "list", "--at", address]
    return subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)


class Listing:
    """What the command says of one producer."""

    def __init__(self, producer: SourceProducer) -> None:
        self.address = producer.health.removeprefix("http://")
        self.said = ""

    def sources(self) -> dict[str, dict[str, Any]]:
        """Give the sources by kind."""
        done = listed(self.address, "--json")
        self.said += done.stdout + done.stderr
        assert done.stdout, done.stderr
        found = {each["modality"]: each for each in json.loads(done.stdout)["sources"]}
        runs = all(each["state"] == "running" for each in found.values())
        assert done.returncode == (0 if runs else 1)
        return found

    def wait(self, **states: str) -> dict[str, dict[str, Any]]:
        """Wait until sources are in these states, and give them."""
        found: dict[str, dict[str, Any]] = {}

        def are_so() -> bool:
            found.update(self.sources())
            return all(found[kind]["state"] == state for kind, state in states.items())

        until(are_so, lambda: f"{states}: {found}")
        return found

    def wait_used(self) -> dict[str, dict[str, Any]]:
        """Wait until both run and what they give has become records."""
        found: dict[str, dict[str, Any]] = {}

        def are_so() -> bool:
            found.update(self.sources())
            return all(
                each["state"] == "running" and each["used_s"] is not None and each["timing"]
                for each in found.values()
            )

        until(are_so, lambda: f"{found}")
        return found


def write_plant(folder: Path, video: str, meter: MeterProcess) -> None:
    login = folder / "logins" / "cam-login"
    login.mkdir(parents=True)
    (login / "username").write_text(USER)
    (login / "password").write_text(PASSWORD)
    furnace = {
        "id": "site/area/F-1",
        "name": "one",
        "video": {"source_id": "cam", "address": video, "credentials": "cam-login"},
        "current": {
            "source_id": "meter",
            "address": f"modbus+tcp://127.0.0.1:{meter.port}?unit={UNIT}",
            "registers": {"first": FIRST},
        },
    }
    plant = {"credentials_dir": str(folder / "logins"), "furnaces": [furnace]}
    (folder / "plant.yaml").write_text(yaml.safe_dump(plant))


def test_it_tells_the_truth_while_sources_are_killed_frozen_and_brought_back(
    tmp_path: Path,
) -> None:
    """Kafka is away all the time: what sources do is told all the same."""
    with gst_camera() as camera, MeterProcess("modbus_meter", "socket") as meter:
        write_plant(tmp_path, camera.locked_url, meter)
        with producing("127.0.0.1:1", "plant", tmp_path) as producer:
            until(lambda: producer.asked("/sources") != "", producer.log.read_text)
            listing = Listing(producer)
            listing.wait(video="running", current="running")
            running = listing.wait_used()

            camera.freeze()
            frozen = listing.wait(video="waiting")
            camera.thaw()
            meter.freeze()
            listing.wait(video="running")
            away = listing.wait(current="waiting")
            meter.thaw()
            listing.wait(video="running", current="running")
            camera.kill()
            meter.kill()
            dead = listing.wait(video="waiting", current="waiting")
            camera.restart()
            meter.start()
            again = listing.wait(video="running", current="running")
            shown = listed(listing.address)

            producer.process.send_signal(signal.SIGSTOP)
            silent = listed(listing.address)
            producer.process.send_signal(signal.SIGCONT)

    video = running["video"]
    assert video["credentials"] == "cam-login"
    assert video["timing"]["rung"] == "arrival"
    assert video["timing"]["sync"] in {"ntp", "free"}
    assert 0 < video["rate_hz"] <= 30
    assert running["current"]["timing"]["sync"] in {"ntp", "free"}
    assert "nothing came for" in frozen["video"]["why"]
    assert frozen["video"]["newest_s"] >= 2
    assert frozen["current"]["state"] == "running"
    assert away["current"]["newest_s"] > 0.4
    assert dead["video"]["reconnects"] > video["reconnects"]
    assert dead["current"]["why"]
    assert again["video"]["newest_s"] < dead["video"]["newest_s"] + 60
    heading, *rows, spool = shown.stdout.splitlines()
    assert heading.split()[:4] == ["FURNACE", "KIND", "STATE", "SINCE"]
    assert [row.split()[2] for row in rows] == ["running", "running"]
    assert spool.startswith("Waiting for Kafka: ")
    assert spool.endswith(" s; dropped: 0")
    assert (silent.returncode, silent.stdout) == (3, "")
    assert "expected the source producer at" in silent.stderr
    everything = listing.said + shown.stdout + silent.stderr
    assert not any(secret in everything for secret in (PASSWORD, "p%40s"))


def test_who_does_not_answer_and_a_folder_without_a_run_are_told_in_one_line(
    command: Callable[..., tuple[int, str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nobody = command("sources", "list", "--at", "127.0.0.1:1")
    monkeypatch.setenv("MELTWATCH_STATE_DIR", str(tmp_path))
    no_run = command("sources", "list")

    for code, said, error in (nobody, no_run):
        assert code == 3
        assert said == ""
        assert len(error.splitlines()) == 1
