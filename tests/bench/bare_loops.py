"""``python -m tests.bench.bare_loops``: the same work by bare clients, without any of our care.

Nothing is checked, merged by event time, restored, acknowledged or retried, and a window is simply
the last frames and samples that came. What it costs is what nobody who works with these clients in
Python gets below. It prints how far it has come as lines of JSON.
"""

import argparse
import asyncio
import json
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from typing import Any

import msgpack
import numpy as np
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from tritonclient.grpc import InferInput, InferRequestedOutput
from tritonclient.grpc.aio import InferenceServerClient

_AT_ONCE = 8
_TELL_EVERY = 50


def _tell(count: int) -> None:
    said = {"count": count, "cpu_s": time.process_time(), "at_s": time.monotonic()}
    print(json.dumps(said), flush=True)


async def _records(kafka: str, topics: list[str]) -> AsyncIterator[Any]:
    """All records that the topics hold now."""
    consumer = AIOKafkaConsumer(
        *topics,
        bootstrap_servers=kafka,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    parts = [*consumer.assignment()]
    ends = await consumer.end_offsets(parts)
    left = {part for part, end in ends.items() if end}
    while left:
        for part, records in (await consumer.getmany(timeout_ms=500)).items():
            for record in records:
                yield record
            if records and records[-1].offset + 1 >= ends[part]:
                left.discard(part)
    await consumer.stop()


def _decoded(record: Any) -> tuple[str, Any]:
    fields = msgpack.unpackb(record.value)
    if "data" not in fields:
        return fields["furnace_id"], fields
    if "patches" in fields:
        values = np.frombuffer(fields["data"], "<f2")
        return fields["furnace_id"], values.reshape(-1, fields["patches"], fields["dims"])
    return fields["furnace_id"], np.frombuffer(fields["data"], "<f4").reshape(-1, 3)


async def decode(kafka: str, topics: list[str]) -> None:
    """Read and decode."""
    count = 0
    async for record in _records(kafka, topics):
        _decoded(record)
        count += 1
        if count % (_TELL_EVERY * 10) == 0:
            _tell(count)
    _tell(count)


def _inputs(clip: Any, samples: Any) -> list[InferInput]:
    given = {
        "patches": (clip[np.newaxis], "FP16"),
        "currents": (samples[np.newaxis], "FP32"),
        "available": (np.ones((1, 2), np.float32), "FP32"),
    }
    made = []
    for name, (array, datatype) in given.items():
        tensor = InferInput(name, list(array.shape), datatype)
        tensor.set_data_from_numpy(array)
        made.append(tensor)
    return made


async def score(kafka: str, topics: list[str], triton: str, scores: str, most: int) -> None:
    """Read, decode, ask Triton for every second frame of a furnace, and publish."""
    client, producer = InferenceServerClient(triton), AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    names = ("logit", "member_logits", "disagreement", "anomaly_map")
    outputs = [InferRequestedOutput(name) for name in names]
    room, count, tasks = asyncio.Semaphore(_AT_ONCE), 0, set()
    clips: Any = defaultdict(lambda: deque(maxlen=10))
    grids: Any = defaultdict(lambda: deque([np.zeros((240, 3), np.float32)], maxlen=121))
    seen: dict[str, int] = defaultdict(int)

    async def judge(furnace: str, inputs: list[InferInput]) -> None:
        nonlocal count
        try:
            answer = await client.infer("fmformer", inputs, outputs=outputs)
            said = {"furnace_id": furnace, "logit": float(answer.as_numpy("logit")[0, 0])}
            await producer.send_and_wait(scores, msgpack.packb(said), key=furnace.encode())
        finally:
            room.release()
        count += 1
        if count % _TELL_EVERY == 0:
            _tell(count)

    async for record in _records(kafka, topics):
        furnace, values = _decoded(record)
        if values.ndim == 2:
            grids[furnace].append(values)
            continue
        clips[furnace].extend(values)
        seen[furnace] += len(values)
        if len(clips[furnace]) == 10 and seen[furnace] % 2 == 0:
            await room.acquire()
            inputs = _inputs(np.stack(clips[furnace]), np.concatenate(grids[furnace])[-240:])
            task = asyncio.create_task(judge(furnace, inputs))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        if count >= most:
            break
    await asyncio.gather(*tasks)
    _tell(count)
    await producer.stop()
    await client.close()


def main() -> None:
    """Run one of the loops."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.bare_loops", description=__doc__)
    parser.add_argument("loop", choices=["decode", "score"])
    parser.add_argument("--kafka", required=True)
    parser.add_argument("--topics", required=True, nargs="+")
    parser.add_argument("--triton", default="")
    parser.add_argument("--scores", default="")
    parser.add_argument("--most", type=int, default=10**9)
    asked = parser.parse_args()
    if asked.loop == "decode":
        asyncio.run(decode(asked.kafka, asked.topics))
    else:
        asyncio.run(score(asked.kafka, asked.topics, asked.triton, asked.scores, asked.most))


if __name__ == "__main__":
    main()
