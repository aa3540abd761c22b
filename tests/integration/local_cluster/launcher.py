"""A launcher in a process of its own, with small programs in the place of the services.

The programs shadow the real packages by ``PYTHONPATH``, and the view only writes down what it is
told: what is tried here is the launcher, with real servers and real processes, whatever the
services and the view make of it.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from tests.support.waiting import LIMIT_S, until

SERVICES = ("stream_processor", "alarm_manager", "video_producer", "current_producer", "console")
STANDS_READY = """
import http.server, json, os, signal, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, *_): ...
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
told = {name: text for name, text in os.environ.items() if name.startswith("MELTWATCH_")}
print(json.dumps(told), flush=True)
host, port = told["MELTWATCH_HEALTH_ADDRESS"].split(":")
http.server.HTTPServer((host, int(port)), Answer).serve_forever()
"""


RUN = """
import os, sys
from pathlib import Path
from meltwatch_chassis.clock import SystemClock
from meltwatch_chassis.errors import FatalError
from meltwatch_local_cluster.ports import RunSources
from meltwatch_local_cluster.launch.run import run_locally
from meltwatch_local_cluster.launch.run_options import RunOptions

class Summary:
    def problems(self):
        return ["a fault was missed"] if "MISSED" in os.environ else []
    def to_json(self):
        return '{"false_alarms": 0}'

class WrittenView:
    def start(self, state, scenario, health):
        print("start", state.ready, scenario.sources, scenario.duration_s, sorted(health))
    def services(self, state):
        for name, service in state.services.items():
            print(name, service.state, service.detail, flush=True)
    def stopping(self):
        print("stopping")
    def stop(self):
        print("stop")
        return Summary()

sources, duration, summary = sys.argv[1:]
options = RunOptions(
    RunSources(sources), 3, float(duration) or None, 7, Path(summary) if summary else None
)
try:
    sys.exit(run_locally(options, os.environ, WrittenView(), SystemClock()))
except FatalError as error:
    sys.stderr.write(f"{error}\\n")
    sys.exit(error.exit_code)
"""


class Launcher:
    """One ``meltwatch run`` in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state_folder = folder / ".meltwatch"
        self.environment: dict[str, str] = {}
        self.process: subprocess.Popen[str] | None = None
        for service in SERVICES:
            self.write_service(service, STANDS_READY)

    def write_service(self, name: str, program: str) -> None:
        """Put a program in the place of a service."""
        package = self.folder / "services" / f"meltwatch_{name}"
        package.mkdir(parents=True, exist_ok=True)
        (package / "__init__.py").touch()
        (package / "__main__.py").write_text(program)

    def start(self, sources: str = "simulator", duration_s: float = 0, summary: str = "") -> None:
        """Start the run, without waiting; a duration of 0 has no end."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("MELTWATCH_")}
        self.process = subprocess.Popen(
            [sys.executable, "-c", RUN, sources, str(duration_s), summary],
            cwd=self.folder,
            env=inherited | {"PYTHONPATH": str(self.folder / "services")} | self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self, number: signal.Signals | None = None) -> tuple[int, str, str]:
        """Wait for the end, which a signal may bring: exit code, output, errors."""
        assert self.process is not None
        if number is not None:
            self.process.send_signal(number)
        out, errors = self.process.communicate(timeout=2 * LIMIT_S)
        return self.process.returncode, out, errors

    def run(
        self, sources: str = "simulator", duration_s: float = 0, summary: str = ""
    ) -> tuple[int, str, str]:
        """Run from start to end."""
        self.start(sources, duration_s, summary)
        return self.end()

    def state(self) -> dict[str, Any]:
        """Read the state file, empty while there is none."""
        try:
            found: dict[str, Any] = json.loads((self.state_folder / "run.json").read_text())
        except FileNotFoundError:
            return {}
        return found

    def wait_ready(self) -> dict[str, Any]:
        """Wait until the run says that it is ready, and give its state."""
        assert self.process is not None
        until(self._ready_or_over, self.state, 2 * LIMIT_S)
        assert self.process.poll() is None, self.process.communicate()
        return self.state()

    def _ready_or_over(self) -> bool:
        assert self.process is not None
        state = self.state()
        own = state.get("launcher_pid") == self.process.pid  # a killed run leaves its state
        return self.process.poll() is not None or (own and state["ready"])

    def processes(self) -> list[psutil.Process]:
        """Find every process that was started from this folder."""
        started = json.loads((self.state_folder / "processes.json").read_text())
        return [psutil.Process(entry["pid"]) for entry in started]

    def still_there(self) -> list[str]:
        """Find what lives of all that was ever started from this folder, children's children too.

        Servers have their temporary files in it, and hand that on.
        """
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if str(self.folder) in process.environ().get("TMPDIR", ""):
                    found.append(" ".join(process.cmdline()))
        return found

    def log(self, service: str) -> str:
        """Read a service's log."""
        return (self.state_folder / "logs" / f"{service}.log").read_text()

    def is_clean(self) -> bool:
        """Tell whether nothing but logs and the lock is left."""
        return {entry.name for entry in self.state_folder.iterdir()} <= {"lock", "logs"}


@contextmanager
def launcher_in(folder: Path) -> Iterator[Launcher]:
    """Give a launcher that ends with the test, however the test goes."""
    made = Launcher(folder)
    try:
        yield made
    finally:
        if made.process is not None:
            made.process.kill()
            made.process.communicate()
