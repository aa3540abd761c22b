import json
import os
import signal

import psutil
import pytest
from redis import Redis

from tests.integration.local_cluster.launcher import SERVICES, launcher_in
from tests.support.waiting import until
from tests.unit.local_cluster.processes import is_gone

pytestmark = pytest.mark.integration


@pytest.fixture
def own(tmp_path):
    """A launcher that starts servers of its own."""
    with launcher_in(tmp_path) as launcher:
        yield launcher


@pytest.fixture
def guest(own, kafka, redis_server, triton, topics):
    """A launcher that uses the session's servers, under a prefix of its own."""
    own.environment = {
        "MELTWATCH_KAFKA": kafka.address,
        "MELTWATCH_REDIS": redis_server.address,
        "MELTWATCH_TRITON": triton.address,
        "MELTWATCH_TOPIC_PREFIX": topics.prefix,
    }
    return own


def test_a_run_brings_everything_up_is_found_refuses_a_second_one_and_leaves_nothing(own):
    own.start()
    state = own.wait_ready()
    servers = ("kafka", "redis", "triton")
    assert {name: service["state"] for name, service in state["services"].items()} == (
        dict.fromkeys((*servers, *SERVICES), "ready")
    )
    with Redis.from_url(state["redis"]) as client:
        assert client.ping()
    processes = own.processes()
    assert len(processes) == 8
    assert state["console"].startswith("http://127.0.0.1:")

    with launcher_in(own.folder) as second:
        code, _, errors = second.run()
    assert code == 2
    assert f"process {own.process.pid} runs one" in errors
    assert len(errors.splitlines()) == 1

    code, _, errors = own.end(signal.SIGINT)
    assert code == 0, errors
    assert all(is_gone(process.pid) for process in processes)
    assert own.is_clean()
    told = json.loads(own.log("video_producer"))
    assert told["MELTWATCH_KAFKA"] == state["kafka"]
    assert told["MELTWATCH_SIMULATOR_SEED"] == "7"
    assert told["MELTWATCH_SIMULATOR_FURNACES"] == "3"


@pytest.mark.long
def test_after_a_launcher_is_killed_the_next_run_clears_up_and_goes_on(own):
    own.start()
    state = own.wait_ready()
    processes = own.processes()
    own.end(signal.SIGKILL)
    until(lambda: all(is_gone(process.pid) for process in processes), "the children died too")
    until(lambda: own.still_there() == [], "what they had started, too")
    assert (own.state_folder / "data").exists()

    own.start("none")
    again = own.wait_ready()
    assert again["kafka"] != state["kafka"]
    code, _, errors = own.end(signal.SIGTERM)
    assert code == 0, errors
    assert f"the last run in {own.state_folder} was killed" in errors
    assert own.is_clean()


@pytest.mark.long
def test_a_run_ends_by_itself_and_leaves_the_servers_of_others_alone(guest, redis_server, kafka):
    code, out, errors = guest.run(duration_s=2, summary="summary.json")
    assert code == 0, errors
    told = out.splitlines()
    names = "['alarm_manager', 'current_producer', 'stream_processor', 'video_producer']"
    # Nothing waits for the console.
    assert told[0] == f"start False simulator 2.0 {names}"
    assert told[-2:] == ["stopping", "stop"]
    assert (guest.folder / "summary.json").read_text() == '{"false_alarms": 0}'
    assert redis_server.answers()
    assert kafka.answers()
    assert json.loads(guest.log("current_producer"))["MELTWATCH_SIMULATOR_DURATION_S"] == "2"
    assert guest.is_clean()


def test_without_sources_everything_but_producers_runs(guest):
    guest.start("none")
    assert set(guest.wait_ready()["services"]) == {"stream_processor", "alarm_manager", "console"}
    code, _, errors = guest.end(signal.SIGINT)
    assert code == 0, errors


def test_a_service_that_dies_is_started_again_and_spoils_the_verdict(guest):
    guest.start()
    before = guest.wait_ready()["services"]["alarm_manager"]["pid"]
    os.kill(before, signal.SIGKILL)

    def back():
        now = guest.state()["services"]["alarm_manager"]
        return now["state"] == "ready" and now["pid"] != before

    until(back, "the alarm manager is back")
    code, out, errors = guest.end(signal.SIGINT)
    assert code == 1
    assert "alarm_manager down down since" in out
    assert "alarm_manager: expected it to live, it died 1 time (log:" in errors


def test_a_bad_summary_spoils_the_verdict(guest):
    guest.environment["MISSED"] = "1"
    code, _, errors = guest.run("none", duration_s=1)
    assert code == 1
    assert errors.splitlines()[-1] == "meltwatch: a fault was missed"


def test_a_summary_that_cannot_be_written_is_refused_before_the_run(guest):
    code, out, errors = guest.run(summary="nowhere/summary.json")
    assert code == 2
    assert "--summary: expected a file in an existing folder, got nowhere" in errors
    assert out == ""


def states(launcher, *services: str) -> set[str]:
    found = launcher.state()["services"]
    return {found[service]["state"] for service in services}


FINISHES = """
import pathlib
server.timeout = 0.1
while not pathlib.Path("@FILE@").exists():
    server.handle_request()
"""


def test_producers_that_finish_are_no_deaths(guest):
    over = guest.folder / "over"
    producers = ("video_producer", "current_producer")
    for producer in producers:
        finishing = guest.folder / "services" / f"meltwatch_{producer}" / "__main__.py"
        ready = "http.server.HTTPServer((host, int(port)), Answer)"
        program = finishing.read_text().replace(f"{ready}.serve_forever()", f"server = {ready}")
        guest.write_service(producer, f"{program}\n{FINISHES.replace('@FILE@', str(over))}")
    guest.start()
    guest.wait_ready()
    over.touch()
    until(lambda: states(guest, *producers) == {"stopped"}, "both finished")
    until(lambda: guest.state()["ready"], "the run goes on")
    code, _, errors = guest.end(signal.SIGINT)
    assert code == 0, errors


def test_a_service_that_cannot_start_ends_the_run_with_its_last_words(guest):
    guest.write_service("alarm_manager", "raise SystemExit('alarm_manager: Error: no plant file')")
    code, _, errors = guest.run()
    assert code == 1
    last = errors.splitlines()[-1]
    assert "alarm_manager: expected it to become ready, down since" in last
    assert "Error: no plant file" in last
    assert guest.is_clean()


@pytest.mark.long
def test_an_interrupted_start_leaves_nothing(own):
    own.start()
    until((own.state_folder / "processes.json").exists, "servers start")
    processes = own.processes()
    code, _, errors = own.end(signal.SIGTERM)
    assert code == 0, errors
    assert "stopped before everything was up" in errors
    assert all(is_gone(process.pid) for process in processes)
    until(lambda: own.still_there() == [], own.still_there)
    assert own.is_clean()


def test_a_server_of_others_that_is_down_is_an_unreachable_dependency(guest):
    guest.environment["MELTWATCH_KAFKA"] = "127.0.0.1:1"
    code, _, errors = guest.run()
    assert code == 3
    assert errors.startswith("MELTWATCH_KAFKA: expected a server that answers at")
    assert len(errors.splitlines()) == 1


def test_a_misspelt_variable_is_a_wrong_configuration(guest):
    guest.environment["MELTWATCH_KAFAK"] = "127.0.0.1:9092"
    code, _, errors = guest.run()
    assert code == 2
    assert "MELTWATCH_KAFAK" in errors


@pytest.mark.long
def test_two_runs_in_two_folders_do_not_meet(guest, tmp_path):
    other_folder = tmp_path / "other"
    with launcher_in(other_folder) as other:
        other.environment = guest.environment | {"MELTWATCH_TOPIC_PREFIX": "other"}
        for launcher in (guest, other):
            launcher.start("none")
        states = [launcher.wait_ready() for launcher in (guest, other)]
        pids = [state["services"]["alarm_manager"]["pid"] for state in states]
        assert guest.end(signal.SIGKILL)[0] == -signal.SIGKILL
        until(lambda: is_gone(pids[0]), "the killed run's service is gone")
        code, _, errors = guest.run("none", duration_s=1)
        assert code == 0, errors
        assert psutil.pid_exists(pids[1])
        assert other.end(signal.SIGINT)[0] == 0
