"""What live cameras cost, from RTSP to Kafka: ``python -m tests.support.live_camera_cost``.

The producer of a plant's own sources and bare decoding watch the same cameras at the same time.
Bare is FFmpeg's receiving and decoding, by PyAV, a process for each camera. The producer is one
process. What is printed is processor time of whole processes as shares of a core, per camera,
while the cameras are live.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count, pairwise
from pathlib import Path
from statistics import median
from typing import Final

import av
import numpy as np
import yaml
from meltwatch_chassis.kafka.admin import create_topics
from meltwatch_local_cluster.servers import KafkaServer
from meltwatch_schemas.topics import catalogue

from tests.integration.source_producer.bench import producing
from tests.support.cameras import showing_camera

PART_S, PARTS = 15, 5
_RATE: Final = 25
_SETTLE_S: Final = 5.0
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_HOSTS: Final = ("127.0.0.1", "127.0.1", "127.1", "localhost")
"""One address in four spellings: a camera of one spelling is opened once for all its furnaces."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What is watched: so many cameras of so many pixels on each side."""

    cameras: int
    side: int


ALL: Final = (Watched(1, 480), Watched(4, 480), Watched(1, 960), Watched(4, 960))


def bare(url: str) -> None:
    """Receive and decode until killed."""
    with av.open(url, options={"rtsp_transport": "tcp"}, timeout=(5.0, 3.0)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        print("ready", flush=True)
        for packet in container.demux(stream):
            packet.decode()


@contextmanager
def noisy_cameras(watched: Watched) -> Iterator[list[str]]:
    """Give addresses of cameras whose picture has noise that moves, so it takes its bit rate.

    One server shows its picture under all of them: what encodes is not measured.
    """
    side = watched.side
    noise = np.random.default_rng(1).integers(0, 256, (side * 2, side, 3), dtype=np.uint8)
    number = count(step=3)
    scene = showing_camera(side, _RATE, lambda: noise[next(number) % side :][:side], 1 / _RATE)
    with scene as url:
        yield [url.replace(_HOSTS[0], host) for host in _HOSTS[: watched.cameras]]


@contextmanager
def bare_loops(urls: Sequence[str]) -> Iterator[list[int]]:
    """Watch each camera by a bare process; give their process ids."""
    with ExitStack() as stack:
        pids = []
        for url in urls:
            command = [sys.executable, "-m", __spec__.name, url]
            process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE))
            stack.callback(process.kill)
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            pids.append(process.pid)
        yield pids


def processor_s(pid: int) -> float:
    """Return the processor time of a process so far, seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def shares(watched: Watched) -> tuple[list[float], list[float]]:
    """Return the shares of a core per camera, percent: bare and ours, part by part."""
    with (
        tempfile.TemporaryDirectory() as name,
        KafkaServer(Path(name) / "kafka") as broker,
        noisy_cameras(watched) as urls,
        bare_loops(urls) as pids,
    ):
        furnaces = [
            {"id": f"a/b/{n}", "name": str(n), "video": {"source_id": f"cost-{n}", "address": url}}
            for n, url in enumerate(urls)
        ]
        folder = Path(name)
        (folder / "plant.yaml").write_text(yaml.safe_dump({"furnaces": furnaces}))
        create_topics({"bootstrap_servers": [broker.address]}, catalogue("cost", 3))
        with producing(broker.address, "cost", folder) as ours:
            ours.wait_ready()
            time.sleep(_SETTLE_S)
            seen = []
            for part in range(PARTS + 1):
                time.sleep(PART_S if part else 0)
                seen.append((sum(map(processor_s, pids)), processor_s(ours.process.pid)))
    per = 100 / PART_S / watched.cameras
    steps = list(pairwise(seen))
    return tuple([(b[who] - a[who]) * per for a, b in steps] for who in (0, 1))  # type: ignore[return-value]


def main() -> None:
    """Measure, and print shares and ratios."""
    print(f"{PARTS} parts of {PART_S} s each, {_RATE} fps, percent of a core per camera")
    for watched in ALL:
        by_bare, by_ours = shares(watched)
        ratio = median(ours / own for own, ours in zip(by_bare, by_ours, strict=True))
        print(
            f"{watched.cameras} of {watched.side}×{watched.side}: bare {median(by_bare):.2f} "
            f"({min(by_bare):.2f} to {max(by_bare):.2f}), ours {median(by_ours):.2f} "
            f"({min(by_ours):.2f} to {max(by_ours):.2f}), ratio {ratio:.2f}",
            flush=True,
        )


if __name__ == "__main__":
    bare(sys.argv[1]) if sys.argv[1:] else main()
