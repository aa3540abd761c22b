"""Clients of OPC UA that we did not write: small programs on their libraries in ``tests/foreign``.

Each is told the same and prints the same::

    PROGRAM URL USER PASSWORD FOLDER STEP...

    FOLDER                    cert.der and key.pem for a client that has none; may be written to
    look NODE TYPE            watch the events of NODE, with the filter OfType(TYPE) unless it is
                              "-", and call ConditionRefresh
    ack ALARM_ID COMMENT      call Acknowledge with the event id that the last look has shown

One line of JSON a step: ``{"status", "listed_ms", "events": [{"condition_id", "event_id",
"message", "active", "acked"}]}`` with what came between the start and the end of the refresh, or
``{"status"}`` of the acknowledgement. A status is its number. Lines that begin otherwise are the
library's own.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from asyncua import ua

from tests.integration.scada_adapter.bench import PASSWORD, AdapterProcess, make_certificate
from tests.support.source import ROOT

FOLDER = ROOT / "tests" / "foreign"
LIMIT_S = 240
Command = list[str]


@dataclass(frozen=True)
class ForeignLibrary:
    """A library that a client program of ours rests on.

    Attributes
    ----------
    name
        Folder of the program.
    tools
        Programs that it needs on this machine.
    fetch
        What has to be run in the folder once; CI does.
    build
        Builds into a folder what has been fetched; returns how it is started, or None if
        something has not been fetched.
    """

    name: str
    tools: Sequence[str]
    fetch: str
    build: Callable[[Path, Path], Command | None]

    def built(self, target: Path) -> Command:
        """Return how the program is started; skip the test where its library is not there."""
        source = FOLDER / self.name
        is_here = all(shutil.which(tool) for tool in self.tools)
        command = self.build(source, target) if is_here else None
        if command is None:
            pytest.skip(
                f"needs the foreign client {self.name}: install {' and '.join(self.tools)}, then "
                f"run `{self.fetch}` in tests/foreign/{self.name} (CI does)"
            )
        return command


def _node(source: Path, _target: Path) -> Command | None:
    return ["node", str(source / "client.js")] if (source / "node_modules").is_dir() else None


def _go(source: Path, target: Path) -> Command | None:
    cached = os.environ | {"GOPROXY": "off", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly"}
    program = target / "gopcua"
    build = ["go", "build", "-o", str(program), "."]
    said = subprocess.run(
        build, cwd=source, env=cached, capture_output=True, text=True, check=False
    )
    if "GOPROXY=off" in said.stderr:
        return None
    assert said.returncode == 0, said.stderr
    return [str(program)]


def _java(source: Path, target: Path, program: str = "Client") -> Command | None:
    libraries = source / "target" / "lib"
    if not libraries.is_dir():
        return None
    _run(["javac", "-d", str(target), "-cp", f"{libraries}/*", str(source / f"{program}.java")])
    return ["java", "-cp", f"{target}:{libraries}/*", program]


def _run(command: Command, **options: Any) -> str:
    said = subprocess.run(
        command, capture_output=True, text=True, timeout=LIMIT_S, check=False, **options
    )
    assert said.returncode == 0, said.stdout + said.stderr
    return said.stdout


LIBRARIES = (
    ForeignLibrary("node_opcua", ("node",), "npm ci", _node),
    ForeignLibrary("milo", ("java", "javac"), "mvn package", _java),
    ForeignLibrary("gopcua", ("go",), "go mod download", _go),
)
TAHU = ForeignLibrary("tahu", ("java", "javac"), "mvn package", partial(_java, program="Host"))
"""No client of OPC UA: a Sparkplug host on the reference implementation."""


def ask(
    command: Command, adapter: AdapterProcess, user: str, *steps: tuple[str, str, str]
) -> list[dict[str, Any]]:
    """Let a client program take steps; return what it says of each, the status by its name."""
    folder = make_certificate(adapter.folder)
    words = [word for step in steps for word in step]
    said = _run([*command, adapter.url, user, PASSWORD, str(folder), *words])
    answers = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    assert len(answers) == len(steps), said
    for answer in answers:
        answer["status"] = ua.status_codes.get_name_and_doc(answer["status"])[0]
    return answers
