"""Runs ``meltwatch`` command lines in forks of one warm process: a start costs 20 ms, not 1 s.

``tests.support.command_shell`` talks to it: a JSON request a line, a JSON answer a line. A child
gets its own folder, environment and streams, made as Python makes them, and ends as a process does.
"""

import gc
import importlib
import io
import json
import os
import select
import signal
import sys
import traceback
from collections.abc import Mapping
from typing import Any

from meltwatch_cli import entry  # noqa: F401 - warm
from meltwatch_cli.__main__ import main
from meltwatch_cli.command_tree import installed_commands

_WARM = ("kafka", "redis",
         "meltwatch_local_cluster.launch.run", "meltwatch_local_cluster.screen.view",
         "meltwatch_backtester.commands.replaying", "meltwatch_selftest.bootstrap",
         "meltwatch_source_producer.looking", "meltwatch_source_producer.acceptance",
         "meltwatch_backtester.adapters.journal_folder",
         "meltwatch_cli.adapters.kafka_alarms", "meltwatch_cli.adapters.redis_view")  # fmt: skip


def serve() -> None:
    """Answer requests until nobody sends any more."""
    for point in installed_commands().values():
        point.load()
    for name in _WARM:
        importlib.import_module(name)
    gc.freeze()  # what a child never touches is never copied
    running: dict[int, int] = {}
    buffered = b""
    while True:
        ready, _, _ = select.select([0], [], [], 0.01)
        if ready:
            read = os.read(0, 1 << 16)
            if not read:
                return
            *lines, buffered = (buffered + read).split(b"\n")
            for line in lines:
                request = json.loads(line)
                if "interrupt" in request:
                    _interrupt(running, request["interrupt"])
                else:
                    running[_started(request)] = request["id"]
        while running:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                break
            _say({"id": running.pop(pid), "code": os.waitstatus_to_exitcode(status)})


def _interrupt(running: Mapping[int, int], number: int) -> None:
    """Interrupt a command that is not over: what was waited for may be another process by now."""
    for pid, each in running.items():
        if each == number:
            os.kill(pid, signal.SIGINT)


def _started(request: Mapping[str, Any]) -> int:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # until the child is what it is
    pid = os.fork()
    if pid:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        _say({"id": request["id"], "pid": pid})
        return pid
    _become(request)
    os._exit(_outcome())


def _outcome() -> int:
    """Return the exit code of a command, with what the interpreter would say at the end."""
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    except KeyboardInterrupt:
        return 130  # before the command began
    try:
        code = main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001 - as the interpreter does
        traceback.print_exc()
        code = 1
    try:
        sys.stdout.flush()
    except (OSError, AttributeError) as error:
        sys.stderr.write(f"Exception ignored in sys.stdout: {error!r}\n")
        code = 120
    return code


def _say(answer: Mapping[str, Any]) -> None:
    os.write(1, json.dumps(answer).encode() + b"\n")


def _become(request: Mapping[str, Any]) -> None:
    """Take on a request's streams, folder, environment and arguments."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        path = request[name]
        os.close(number)
        if path is None:
            setattr(sys, name, None)
            continue
        os.dup2(_opened(path, mode), number)
        errors = "backslashreplace" if number == 2 else "strict"
        binary = open(number, mode + "b", closefd=False)  # noqa: SIM115 - for the process
        wrapper = io.TextIOWrapper(binary, encoding=request["encoding"], errors=errors)
        setattr(sys, name, wrapper)
    os.environ.clear()
    os.environ.update(request["environ"])
    os.chdir(request["cwd"])
    if request["is_cwd_gone"]:
        os.rmdir(request["cwd"])  # noqa: PTH106 - beneath our feet
    sys.argv = ["meltwatch", *map(os.fsdecode, map(bytes.fromhex, request["arguments"]))]


def _opened(path: str, mode: str) -> int:
    if path == "closed pipe":
        reading, writing = os.pipe()
        os.close(reading)
        return writing
    flags = os.O_RDONLY if mode == "r" else os.O_WRONLY | os.O_CREAT
    return os.open(path, flags, 0o600)


if __name__ == "__main__":
    serve()
    os._exit(0)  # libraries would complain of what is frozen
