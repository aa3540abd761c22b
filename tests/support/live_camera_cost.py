"""What a live camera costs, from RTSP to Kafka: ``python -m tests.support.live_camera_cost``.

The producer of a plant's own sources and bare decoding watch one camera at the same time, each a
process of its own. Bare is FFmpeg's receiving and decoding, by PyAV. What is printed is processor
time of each whole process as a share of a core, while the camera is live.
"""

import os
import subprocess
import sys
import tempfile
import time
from contextlib import AbstractContextManager
from itertools import count
from pathlib import Path
from typing import Final

import av
import numpy as np
import yaml
from meltwatch_chassis.kafka.admin import create_topics
from meltwatch_local_cluster.servers import KafkaServer
from meltwatch_schemas.topics import catalogue

from tests.integration.source_producer.bench import producing
from tests.support.cameras import showing_camera

SIDE, RATE, SECONDS = 480, 25, 60
_SETTLE_S: Final = 5.0
_TICKS: Final = os.sysconf("SC_CLK_TCK")


def bare(url: str) -> None:
    """Receive and decode until killed."""
    with av.open(url, options={"rtsp_transport": "tcp"}, timeout=(5.0, 3.0)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        print("ready", flush=True)
        for packet in container.demux(stream):
            packet.decode()


def noisy_camera() -> AbstractContextManager[str]:
    """Give the address of a camera whose picture has noise that moves, so it takes its bit rate."""
    noise = np.random.default_rng(1).integers(0, 256, (SIDE * 2, SIDE, 3), dtype=np.uint8)
    number = count(step=3)
    return showing_camera(SIDE, RATE, lambda: noise[next(number) % SIDE :][:SIDE], 1 / RATE)


def processor_s(pid: int) -> float:
    """Return the processor time of a process so far, seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def main() -> None:
    """Measure, and print both shares and their ratio."""
    with (
        tempfile.TemporaryDirectory() as name,
        KafkaServer(Path(name) / "kafka") as broker,
        noisy_camera() as url,
    ):
        folder = Path(name)
        video = {"source_id": "cost", "address": url}
        plant = {"furnaces": [{"id": "a/b/c", "name": "c", "video": video}]}
        (folder / "plant.yaml").write_text(yaml.safe_dump(plant))
        create_topics({"bootstrap_servers": [broker.address]}, catalogue("cost", 3))
        command = [sys.executable, "-m", __spec__.name, url]
        with (
            producing(broker.address, "cost", folder) as ours,
            subprocess.Popen(command, stdout=subprocess.PIPE) as own,
        ):
            assert own.stdout is not None
            assert own.stdout.readline() == b"ready\n"
            ours.wait_ready()
            time.sleep(_SETTLE_S)
            pids = own.pid, ours.process.pid
            begun = [processor_s(pid) for pid in pids]
            time.sleep(SECONDS)
            took = [processor_s(pid) - at for pid, at in zip(pids, begun, strict=True)]
            own.kill()
    shares = [each / SECONDS * 100 for each in took]
    print(f"{SIDE}×{SIDE}, {RATE} fps: bare {shares[0]:.1f} %, ours {shares[1]:.1f} %, ", end="")
    print(f"ratio {took[1] / took[0]:.2f}")


if __name__ == "__main__":
    bare(sys.argv[1]) if sys.argv[1:] else main()
