"""The same join in Bytewax and in Quix Streams, in an environment of their own."""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgpack
from meltwatch_schemas.topics import Topic

from tests.bench.figure import MS, US, Figure, figure
from tests.bench.measure import Cost, Stopwatch, Subject, taking_turns
from tests.bench.processes import cpu_ms_per_unit
from tests.bench.stage import Stage
from tests.bench.stream_rows import OURS, followed
from tests.bench.streams import Join, names, placed
from tests.support.input_records import live
from tests.support.source import ROOT

FOLDER: Final = Path(__file__).with_name("peers")
HOME: Final = ROOT / ".venv-bench"
FURNACES: Final = 3
SECONDS: Final = 150
KAFKA_FURNACES: Final = 10
WINDOWS: Final = 85
ROUNDS: Final = 3


def bytewax(stage: Stage) -> Iterator[Figure]:
    """Measure the join in one process each, without Kafka, in turns."""
    python = environment()
    records = live(names(FURNACES), SECONDS)
    path = stage.folder / "values.bin"
    path.write_bytes(msgpack.packb([record.value for record in records]))
    read = [*placed(records)]

    def ours() -> Cost:
        with Stopwatch() as watch:
            Join().fill(read)
        return watch.cost(len(read))

    def theirs(by: str) -> Cost:
        said = _asked(python, "bytewax_join.py", str(path), by)
        each_s = said["cpu_s"] / said["records"]
        return Cost(each_s, each_s)

    subjects: dict[str, Subject] = {
        "ours": ours,
        "Bytewax, a stateful step": partial(theirs, "stateful"),
        "Bytewax, its windows": partial(theirs, "windows"),
    }
    yield figure(
        "peers.bytewax",
        "a record decoded and joined, without Kafka",
        US,
        taking_turns(subjects, ROUNDS),
        note="theirs checks nothing and knows no lateness, quality or restart",
    )


def quixstreams(stage: Stage) -> Iterator[Figure]:
    """Measure the join from Kafka, ours with scoring and publishing, one after the other."""
    python = environment()
    records = live(names(KAFKA_FURNACES), SECONDS - 20)
    with stage.topics() as topics, tempfile.TemporaryDirectory() as folder:
        topics.send(records)
        arguments = [topics.kafka, *topics.inputs, str(len(records)), folder]
        said = _asked(python, "quix_join.py", *arguments)
        ours = followed(topics, stage.instant_triton(), {}, KAFKA_FURNACES * WINDOWS)
        windows = topics.count(Topic.SCORES)
    cpu_ms = cpu_ms_per_unit(ours, OURS)
    theirs_ms = said["cpu_s"] / said["windows"] * 1e3
    yield Figure(
        "peers.quixstreams",
        f"a window of {len(records) / windows:.1f} records from Kafka",
        MS,
        cpu_ms,
        {"Quix Streams": (theirs_ms,) * len(cpu_ms)},
        note="ours with scores asked for and published, theirs only joins",
    )


def environment() -> Path:
    """Make the peers' environment, if it is not there; return its Python."""
    python, uv = HOME / "bin" / "python", ROOT / ".tools" / "bin" / "uv"
    if not python.exists():
        _run([str(uv), "venv", "--quiet", str(HOME)])
    requirements = str(FOLDER / "requirements.txt")
    _run([str(uv), "pip", "sync", "--quiet", "--python", str(python), requirements])
    return python


def _asked(python: Path, program: str, *arguments: str) -> dict[str, Any]:
    said = _run([str(python), str(FOLDER / program), *arguments])
    found: dict[str, Any] = json.loads(said.splitlines()[-1])
    return found


def _run(command: Sequence[str]) -> str:
    done = subprocess.run(
        command,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)[:200]}: {done.stderr[-500:]}")
    return done.stdout
