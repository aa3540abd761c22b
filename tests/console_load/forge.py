"""``python -m tests.console_load.forge KAFKA PREFIX FURNACES EVERY_S``: scores and alarms.

Each furnace has a window every 1.44 s, as a stream processor writes them, and every so often an
alarm is raised somewhere, and an older one cleared. Ends with its standard input, and says what it
has written.
"""

import heapq
import json
import random
import sys
import threading
import warnings
from dataclasses import replace
from typing import Final

import numpy as np
from kafka import KafkaProducer
from meltwatch_chassis.clock import SystemClock
from meltwatch_schemas.record import headers_for
from meltwatch_schemas.score import SCHEMA, ScoreTimes, WindowScore, encode_score
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_MS, NS_PER_S, PUBLISHED_SPEC
from meltwatch_simulator import furnace_ids

from tests.integration.console.bench import AlarmForge
from tests.integration.console.listener import stamp
from tests.support.clean_run import chunks, scores

LAG_NS: Final = 300 * NS_PER_MS
STAND: Final = 20
"""So many alarms stand at a time."""
MAPS: Final = 0.02
"""So many of the windows have a map."""


def names(count: int) -> list[str]:
    """Return furnace ids: a hundred an area."""
    return [f"demo/area-{n // 100:02}/FMF-{n % 100:03}" for n in range(count)]


def whole_score() -> WindowScore:
    """Return a score as the stream processor makes it, the states of its sources included."""
    (name,) = furnace_ids(1)
    *_, (_, made) = scores(name, chunks(name, 40, repeated=True))
    ids = dict.fromkeys(made.inputs, "nFZ0u8mPSa2qkqGMwZ0v9A")
    return replace(made, unregistered=False, member_logits=(-3.0, -3.1, -2.9), topic_ids=ids)


class ScoreForge:
    """Writes the scores of a plant at their pace.

    Attributes
    ----------
    bytes, count
        Of what was written.
    late_s
        How far it was behind at most.
    """

    def __init__(self, address: str, prefix: str, furnaces: list[str]) -> None:
        self._topic = Topic.SCORES.under(prefix)
        self._producer = KafkaProducer(bootstrap_servers=address, linger_ms=20)
        self._clock = SystemClock()
        self._dice = random.Random(7)
        now_ns = self._clock.now_ns()
        self._due = sorted(
            (PUBLISHED_SPEC.first_end_after(name, now_ns), name) for name in furnaces
        )
        self._plain = whole_score()
        self._spot = np.zeros((64, 64), np.uint8)
        self._spot[40:50, 30:40] = 200
        self.bytes = self.count = 0
        self.late_s = 0.0

    def write_until(self, ended: threading.Event) -> None:
        """Write each window when it is due."""
        while not ended.is_set():
            end_ns, name = self._due[0]
            wait_s = (end_ns + LAG_NS - self._clock.now_ns()) / NS_PER_S
            if wait_s > 0:
                ended.wait(wait_s)
                continue
            self.late_s = max(self.late_s, -wait_s)
            self._write(name, end_ns)
            heapq.heapreplace(self._due, (end_ns + PUBLISHED_SPEC.hop_ns, name))
        self._producer.flush(30)

    def _write(self, name: str, end_ns: int) -> None:
        now_ns = self._clock.now_ns()
        score = replace(
            self._plain,
            furnace_id=name,
            window_end_ns=end_ns,
            window_id=PUBLISHED_SPEC.window_id(name, end_ns),
            logit=self._dice.gauss(-3.0, 0.3),
            anomaly_map=self._spot if self._dice.random() < MAPS else None,
            times=ScoreTimes(end_ns, end_ns, end_ns, end_ns, now_ns),
        )
        value = encode_score(score)
        self._producer.send(
            self._topic, key=name.encode(), value=value, headers=list(headers_for(SCHEMA)),
            timestamp_ms=now_ns // NS_PER_MS,
        )  # fmt: skip
        self.bytes += len(value)
        self.count += 1


def raise_alarms(
    forge: AlarmForge, furnaces: list[str], every_s: float, ended: threading.Event
) -> None:
    """Raise alarms, whose titles say when they were written, and clear old ones."""
    dice = random.Random(3)
    standing: list[str] = []
    while not ended.wait(every_s):
        alarm_id = f"{dice.choice(furnaces)}/OVERHEAT"
        if alarm_id in standing:
            continue
        if len(standing) == STAND:
            change = {"from": "UNACK", "to": "NORM", "cause": "CLEAR"}
            forge.state(standing.pop(0), "NORM", transition=change)
        forge.raised(alarm_id, title=stamp())
        standing.append(alarm_id)


def main(address: str, prefix: str, count: str, every_s: str) -> None:
    furnaces = names(int(count))
    ended = threading.Event()
    plant = ScoreForge(address, prefix, furnaces)
    with AlarmForge(address, prefix) as alarms:
        works = [
            threading.Thread(target=plant.write_until, args=[ended]),
            threading.Thread(target=raise_alarms, args=[alarms, furnaces, float(every_s), ended]),
        ]
        for each in works:
            each.start()
        sys.stdin.read()
        ended.set()
        for each in works:
            each.join()
    said = {"bytes": plant.bytes, "count": plant.count, "late_s": plant.late_s}
    print(json.dumps(said), flush=True)


if __name__ == "__main__":
    warnings.simplefilter("ignore", DeprecationWarning)
    main(*sys.argv[1:])
