"""A publisher of currents that we did not write: ``tests/foreign/sparkplug/publisher.js``."""

import json
import subprocess
import threading
import time
from collections.abc import Mapping
from typing import Any, Self

from tests.integration.scada_adapter.sparkplug_bench import HOST_PROGRAM
from tests.support.waiting import until


class Publisher:
    """Its process; what it is asked for is kept in ``asked``.

    Parameters
    ----------
    url
        Of the broker.
    will
        What the broker says should it vanish.
    login
        CA file, user and password, where the broker asks for them.
    """

    def __init__(self, url: str, *login: str, will: Mapping[str, Any] | None = None) -> None:
        self.asked: list[dict[str, Any]] = []
        self._ready = 0
        self._process = subprocess.Popen(
            ["node", "publisher.js", url, *login],
            cwd=HOST_PROGRAM, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self._say({"will": will})

    def __enter__(self) -> Self:
        until(lambda: self._ready, "the publisher connects")
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

    def text(self, topic: str, text: str, *, retain: bool = False) -> None:
        """Publish a text."""
        self._say({"topic": topic, "text": text, "retain": retain})

    def currents(self, topic: str, *amperes: float, retain: bool = False) -> None:
        """Publish values as JSON, with the present time."""
        told = dict(zip(("ia", "ib", "ic"), amperes, strict=True)) | {"ts": time.time()}
        self.text(topic, json.dumps(told), retain=retain)

    def metrics(self, topic: str, *metrics: Mapping[str, Any]) -> None:
        """Publish metrics of Sparkplug, with the present time."""
        now_ms = time.time_ns() // 1_000_000
        self._say({"topic": topic, "payload": {"timestamp": now_ms, "metrics": metrics}})

    def _say(self, thing: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{json.dumps(thing)}\n")
        self._process.stdin.flush()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            said = json.loads(line)
            if "topic" in said:
                self.asked.append(said)
            self._ready += "ready" in said
