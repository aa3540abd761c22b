"""Every command of the tree under every condition that a terminal, a pipe or a cron job brings.

Of conditions of one kind (encodings, broken files) each command meets one, and ``status`` all; in
the long form (``make properties``) each meets all.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import psutil
import pytest
from meltwatch_chassis.run_state import FILE_NAME, ServiceState, write_state

from tests.support.command_shell import (
    CLOSED_PIPE,
    NO_SERVERS,
    Call,
    CommandShell,
    Done,
    arguments_for,
    commands,
    faults,
    options_of,
    takes_when,
)
from tests.support.examples import is_long
from tests.support.run_states import run_state

pytestmark = [pytest.mark.wide, pytest.mark.long, pytest.mark.programs]
COMMANDS = dict(commands())
LINES = {words: arguments_for(words, command) for words, command in COMMANDS.items()}
FAR_TIMES = (
    "9999-12-31T23:59:59-12:00",
    "9999-12-31T23:59:59Z",
    "0001-01-01T00:00:00+14:00",
    "0001-01-01T00:00:00Z",
    "-99999999999d",
    "999999999d",
    "",
    "٣d",
    "2026-02-30T00:00:00Z",
    "2026-11-22T24:61:00Z",
    "now\n",
)
TEXTS = (
    *("", " ", "\n", "a b:1", " 127.0.0.1:1", "127.0.0.1:1\n", "127.0.0.1", ":1", "h:x"),
    *("h:99999999", "http://", "[::1", "\x1b[31m", "é:1", ",", "redis://", "redis://h:x/0"),
    *("redis://h/x", "🔥"),
)
ADDRESSES = ("MELTWATCH_KAFKA", "MELTWATCH_REDIS", "MELTWATCH_TRITON")
SERVERLESS = {"topics acls"}
USER_OF = {"MELTWATCH_KAFKA": "topics check", "MELTWATCH_REDIS": "alarms list"}
OTHERS = ("MELTWATCH_TOPIC_PREFIX", "MELTWATCH_LOG_LEVEL", "MELTWATCH_PLANT_FILE")
STATES = {
    "empty": b"",
    "no JSON": b"{",
    "no object": b"[]",
    "no text": b"\xff\xfe\x00",
    "wrong types": b'{"kafka": 5}',
    "deep": b"[" * 100_000,
    "huge": b'{"kafka": "' + b"x" * 1_000_000 + b'"}',
}


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandShell]:
    with CommandShell(tmp_path_factory.mktemp("shell")) as warm:
        yield warm


def check(*ended: Done, codes: set[int] | None = None, serverless: set[int] | None = None) -> None:
    """Check how commands ended: with ``codes``, those that ask nobody with ``serverless``."""
    wrong = [
        (done.call, done.code, done.out[-500:], done.err[-1500:], faults(done))
        for done in ended
        if faults(done) or not _is_among(done, codes, serverless)
    ]
    assert not wrong, "\n".join(map(str, wrong))


def _is_among(done: Done, codes: set[int] | None, serverless: set[int] | None) -> bool:
    if serverless is not None and " ".join(map(str, done.call.arguments[:2])) in SERVERLESS:
        codes = serverless
    return codes is None or done.code in codes


def everywhere(**circumstances: Any) -> list[Call]:
    return [Call(arguments=line, **circumstances) for line in LINES.values()]


def in_turn(kinds: Sequence[Mapping[str, Any]], *, more: Sequence[str] = ()) -> list[Call]:
    """Each command under one of some circumstances, and ``status`` under all of them."""
    lines = [[*words.split(), *more] if more else line for words, line in LINES.items()]
    if is_long():
        return [Call(arguments=line, **kind) for line in lines for kind in kinds]
    calls = [Call(arguments=line, **kind) for line, kind in zip(lines, cycle(kinds), strict=False)]
    return [*calls, *(Call(arguments=["status", *more], **kind) for kind in kinds)]


def test_without_servers_each_says_in_one_line_what_is_missing(shell):
    lines = [
        [*line, *more]
        for words, line in LINES.items()
        for more in ([], ["--json"])
        if not more or "--json" in options_of(COMMANDS[words])
    ]

    for environ in (NO_SERVERS, {}):
        calls = (Call(arguments=line, environ=environ) for line in lines)
        check(*shell.run(*calls), codes={2, 3}, serverless={0})


def test_a_full_or_closed_output_is_one_line_at_most(shell):
    codes = {"/dev/full": {2}, CLOSED_PIPE: {0, 141}, "closed": {0, 2}}
    for done in shell.run(*in_turn([{"stdout": each} for each in codes], more=["--help"])):
        check(done, codes=codes[done.call.stdout])
    for stdout, serverless in codes.items():
        check(*shell.run(*everywhere(stdout=stdout)), codes={2, 3}, serverless=serverless)
    check(*shell.run(*in_turn([{"stderr": each} for each in ("/dev/full", "closed")])))


def test_any_encoding_will_do(shell):
    kinds = [{"encoding": each} for each in ("ascii", "gbk", "latin-1", "utf-16")]
    check(*shell.run(*in_turn(kinds, more=["--help"])), codes={0})
    check(*shell.run(*in_turn(kinds)), codes={2, 3}, serverless={0})


def test_streams_folders_and_variables_may_be_missing(shell, tmp_path):
    gone = [tmp_path / str(number) for number in range(len(LINES))]
    for folder in gone:
        folder.mkdir()
    calls = [
        *in_turn(
            [
                {"stdin": "closed"},
                {"unset": ["HOME", "PATH"]},
                {"environ": {"TZ": "Nowhere/Land", "LANG": "xx_YY", "COLUMNS": "x"}},
                {"environ": {"COLUMNS": "1"}},
            ]
        ),
        *(
            Call(arguments=line, cwd=folder, is_cwd_gone=True, unset=["MELTWATCH_STATE_DIR"])
            for line, folder in zip(LINES.values(), gone, strict=True)
        ),
    ]
    check(*shell.run(*calls))


def test_every_time_is_a_moment_or_bad_usage(shell):
    options = [
        (line, option) for words, line in LINES.items() for option in takes_when(COMMANDS[words])
    ]
    assert len(options) > len(FAR_TIMES) / 3
    calls = (
        Call(arguments=[*without(line, option), option, text], environ=NO_SERVERS)
        for number, (line, option) in enumerate(options)
        for text in (FAR_TIMES if is_long() else FAR_TIMES[number % 4 :: 4])
    )
    check(*shell.run(*calls), codes={2, 3})


def without(line: list[str], option: str) -> list[str]:
    """Return a command line without an option and its value."""
    if option not in line:
        return line
    at = line.index(option)
    return line[:at] + line[at + 2 :]


@pytest.mark.parametrize("name", [*ADDRESSES, *OTHERS])
def test_any_text_in_a_variable_is_taken_or_refused_in_one_line(shell, name):
    check(
        *shell.run(
            *(
                Call(arguments=[*words.split()], environ=NO_SERVERS | {name: text})
                for words in {"status", USER_OF.get(name, "status")}
                for text in TEXTS
            )
        ),
        codes={2, 3},
    )


def test_arguments_that_are_no_text_are_bad_usage(shell):
    calls = [Call(arguments=[*line, b"\xff\xfe"]) for line in LINES.values()]
    check(*shell.run(*calls, Call(arguments=[b"\xff"]), Call(arguments=["\x1b[2J"])), codes={2})


def test_a_state_that_is_broken_or_cannot_be_is_no_run(shell, tmp_path):
    good = json.loads(run_state().model_dump_json())
    impossible = [{"launcher_pid": n} for n in (-1, 0, 2**31, 2**63, 10**30)] + [{"kafka": "a b"}]
    states = [*STATES.values(), *(json.dumps(good | each).encode() for each in impossible)]
    kinds = []
    for number, state in enumerate(states):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / FILE_NAME).write_bytes(state)
        kinds.append({"environ": {"MELTWATCH_STATE_DIR": str(folder)}})
    check(*shell.run(*in_turn(kinds)), codes={2, 3}, serverless={0})


def test_a_state_folder_may_be_anything(shell, tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    folders = (tmp_path / "file", tmp_path / "loop", Path("/proc/1/root"), Path("x" * 5000))
    kinds = [{"environ": {"MELTWATCH_STATE_DIR": str(folder)}} for folder in folders]
    check(*shell.run(*in_turn(kinds)), codes={2, 3}, serverless={0})


@pytest.fixture
def hostile_run(tmp_path: Path) -> dict[str, str]:
    """A run of this process, whose texts would steer a terminal; the environment to find it."""
    evil = "\x1b]0;owned\x07\x1b[2J\rready\n● ready ▲ é \u202e"
    me = psutil.Process()
    state = run_state(
        services={evil: ServiceState(pid=1, state=evil, detail=evil)},
        kafka="127.0.0.1:1",
        redis=f"redis://:secret@127.0.0.1:1/0?{evil}",
        console=evil,
        launcher_pid=os.getpid(),
        launcher_started=me.create_time(),
    )
    write_state(tmp_path, state)
    return {"MELTWATCH_STATE_DIR": str(tmp_path)}


def test_a_run_with_hostile_texts_is_shown_escaped(shell, hostile_run):
    calls = [
        Call(arguments=["status", *more], environ=hostile_run, encoding=encoding, stdout=stdout)
        for more in ([], ["--json"])
        for encoding in ("utf-8", "ascii", "gbk", "latin-1")
        for stdout in (None, "/dev/full", CLOSED_PIPE)
    ]
    ended = shell.run(*calls)
    check(*ended)
    for done in ended:
        if done.call.stdout is None:
            assert done.code == 0
            assert "secret" not in done.out or "--json" in done.call.arguments
        if "--json" in done.call.arguments and done.out:
            assert next(iter(json.loads(done.out)["services"])).startswith("\x1b]0;owned")


def test_an_interrupt_ends_it_at_once(shell):
    for at_once, moments in ((2, (0.0, 0.05, 0.1)), (8, (0.3, 1.0))):
        kinds = [{"environ": NO_SERVERS, "interrupt_after_s": after_s} for after_s in moments]
        ended = shell.run(*in_turn(kinds), at_once=at_once)
        check(*ended, codes={1, 2, 3, 130}, serverless={0, 130})
