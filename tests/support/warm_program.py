"""Programs as forks of a process that has imported them: a start costs 50 ms, not a second.

``python -m tests.support.warm_program PRELUDE`` executes Python, then forks for each request: a
JSON line with a program, its environment and its log. It answers with a JSON line when one has
begun, and when it has ended. A fork ends as every process of Python does. Its command line, its
environment in ``/proc`` and its memory are those of the warm process: who looks at these starts it
cold.
"""

import gc
import json
import os
import select
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

_BEGIN_S = 60.0


class Fork:
    """A program that was begun warm, with the verbs of ``subprocess.Popen``.

    Attributes
    ----------
    pid
        Its process.
    returncode
        None while it runs.
    """

    def __init__(self, pid: int, news: threading.Condition) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._news = news

    def poll(self) -> int | None:
        """Return its exit code, None while it runs."""
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return its exit code once it has ended."""
        with self._news:
            if not self._news.wait_for(lambda: self.returncode is not None, timeout):
                raise subprocess.TimeoutExpired("a warm program", timeout or 0.0)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.returncode is None:
            with suppress(ProcessLookupError):  # it has ended, and that is on its way
                os.kill(self.pid, number)


class WarmProgram:
    """A warm process, begun when it is asked for the first time.

    Parameters
    ----------
    prelude
        What it executes before all programs, above all imports.
    """

    def __init__(self, prelude: str) -> None:
        self._prelude = prelude
        self._server: subprocess.Popen[str] | None = None
        self._one_begins = threading.Lock()
        self._news = threading.Condition()
        self._begun: list[int] = []
        self._forks: dict[int, Fork] = {}
        self._codes: dict[int, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is None:
            return
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.close()
        self._server.wait()
        self._reader.join()
        self._server.stdout.close()

    def start(self, program: str, environ: Mapping[str, str], log: Path) -> Fork:
        """Begin a program whose standard error goes behind what a log holds."""
        server = self._server or self._serve()
        log.touch()
        request = {"program": program, "environ": dict(environ), "log": str(log)}
        with self._one_begins, self._news:
            assert server.stdin is not None
            server.stdin.write(json.dumps(request) + "\n")
            server.stdin.flush()
            assert self._news.wait_for(lambda: self._begun, _BEGIN_S), "a fork"
            fork = Fork(self._begun.pop(), self._news)
            self._forks[fork.pid] = fork
            self._settle()
        return fork

    def _serve(self) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "tests.support.warm_program", self._prelude]
        pipe = subprocess.PIPE
        self._server = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
        self._reader = threading.Thread(target=self._read, name="warm program", daemon=True)
        self._reader.start()
        return self._server

    def _read(self) -> None:
        assert self._server is not None
        assert self._server.stdout is not None
        for line in self._server.stdout:
            told = json.loads(line)
            with self._news:
                if "code" in told:
                    self._codes[told["pid"]] = told["code"]
                else:
                    self._begun.append(told["pid"])
                self._settle()
                self._news.notify_all()

    def _settle(self) -> None:
        for pid in self._codes.keys() & self._forks.keys():
            self._forks.pop(pid).returncode = self._codes.pop(pid)


def _request() -> Mapping[str, Any] | None:
    """Fork for each request: return it in the fork, and None here when no more can come."""
    ends = select.poll()
    ends.register(0, select.POLLIN | select.POLLHUP)
    running: dict[int, int] = {}
    unread = b""
    while True:
        for ready, _ in ends.poll():
            if ready in running:
                pid = running.pop(ready)
                _, status = os.waitpid(pid, 0)
                ends.unregister(ready)
                os.close(ready)
                _say({"pid": pid, "code": os.waitstatus_to_exitcode(status)})
                continue
            if not (read := os.read(0, 1 << 16)):
                return None
            *lines, unread = (unread + read).split(b"\n")
            for line in lines:
                request: Mapping[str, Any] = json.loads(line)
                if not (pid := os.fork()):
                    for each in running:
                        os.close(each)
                    return request
                running[watched := os.pidfd_open(pid)] = pid
                ends.register(watched, select.POLLIN)
                _say({"pid": pid})


def _say(told: Mapping[str, int]) -> None:
    os.write(1, json.dumps(told).encode() + b"\n")


def _become(request: Mapping[str, Any]) -> None:
    """Take on a request's streams and environment."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for given, stream in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(given, stream)
    os.close(nothing)
    os.close(log)
    os.environ.clear()
    os.environ.update(request["environ"])
    sys.argv = ["-c"]


if __name__ == "__main__":
    exec(sys.argv[1], {"__name__": "prelude"})  # noqa: S102 - of ours
    gc.collect()
    gc.freeze()  # what a fork never touches is never copied
    if (asked := _request()) is not None:
        _become(asked)
        exec(asked["program"], {"__name__": "__main__"})  # noqa: S102 - of ours
    else:
        os._exit(0)  # libraries would complain of what is frozen
