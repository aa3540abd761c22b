"""The contract of Meltwatch, written once more by somebody who has read it and nothing else.

Imports msgpack, NumPy and the standard library.
"""

import hashlib
import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgpack
import numpy as np

MS = 1_000_000
S = 1_000_000_000
STRIDE_NS = 720 * MS
HOP_NS = 1440 * MS
PERIOD_NS = 500 * MS
CLIP, LOOK_BACK = 10, 240
ENCODER_ID = "dct-192-a375f01fafb8"
MSGPACK, JSON = "application/msgpack", "application/json"
SPEC_ID = hashlib.sha256(
    b'{"clip_frames":10,"frame_stride_ns":720000000,"hop_ns":1440000000,'
    b'"lookback_samples":240,"sample_period_ns":500000000}'
).hexdigest()[:12]


def phase_ns(furnace_id: str) -> int:
    """Give a furnace's offset of window ends."""
    return int.from_bytes(hashlib.sha256(furnace_id.encode()).digest()[:8], "big") % HOP_NS


def window_id(furnace_id: str, end_ns: int) -> str:
    """Give the id of a window."""
    return hashlib.sha256(f"{furnace_id}|{end_ns}|{SPEC_ID}".encode()).digest()[:16].hex()


def partition_of(key: bytes, partitions: int) -> int:
    """Give the partition of a key as Kafka's Java client does (murmur2)."""
    mask, factor = 0xFFFFFFFF, 0x5BD1E995
    result = (0x9747B28C ^ len(key)) & mask
    whole = len(key) // 4 * 4
    for start in range(0, whole, 4):
        word = int.from_bytes(key[start : start + 4], "little") * factor & mask
        result = (result * factor & mask) ^ (word ^ word >> 24) * factor & mask
    if whole < len(key):
        result = (result ^ int.from_bytes(key[whole:], "little")) * factor & mask
    result = (result ^ result >> 13) * factor & mask
    return ((result ^ result >> 15) & 0x7FFFFFFF) % partitions


def headers(schema: str, content_type: str = MSGPACK) -> list[tuple[str, bytes]]:
    """Give the headers of a record."""
    return [("schema", schema.encode()), ("content-type", content_type.encode())]


def rfc3339(time_ns: int) -> str:
    """Give an instant as text."""
    whole = datetime.fromtimestamp(time_ns // S, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{time_ns % S // 1000:06d}Z"


def dct_basis() -> np.ndarray[Any, Any]:
    """Give the orthonormal basis of the default encoder, float32 ``[192, 192]``."""
    cells = [(u, v) for u in range(8) for v in range(8)]
    # Odd diagonals run down (u grows), even ones up.
    order = sorted(cells, key=lambda uv: (sum(uv), uv[0] if sum(uv) % 2 else uv[1]))
    weights = np.array([[1, 1, 1], [1, 0, -1], [1, -2, 1]]) / np.sqrt([[3], [2], [6]])
    position = np.arange(8)
    rows = []
    for u, v in order:
        down, across = (
            (math.sqrt(1 / 8) if f == 0 else math.sqrt(2 / 8))
            * np.cos((2 * position + 1) * f * math.pi / 16)
            for f in (u, v)
        )
        rows += [np.einsum("y,x,k->yxk", down, across, weight).ravel() for weight in weights]
    return (np.array(rows) + 0.0).astype("<f4")


class Furnace:
    """A furnace of our own: one camera, one meter, both always healthy.

    Parameters
    ----------
    furnace_id
        Its name, in no plant file.
    start_ns
        Event time before which it sent nothing.
    """

    def __init__(self, furnace_id: str, start_ns: int) -> None:
        self.furnace_id = furnace_id
        self.key = furnace_id.encode()
        self.basis = dct_basis()
        digest = hashlib.sha256(self.basis.tobytes()).hexdigest()[:12]
        self.encoder_id = f"dct-192-{digest}"
        self.boot_id = hashlib.sha256(f"{furnace_id}{start_ns}".encode()).hexdigest()[:16]
        phase = phase_ns(furnace_id)
        self.first_frame_ns = start_ns + (phase - start_ns) % STRIDE_NS
        self.first_sample_ns = start_ns + (-start_ns) % PERIOD_NS
        self._frames = self._samples = 0

    def messages(self, until_ns: int) -> Iterator[tuple[str, int, dict[str, Any]]]:
        """Give what falls due up to an event time as (kind, event time, fields), in order."""
        while True:
            frame_ns = self.first_frame_ns + self._frames * STRIDE_NS
            last_ns = self.first_sample_ns + (self._samples + 1) * PERIOD_NS
            if min(frame_ns, last_ns) > until_ns:
                return
            if frame_ns <= last_ns:
                self._frames += 1
                yield "embedding", frame_ns, self.embedding(frame_ns, seq=self._frames - 1)
            else:
                self._samples += 2
                yield "current", last_ns, self.current(last_ns, seq=self._samples - 2)

    def embedding(self, time_ns: int, **changes: Any) -> dict[str, Any]:
        """Give the fields of an ``EmbeddingChunk`` of one frame."""
        patches = picture(time_ns).reshape(8, 8, 8, 8, 3).transpose(0, 2, 1, 3, 4).reshape(64, 192)
        data = (patches.astype(np.float32) @ self.basis.T).astype("<f2")
        return {
            **self._identity("stranger-camera"),
            "count": 1,
            "event_times_ns": np.array([time_ns], "<i8").tobytes(),
            "encoder_id": self.encoder_id,
            "patches": 64,
            "dims": 192,
            "data": data.tobytes(),
        } | changes

    def current(self, last_ns: int, **changes: Any) -> dict[str, Any]:
        """Give the fields of a ``CurrentChunk`` of two samples."""
        seconds = last_ns / S + np.array([[-0.5], [0.0]])
        amperes = 40_000 + 300 * np.sin(seconds / 7 + np.array([[0, 2, 4]]))
        return {
            **self._identity("stranger-meter"),
            "event_time_ns": last_ns - PERIOD_NS,
            "period_ns": PERIOD_NS,
            "count": 2,
            "data": amperes.astype("<f4").tobytes(),
        } | changes

    def _identity(self, source_id: str) -> dict[str, Any]:
        return {
            "furnace_id": self.furnace_id,
            "source_id": source_id,
            "boot_id": self.boot_id,
            "seq": 0,
        }

    def coverages(self, end_ns: int) -> tuple[float, float]:
        """Give the video and current coverage that a window of ours must have."""
        slots = [end_ns - i * STRIDE_NS for i in range(CLIP)]
        points = [end_ns - j * PERIOD_NS for j in range(LOOK_BACK)]
        video = sum(slot >= self.first_frame_ns for slot in slots)
        return video / CLIP, sum(point >= self.first_sample_ns for point in points) / LOOK_BACK


def picture(time_ns: int) -> np.ndarray[Any, Any]:
    """Give our own picture: a warm gradient that breathes, uint8 ``[64, 64, 3]``."""
    y, x = np.mgrid[0:64, 0:64]
    breath = 10 * math.sin(time_ns / S)
    red = 90 + y + breath
    return np.stack([red, 50 + x / 2, 40 + (x + y) / 4], axis=-1).round().astype(np.uint8)


def packed(fields: dict[str, Any]) -> bytes:
    """Give msgpack bytes."""
    return bytes(msgpack.packb(fields))


def alarm_point(alarm_id: str) -> bytes:
    """Give an alarm point that any scored window raises."""
    furnace_id, _, condition = alarm_id.rpartition("/")
    point = {
        "alarm_id": alarm_id,
        "equipment_path": furnace_id,
        "title": "A stranger's alarm",
        "condition": condition,
        "class": "process",
        "priority": "low",
        "causes": ["a test from outside"],
        "consequence_if_no_action": "None.",
        "operator_action": "Acknowledge it.",
        "time_to_respond_s": 600,
        "setpoint": {"logit_on": -1000.0, "logit_off": -1001.0, "on_delay_s": 0, "off_delay_s": 0},
        "setpoint_basis": "any verdict raises",
        "revision": "stranger-1",
        "mode": "alarm",
    }
    return json.dumps(point).encode()


def command(alarm_id: str, command_id: str, event_id: str, now_ns: int) -> bytes:
    """Give an acknowledgement."""
    wish = {
        "command_id": command_id,
        "alarm_id": alarm_id,
        "command": "ack",
        "expected_event_id": event_id,
        "user": "stranger",
        "role": "operator",
        "comment": "seen",
        "arguments": {},
        "issued_at": rfc3339(now_ns),
    }
    return json.dumps(wish).encode()
