"""``quix_join.py BROKER VIDEO CURRENTS COUNT FOLDER``: the join as a Quix Streams application.

Both topics are concatenated, as Quix Streams advises for topics of one key and partitioning, and a
stateful function keeps each furnace in its state store: a key for each frame, as bytes. Its own
windows collect JSON, which cannot hold a frame. Changelog topics are off. Prints a line of JSON.
"""

import json
import sys
import time
from typing import Any

import numpy as np
from join import BOUND_NS, CLIP, HOP_NS, LOOK_BACK_NS, decoded
from quixstreams import Application, State

_KEPT = 24


def take(value: bytes, state: State) -> list[bool]:
    """Take a record; return a truth for each window that it closes."""
    _, is_video, at_ns, values = decoded(value)
    known: dict[str, Any] = state.get("known") or {"v": [], "c": [], "next": 0}
    kind = "v" if is_video else "c"
    known[kind].append(at_ns)
    state.set_bytes(f"{kind}{at_ns}", values.tobytes())
    if len(known[kind]) > (_KEPT if is_video else 140):
        state.delete(f"{kind}{known[kind].pop(0)}")
    known["next"] = known["next"] or (at_ns // HOP_NS + 1) * HOP_NS
    closed = []
    if known["v"] and known["c"]:
        watermark_ns = min(known["v"][-1] - BOUND_NS[True], known["c"][-1] - BOUND_NS[False])
        while known["next"] <= watermark_ns:
            closed.append(_is_whole(known, state, known["next"]))
            known["next"] += HOP_NS
    state.set("known", known)
    return closed


def _is_whole(known: dict[str, Any], state: State, end_ns: int) -> bool:
    times = [at_ns for at_ns in known["v"] if at_ns <= end_ns][-CLIP:]
    clip = [np.frombuffer(state.get_bytes(f"v{at_ns}"), "<f2") for at_ns in times]
    begin_ns = end_ns - LOOK_BACK_NS
    parts = [
        np.frombuffer(state.get_bytes(f"c{at_ns}"), "<f4")
        for at_ns in known["c"]
        if begin_ns < at_ns <= end_ns
    ]
    return bool(clip) and bool(parts) and np.stack(clip).size * np.concatenate(parts).size > 0


def main() -> None:
    """Run it over what the topics hold."""
    broker, video, currents, count, folder = sys.argv[1:]
    app = Application(
        broker_address=broker,
        consumer_group=f"{video}-quix",
        auto_offset_reset="earliest",
        state_dir=folder,
        use_changelog_topics=False,
        auto_create_topics=False,
        loglevel="WARNING",
    )
    topics = [app.topic(name, value_deserializer="bytes") for name in (video, currents)]
    both = app.dataframe(topics[0]).concat(app.dataframe(topics[1]))
    windows = 0

    def counted(closed: list[bool]) -> None:
        nonlocal windows
        windows += len(closed)

    both.apply(take, stateful=True).update(counted)
    begun_s = time.process_time()
    app.run(count=int(count), timeout=60, collect=False)
    cpu_s = time.process_time() - begun_s
    print(json.dumps({"records": int(count), "windows": windows, "cpu_s": cpu_s}))


if __name__ == "__main__":
    main()
