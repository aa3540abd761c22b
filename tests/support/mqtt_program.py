"""Programs of Node that speak MQTT and that we did not write: ``tests/foreign/sparkplug``."""

import json
import shutil
import subprocess
import threading
from typing import Any, Self

import pytest

from tests.support.source import ROOT
from tests.support.waiting import until

_FOLDER = ROOT / "tests" / "foreign" / "sparkplug"


def require_programs() -> None:
    """Skip a test where they are not installed."""
    if shutil.which("node") is None or not (_FOLDER / "node_modules").is_dir():
        pytest.skip(
            "needs the foreign host sparkplug-payload: install Node, then `npm ci` in "
            "tests/foreign/sparkplug (CI does)"
        )


class MqttProgram:
    """One of them as a process; what it hears is kept in the order in which it came.

    Parameters
    ----------
    program
        File of its source.
    url
        Of the broker.
    login
        CA file, user and password, where the broker asks for them.
    """

    def __init__(self, program: str, url: str, *login: str) -> None:
        self.heard: list[dict[str, Any]] = []
        self._ready = 0
        self._process = subprocess.Popen(
            ["node", program, url, *login],
            cwd=_FOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def __enter__(self) -> Self:
        self.wait_connected()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        """End it as a power cut would: the broker then says its will."""
        self._process.kill()
        self._process.wait()
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()

    def wait_connected(self, times: int = 1) -> None:
        """Wait until it has connected that many times."""
        until(lambda: self._ready >= times, lambda: f"it connects: {self.heard}")

    def publish(self, topic: str, text: str, *, retain: bool = False) -> None:
        """Publish a text."""
        self.say({"topic": topic, "text": text, "retain": retain})

    def say(self, thing: object) -> None:
        """Tell it what to do, in its own form."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{json.dumps(thing)}\n")
        self._process.stdin.flush()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            said = json.loads(line)
            if "topic" in said:
                self.heard.append(said)
            self._ready += "ready" in said
