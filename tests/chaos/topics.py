"""Topics deleted and made again under a working worker, and offsets that somebody moves.

The records of a deleted topic are gone, so the oracle of the window rule cannot judge what rests
on them. What is asked instead: every window number is there once and in its order, every window
that lies within one stretch of records has its video, and each fault is told.
"""

import random
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import Final

from kafka import KafkaAdminClient, KafkaConsumer
from kafka.errors import NoError
from kafka.structs import OffsetAndMetadata, TopicPartition
from meltwatch_chassis.kafka.admin import create_topics
from meltwatch_schemas.score import Modality, WindowScore, decode_score
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC

from tests.chaos.load import PARTITIONS
from tests.chaos.report import Report
from tests.chaos.site import PATIENCE_S, Site, recoveries
from tests.chaos.stage import Stage
from tests.chaos.tape import Score
from tests.chaos.verdict import Verdict
from tests.integration.stream_processor.worker import Tail, Worker, send
from tests.support.input_records import ORIGIN_NS, live
from tests.support.kept_topics import kept_catalogue
from tests.support.waiting import until

NAME: Final = "topics"
FURNACES: Final = tuple(f"chaos/remade/F{number}" for number in range(6))
INPUTS: Final = (Topic.EMBEDDINGS, Topic.CURRENTS)
STRETCH_S: Final = 24
_CLIP_S: Final = 8
# Windows that have not closed when a topic is deleted lose their records.
_OPEN_S: Final = 5
_GROUP: Final = "stream-processor"
_HOP_NS: Final = PUBLISHED_SPEC.hop_ns


@dataclass
class _Plant:
    """A site, its worker, and how far the furnaces have sent."""

    site: Site
    admin: KafkaAdminClient
    worker: Worker
    rng: random.Random
    sent_s: int = 0
    stretches_s: list[int] = field(default_factory=list)
    scores: list[WindowScore] = field(default_factory=list)

    def send(self) -> None:
        start_ns = ORIGIN_NS + self.sent_s * NS_PER_S
        send(self.site.kafka, self.site.prefix, live(FURNACES, STRETCH_S, start_ns=start_ns))
        self.stretches_s.append(self.sent_s)
        self.sent_s += STRETCH_S

    def wait(self) -> None:
        """Wait until all furnaces have windows nearly up to what was sent."""
        wanted_ns = ORIGIN_NS + self.sent_s * NS_PER_S - 3 * _HOP_NS
        until(lambda: self._newest() > wanted_ns, self.site.last_lines, PATIENCE_S)

    def _newest(self) -> int:
        self.scores = [decode_score(record.value) for record in self.site.published()]
        ends = dict.fromkeys(FURNACES, 0)
        ends |= {score.furnace_id: score.window_end_ns for score in self.scores}
        return min(ends.values())

    def start(self) -> None:
        self.worker = self.site.worker(group_instance_id="one")

    def ready(self) -> bool:
        return self.worker.ask("readyz").startswith("ok")

    def remake(self, topics: Sequence[Topic]) -> None:
        names = [topic.under(self.site.prefix) for topic in topics]
        self.admin.delete_topics(names)
        time.sleep(self.rng.uniform(0.0, 6.0))
        specs = [
            spec for spec in kept_catalogue(self.site.prefix, PARTITIONS) if spec.topic in topics
        ]
        connection = {"bootstrap_servers": [self.site.kafka]}
        until(lambda: not self._there(names), "the topics", PATIENCE_S)
        create_topics(connection, specs)
        until(lambda: len(self._there(names)) == len(names), "the topics", PATIENCE_S)

    def _there(self, names: Iterable[str]) -> list[str]:
        found = self.admin.describe_topics(list(names))
        return [topic["name"] for topic in found if not topic["error_code"]]

    def move(self, choose: Callable[[int], int]) -> None:
        """Move the group's offsets, while nobody is a member of it."""
        parts = [TopicPartition(t.under(self.site.prefix), n) for t in INPUTS for n in range(2)]
        with closing(KafkaConsumer(bootstrap_servers=self.site.kafka)) as consumer:
            ends = consumer.end_offsets(parts)
        offsets = {part: OffsetAndMetadata(choose(end), "", -1) for part, end in ends.items()}
        group = f"{self.site.prefix}.{_GROUP}"
        until(
            lambda: set(self.admin.alter_group_offsets(group, offsets).values()) == {NoError},
            "the topics",
            PATIENCE_S,
        )


def _both(plant: _Plant) -> None:
    plant.remake(INPUTS)


def _one(plant: _Plant) -> None:
    plant.remake([plant.rng.choice(INPUTS)])


def _both_and_kill(plant: _Plant) -> None:
    plant.remake(INPUTS)
    time.sleep(plant.rng.uniform(0.0, 4.0))
    plant.worker.kill()
    plant.start()


def _moved(plant: _Plant, choose: Callable[[int], int]) -> None:
    plant.worker.kill()
    plant.send()
    plant.move(choose)
    plant.start()


def _to_latest(plant: _Plant) -> None:
    _moved(plant, lambda end: end)
    plant.stretches_s.pop()  # passed over by intention


TURNS: Final[dict[str, Callable[[_Plant], None]]] = {
    "both input topics made again": _both,
    "one input topic made again": _one,
    "both made again and the worker killed": _both_and_kill,
    "offsets moved to the latest": _to_latest,
    "offsets moved to the earliest": lambda plant: _moved(plant, lambda _: 0),
    "offsets moved past the end": lambda plant: _moved(plant, lambda end: end + 1000),
}


def run(stage: Stage, rounds: int, seed: int = 1) -> Report:
    """Change topics and offsets again and again."""
    rng = random.Random(seed)
    with stage.site() as site, closing(KafkaAdminClient(bootstrap_servers=site.kafka)) as admin:
        plant = _Plant(site, admin, site.worker(group_instance_id="one"), rng)
        for number in range(rounds):
            plant.send()
            plant.wait()
            turn = list(TURNS)[number % len(TURNS)]
            site.fault(turn)
            TURNS[turn](plant)
            until(plant.ready, site.last_lines, PATIENCE_S)
        plant.send()
        plant.wait()
        alarms = [] if _is_raised(site) or not rounds else ["HISTORY_GAP: expected it, got none"]
        verdict = _judge(plant)
        deaths = site._deaths()
        published = [Score(r.partition, r.offset, _fields(r.value)) for r in site.published()]
    return Report(NAME, rounds, verdict, recoveries(site.faults, published), alarms, deaths)


def _fields(value: bytes) -> dict[str, object]:
    return {"times": {"published_ns": decode_score(value).times.published_ns}}


def _is_raised(site: Site) -> bool:
    """The alarm manager has told what was never read."""
    key = f"{site.prefix}/HISTORY_GAP".encode()
    with Tail(site.kafka, Topic.ALARMS.under(site.prefix), 1) as alarms, suppress(AssertionError):
        alarms.until(lambda found: any(r.key == key for r in found), 30.0)
        return True
    return False


def _judge(plant: _Plant) -> Verdict:
    """Every number once and in order; video in each window within one stretch of records."""
    verdict, seen = Verdict(), {}
    for score in plant.scores:
        name = f"{score.furnace_id} {score.window_end_ns}"
        windows = seen.setdefault(score.furnace_id, {})
        if score.window_end_ns in windows:
            verdict.other.append(f"{name}: published twice")
            continue
        if windows and score.window_end_ns < max(windows):
            verdict.out_of_order.append(f"{name}: behind {max(windows)}")
        windows[score.window_end_ns] = score
        verdict.windows += 1
        if _lies_within(plant.stretches_s, score) and Modality.VIDEO not in score.modalities:
            verdict.changed.append(f"{name}: expected video, got {score.reasons}")
    for furnace_id, windows in seen.items():
        due = range(min(windows), max(windows) + 1, _HOP_NS)
        verdict.lost += [f"{furnace_id} {end}" for end in due if end not in windows]
    return verdict


def _lies_within(stretches_s: Iterable[int], score: WindowScore) -> bool:
    """A window whose clip was sent after the last fault, and not passed over by anybody."""
    at_s = (score.window_end_ns - ORIGIN_NS) / NS_PER_S
    return any(start + _CLIP_S < at_s < start + STRETCH_S - _OPEN_S for start in stretches_s)
