"""Runs many ``meltwatch`` command lines at once, each under conditions of its own.

::

    with CommandShell(tmp_path) as shell:
        (done,) = shell.run(Call(["status"], stdout="/dev/full"))
        assert faults(done) == []

``commands()`` walks the tree of commands; ``arguments_for`` gives each what it needs, by the types
of its parameters. Use both, and a command that is new tomorrow is tried too.
"""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from cyclopts import App
from meltwatch_cli.command_tree import root
from meltwatch_schemas.text import is_printable

CLOSED_PIPE: Final = "closed pipe"
LIMIT_S: Final = 120.0
GOOD_CODES: Final = frozenset({0, 1, 2, 3, 130, 141})
_NOWHERE: Final = "127.0.0.1:1"
NO_SERVERS: Final = {
    "MELTWATCH_KAFKA": _NOWHERE,
    "MELTWATCH_REDIS": f"redis://{_NOWHERE}/0",
    "MELTWATCH_TRITON": _NOWHERE,
}
_BY_TYPE: Final = {int: "7", float: "1.5"}
_SPECIAL: Final = {
    # What would start a whole product, or wait for a minute, is told not to.
    "run": ["--sources", "recording:no-such-folder"],
    "selftest": ["--patience", "1"],
    "topics wait": ["--for", "1"],
    "topics create": ["--patience", "1"],
    "dead-letters redrive": ["--error", "malformed", "--yes"],
    "alarms setpoint": ["--budget", "0.5", "--from", "1d"],
    "alarms tail": ["--since", "1h"],
    "alarms ack": ["--event-id", "0" * 32],
    "alarms shelve": ["--for", "1h"],
    "alarms judge": ["--missed", "2h/1h"],
}
_BY_NAME: Final = {"since": "1d", "until": "now", "alarm_id": "plant/F-1/OVERHEAT"}


@dataclass(frozen=True, kw_only=True)
class Call:
    """A command line and its circumstances.

    ``stdin``, ``stdout`` and ``stderr`` are paths, ``CLOSED_PIPE``, or "closed" for a stream that
    the process does not have; None keeps what is written.
    """

    arguments: Sequence[str | bytes]
    environ: Mapping[str, str] = field(default_factory=dict)
    unset: Sequence[str] = ()
    encoding: str = "utf-8"
    stdin: str = "/dev/null"
    stdout: str | None = None
    stderr: str | None = None
    cwd: Path | None = None
    is_cwd_gone: bool = False
    interrupt_after_s: float | None = None


@dataclass(frozen=True)
class Done:
    """What became of a call."""

    call: Call
    code: int
    out: str
    err: str


def commands() -> Iterator[tuple[str, App]]:
    """Yield each command of the tree: its words, and the command itself."""
    yield from _under("", root())


def _under(path: str, group: App) -> Iterator[tuple[str, App]]:
    for name in sorted(group.resolved_commands()):
        words, command = f"{path} {name}".strip(), group[name]
        if name.startswith("-"):
            continue
        if command.default_command is None:
            yield from _under(words, command)
        else:
            yield words, command


def arguments_for(words: str, command: App) -> list[str]:
    """Return a command line that a command takes, as far as its parameters tell."""
    line = [*words.split(), *_SPECIAL.get(words, ())]
    for parameter in command.assemble_argument_collection():
        if not parameter.required or set(parameter.names) & set(line):
            continue
        value = _BY_NAME.get(parameter.field_info.name) or _BY_TYPE.get(parameter.hint, "made-up")
        line += [value] if parameter.field_info.is_positional_only else [parameter.name, value]
    return line


def options_of(command: App) -> set[str]:
    """Return the options of a command, e.g. ``--json``."""
    return {name for each in command.assemble_argument_collection() for name in each.names}


def takes_when(command: App) -> list[str]:
    """Return those options of a command that take a time."""
    found = command.assemble_argument_collection()
    return [each.name for each in found if each.parameter.metavar == "WHEN"]


def faults(done: Done) -> list[str]:
    """Return what is wrong with the way in which a command ended, a line each."""
    said = [done.out, done.err]
    last = [line for line in done.err.splitlines() if line.startswith("meltwatch: ")]
    known = {
        f"exit code {done.code}": done.code not in GOOD_CODES,
        "a traceback": any("Traceback" in text for text in said),
        "a complaint of the interpreter": "Exception ignored" in done.err,
        "a fault of ours": "this is a fault of Meltwatch" in done.err,
        "not printable": not all(is_printable(line) for t in said for line in t.split("\n")),
        f"{len(last)} lines of failure": len(last) != (done.code in (2, 3) and not _is_mute(done)),
    }
    return [what for what, is_wrong in known.items() if is_wrong]


def _is_mute(done: Done) -> bool:
    return done.call.stderr is not None or _TOLD_ON_OUTPUT.search(done.out) is not None


_TOLD_ON_OUTPUT: Final = re.compile(r"STALE|cannot tell whether")
"""A list that may be old says so in place of a line of failure."""


class CommandShell:
    """Runs command lines through ``tests.support.command_server``.

    Parameters
    ----------
    folder
        Where calls work and what they write is kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.support.command_server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
        )
        self._codes: dict[int, int] = {}
        self._pids: dict[int, int] = {}
        self._begun_s: dict[int, float] = {}
        self._changed = threading.Condition()
        self._count = 0
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for number in self._pids.keys() - self._codes.keys():
            os.kill(self._pids[number], signal.SIGKILL)
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.close()
        self._server.wait(20)
        self._reader.join()
        self._server.stdout.close()

    def run(self, *calls: Call, at_once: int = 24) -> list[Done]:
        """Run calls, some at a time, and return what became of each, in their order."""
        done: list[Done] = []
        for start in range(0, len(calls), at_once):
            batch = [(self._begun(call), call) for call in calls[start : start + at_once]]
            for number, call in batch:
                if call.interrupt_after_s is not None:
                    self._interrupt(number, call.interrupt_after_s)
            done += [self._ended(number, call) for number, call in batch]
        return done

    def _begun(self, call: Call) -> int:
        self._count += 1
        number, own = self._count, self._folder / str(self._count)
        own.mkdir(parents=True)
        (own / "cwd").mkdir()
        usual = {"HOME": str(own), "PATH": os.environ["PATH"], "COLUMNS": "80"}
        environ = usual | {"MELTWATCH_STATE_DIR": str(own / "state")} | dict(call.environ)
        request = {
            "id": number,
            "arguments": [os.fsencode(each).hex() for each in call.arguments],
            "environ": {k: v for k, v in environ.items() if k not in call.unset},
            "encoding": call.encoding,
            "cwd": str(call.cwd or own / "cwd"),
            "is_cwd_gone": call.is_cwd_gone,
            "stdin": _path(call.stdin, ""),
            "stdout": _path(call.stdout, own / "out"),
            "stderr": _path(call.stderr, own / "err"),
        }
        self._ask(request)
        return number

    def _ask(self, request: Mapping[str, object]) -> None:
        assert self._server.stdin is not None
        self._server.stdin.write(json.dumps(request).encode() + b"\n")
        self._server.stdin.flush()

    def _ended(self, number: int, call: Call) -> Done:
        with self._changed:
            is_over = self._changed.wait_for(lambda: number in self._codes, LIMIT_S)
        assert is_over, f"not over within {LIMIT_S} s: {call}"
        own = self._folder / str(number)
        out, err = (_text(own / name, call.encoding) for name in ("out", "err"))
        return Done(call, self._codes[number], out, err)

    def _interrupt(self, number: int, after_s: float) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: number in self._pids, LIMIT_S)
        time.sleep(max(self._begun_s[number] + after_s - time.monotonic(), 0))
        self._ask({"interrupt": number})

    def _read(self) -> None:
        assert self._server.stdout is not None
        for line in self._server.stdout:
            answer = json.loads(line)
            with self._changed:
                if "pid" in answer:
                    self._pids[answer["id"]] = answer["pid"]
                    self._begun_s[answer["id"]] = time.monotonic()
                else:
                    self._codes[answer["id"]] = answer["code"]
                self._changed.notify_all()


def _path(given: str | None, usual: Path | str) -> str | None:
    return None if given == "closed" else str(usual) if given is None else given


def _text(path: Path, encoding: str) -> str:
    return path.read_bytes().decode(encoding, "replace") if path.exists() else ""
