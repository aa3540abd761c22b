import json
import os
import runpy
import subprocess
import sys
from importlib.metadata import EntryPoint, version

import psutil
import pytest
from meltwatch_chassis.run_state import ServiceState, write_state
from meltwatch_cli import command_tree
from meltwatch_cli.__main__ import main
from meltwatch_cli.commands import status
from meltwatch_cli.domain.watch import Furnaces, WatchView

from tests.support.run_states import run_state


@pytest.fixture
def command(monkeypatch, capsys, tmp_path):
    """Runs a command line in this process: exit code, standard output, standard error."""
    monkeypatch.setenv("MELTWATCH_STATE_DIR", str(tmp_path))

    def run(*arguments: str):
        monkeypatch.setattr(sys, "argv", ["meltwatch", *arguments])
        code = main()
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def run_here(tmp_path, monkeypatch):
    monkeypatch.setattr(status, "_watch", lambda _: WatchView(Furnaces(12, 1), 2.0))
    services = {
        "stream_processor": ServiceState(pid=11, state="degraded", detail="Triton does not answer"),
        "alarm_manager": ServiceState(pid=12, state="ready"),
    }
    state = run_state(
        redis="redis://u:secret@127.0.0.1:20002/0",
        topic_prefix="mine",
        ready=False,
        services=services,
        launcher_pid=os.getpid(),
        launcher_started=psutil.Process().create_time(),
    )
    write_state(tmp_path, state)


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        ([], 2, "expected a command, got none (see 'meltwatch --help')"),
        (["alarms"], 2, "expected a command, got none (see 'meltwatch --help')"),
        (["staus"], 2, 'Did you mean "status"?'),
        (["alarms", "ack"], 2, "ALARM_ID requires an argument"),
        (["alarms", "ack", "--comment"], 2, "--comment requires an argument"),
        (["alarms", "ack", "--coment", "x", "f/OVERHEAT"], 2, "Did you mean --comment?"),
        (["alarms", "show", "a", "b\n\x1b[2J"], 2, "Unused Tokens"),
        (["topics", "create", "--partitions", "many"], 2, "--partitions: expected a whole number"),
        (["topics", "create", "--partitions", "0"], 2, "--partitions. Must be >= 1"),
        (["topics", "create", "--partitions", "2.6"], 2, "expected a whole number, got '2.6'"),
        (["dead-letters", "show", "0x5"], 2, "expected a whole number, got '0x5'"),
        (["status"], 3, "expected a run with its state in"),
        (["status", "--json"], 3, "expected a run with its state in"),
        (["alarms", "tail", "--since", "noon"], 2, "expected 90s, 10m"),
        (["alarms", "list"], 3, "or set MELTWATCH_REDIS"),
        (["labels", "export", "--from", "noon"], 2, "expected 90s, 10m"),
        (["alarms", "judge", "f/X"], 2, "expected --verdict or --missed, got neither"),
        (["alarms", "judge", "f/X", "--missed", "noon"], 2, "--missed: expected FROM/TO"),
        (["alarms", "judge", "f/X", "--missed", "2h/soon"], 2, "--missed: "),
        (["alarms", "judge", "f/X", "--verdict", "maybe"], 2, "--verdict"),
        (["alarms", "judge", "x", "--verdict", "unclear"], 2, "x"),
        (["alarms", "judge", "f/X", "--missed", "2h/1h"], 3, "or set MELTWATCH_KAFKA"),
        (["alarms", "decommission", "f/X"], 2, "--reason"),
        (["alarms", "reset", "f/X"], 2, "expected --event-id where nobody can be asked"),
        (["alarms", "reset", "f/X", "--event-id", "e"], 3, "or set MELTWATCH_KAFKA"),
        (["alarms", "comment", "f/X"], 2, "TEXT"),
        (["alarms", "comment", "f/X", " "], 2, "TEXT: expected 1 to 1000 printable characters"),
        (["alarms", "comment", "f/X", "seen"], 3, "or set MELTWATCH_KAFKA"),
        (["alarms", "decommission", "f/X", "--reason", "gone"], 3, "or set MELTWATCH_KAFKA"),
        (["labels", "export"], 3, "or set MELTWATCH_KAFKA"),
        (["alarms", "ack", "f/OVERHEAT"], 2, "expected --event-id where nobody can be asked"),
        (["alarms", "ack", "f/OVERHEAT", "--event-id", "0"], 3, "or set MELTWATCH_KAFKA"),
    ],
)
def test_a_failure_is_one_line_and_an_exit_code(command, arguments, code, error):
    got, out, err = command(*arguments)

    assert (got, out) == (code, "")
    assert error in err
    assert err.startswith("meltwatch: ")
    assert err.count("\n") == 1


def test_an_unknown_variable_is_an_error_of_usage(command, monkeypatch):
    monkeypatch.setenv("MELTWATCH_KAFAK", "x")

    code, _, err = command("status")

    assert code == 2
    assert "MELTWATCH_KAFAK" in err


def test_help_lists_the_commands_that_exist(command):
    code, out, _ = command("--help")

    assert code == 0
    for name in ("alarms", "status", "topics"):
        assert f" {name} " in out


@pytest.mark.parametrize("dotted", sorted(command_tree.installed_commands()))
def test_every_command_can_say_what_it_takes(command, dotted):
    words = dotted.split(".")
    code, out, err = command(*words, "--help")

    assert (code, err) == (0, "")
    assert out.startswith(f"Usage: meltwatch {' '.join(words)}")


@pytest.mark.usefixtures("run_here")
def test_status_json_has_the_fields_of_the_contract(command):
    code, out, _ = command("status", "--json")

    shown = json.loads(out)
    assert code == 0
    assert set(shown) == {
        "kafka",
        "redis",
        "triton",
        "console",
        "topic_prefix",
        "ready",
        "services",
        "furnaces",
    }
    assert shown["furnaces"]["watched"] == 12
    assert shown["furnaces"]["blind"] == 1
    assert shown["furnaces"]["stale"] is False
    assert shown["console"] is None
    assert shown["services"]["alarm_manager"]["pid"] == 12
    assert shown["services"]["alarm_manager"]["state"] == "ready"


@pytest.mark.usefixtures("run_here")
def test_status_tells_people_what_is_wrong_and_no_password(command):
    code, out, _ = command("status")

    assert code == 0
    assert "not ready" in out
    assert "Furnaces: 12 furnaces watched, 1 BLIND; as of 2.0 s ago" in out
    assert "Triton does not answer" in out
    assert "secret" not in out


def test_a_command_of_another_package_is_imported_when_it_is_called(command, monkeypatch, tmp_path):
    (tmp_path / "plugin_of_test.py").write_text("def seven() -> int:\n    return 7\n")
    monkeypatch.syspath_prepend(tmp_path)
    points = [
        EntryPoint(name, "plugin_of_test:seven", command_tree.ENTRY_POINTS)
        for name in ("seven", "alarms.seven", "numbers.seven", "status")
    ]
    monkeypatch.setattr(
        command_tree,
        "entry_points",
        lambda *, group: points if group == command_tree.ENTRY_POINTS else [],
    )
    command_tree.installed_commands.cache_clear()
    try:
        assert command("topics")[0] == 2
        assert "plugin_of_test" not in sys.modules
        assert command("seven")[0] == 7
        assert command("alarms", "seven")[0] == 7
        assert command("numbers", "seven")[0] == 7
        assert command("status")[0] == 3, "ours cannot be replaced"
        assert "numbers" in command("--help")[1]
    finally:
        command_tree.installed_commands.cache_clear()


@pytest.mark.programs
def test_clients_are_not_imported_for_help():
    script = (
        "import sys; from meltwatch_cli.__main__ import main; "
        "sys.argv = ['meltwatch', 'alarms', '--help']; main(); "
        "assert not {'kafka', 'redis'} & set(sys.modules), 'clients were imported'"
    )

    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)


def test_the_version_is_that_of_the_package(command):
    assert command("--version") == (0, f"meltwatch {version('meltwatch-cli')}\n", "")


SERVICES = {
    "alarm_manager": "alarm-manager",
    "stream_processor": "stream-processor",
    "video_producer": "producers",
    "current_producer": "producers",
    "source_producer": "producers",
}


@pytest.mark.programs
@pytest.mark.parametrize(("service", "package"), SERVICES.items())
def test_each_service_says_its_version(service, package, monkeypatch, capsys):
    """``python -m`` in this process, which has imported all of it."""
    monkeypatch.setattr(sys, "argv", [service, "--version"])

    with pytest.raises(SystemExit) as left:
        runpy.run_module(f"meltwatch_{service}", run_name="__main__")

    assert left.value.code in {0, None}
    assert capsys.readouterr().out == f"{service} {version(f'meltwatch-{package}')}\n"


def test_what_nobody_expected_is_one_line_and_no_trace(command, monkeypatch):
    def broken(_environ):
        raise RuntimeError("two\nlines\x1b")

    monkeypatch.setattr(status, "current_run", broken)

    code, out, err = command("status")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "this is a fault of Meltwatch: RuntimeError: two lines\\x1b" in err

    monkeypatch.setenv("MELTWATCH_LOG_LEVEL", "debug")
    assert "in broken" in command("status")[2]
