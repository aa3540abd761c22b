"""Records that end whoever judges them, among the others: each is set aside, and costs no other.

The services are ill in this campaign, see ``ailing``. Poison of the alarm manager ends three of its
lives and then none, though it is killed again. Poison of the join ends two
attempts. A good record over which the join once broke is judged all the same.
"""

import random
import time
from collections.abc import Callable
from typing import Final

from meltwatch_schemas.topics import Topic

from tests.chaos.ailing import POISON, POISON_SEQ
from tests.chaos.load import MEMBERS
from tests.chaos.manager_kill import LEADING
from tests.chaos.outlet import Outlet
from tests.chaos.report import Report
from tests.chaos.site import PATIENCE_S, Site, wait_for_event
from tests.chaos.stage import Stage
from tests.chaos.tape import MARK, Reader
from tests.support.input_records import ORIGIN_NS, InputRecord, frame_record, sample_record
from tests.support.waiting import until

NAME: Final = "poison"
TOPICS: Final = (
    Topic.SCORES,
    Topic.EMBEDDINGS,
    Topic.ALARM_COMMANDS,
    Topic.CURRENTS,
    Topic.FURNACE_STATES,
)
MOST_LIVES: Final = 3
_FURNACE: Final = MEMBERS[0].name
_MARKS: Final = ((MARK, b"contract_violation"), (POISON, b""))
# Of so many windows one is scored once more: here it is about the records.
_EVERY: Final = 10


def run(stage: Stage, rounds: int, seed: int = 1) -> Report:
    """Send poison again and again, and kill the manager when it is over it."""
    rng = random.Random(seed)
    with (
        stage.site(ailing=True) as site,
        Outlet(site.kafka, site.prefix) as outlet,
        Reader(site.kafka, site.prefix) as reader,
    ):
        site.send_load(seed)
        site.worker(session_timeout_s=stage.session_s)
        nurse = _Nurse(site)
        for number in range(rounds):
            nurse.wait_more(rng.randrange(1, 40))
            topic = TOPICS[number % len(TOPICS)]
            poison = _poison(topic, number)
            site.fault(f"poison among the {topic.value}")
            outlet.send([poison])
            nurse.expect(topic)
            nurse.wait_until(lambda sent=poison: _is_set_aside(reader, sent))
            nurse.kill()
        nurse.wait_more()
        report = site.finish(NAME, rounds, every=_EVERY)
    report.notes.append(f"{nurse.lives} lives of the alarm manager ended over {nurse.deadly}")
    return report


class _Nurse:
    """Starts the alarm manager again whenever it has ended; not for ever."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._manager = site.managers[0]
        self.lives = self.deadly = 0

    def expect(self, topic: Topic) -> None:
        """Note that a record was sent that may end the manager, if it is one."""
        self.deadly += topic not in (Topic.EMBEDDINGS, Topic.CURRENTS)

    def wait_until(self, condition: Callable[[], object]) -> None:
        """Wait for a condition, and keep the manager going."""
        until(lambda: self._look() or condition(), self._site.last_lines, MOST_LIVES * PATIENCE_S)

    def wait_more(self, count: int = 1) -> None:
        """Wait for so many scores more than there are."""
        wanted = self._site.count() + count
        self.wait_until(lambda: self._site.count() >= wanted)

    def kill(self) -> None:
        """End the manager at work, and see to it that the next one is."""
        self._manager.kill()
        self._manager = self._site.manager(alarm_manager_instance="one")
        wait_for_event(self._manager, LEADING)

    def _look(self) -> None:
        if self._manager.process.poll() is None:
            return
        self.lives += 1
        most = MOST_LIVES * self.deadly
        assert self.lives <= most, f"{self.lives} lives ended over {self.deadly} records"
        self._manager = self._site.manager(alarm_manager_instance="one")


def _poison(topic: Topic, number: int) -> InputRecord:
    if topic is Topic.EMBEDDINGS:
        record = frame_record(_FURNACE, ORIGIN_NS, seq=POISON_SEQ + number)
    elif topic is Topic.CURRENTS:
        record = sample_record(_FURNACE, ORIGIN_NS, seq=POISON_SEQ + number)
    else:
        record = InputRecord(topic, _FURNACE.encode(), f"poison {number}".encode(), (), _now_ms())
    return record.with_headers(*record.headers, *_MARKS)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _is_set_aside(reader: Reader, poison: InputRecord) -> bool:
    return any(letter.raw == (poison.key, poison.value) for letter in reader.tape().dead)
