"""Somebody else writes to the topics that the alarm manager alone may write, and it is killed too.

After each forgery readers may be wrong for a moment. In the end everybody shows the truth again,
each forgery is a dead letter, and ``FOREIGN_WRITER`` stands.
"""

import json
import random
from collections.abc import Iterator
from typing import Final

from meltwatch_schemas.topics import Topic

from tests.chaos.load import MEMBERS
from tests.chaos.manager_kill import LEADING
from tests.chaos.outlet import Outlet
from tests.chaos.report import Report
from tests.chaos.site import PATIENCE_S, Site, wait_for_event
from tests.chaos.stage import Stage
from tests.chaos.strangers import sendable
from tests.chaos.tape import MARK, Message, Reader
from tests.support.hostile_alarms import foreign_records
from tests.support.hostile_wire import HostileRecord
from tests.support.input_records import InputRecord
from tests.support.waiting import until

NAME: Final = "forged"
REASON: Final = "contract_violation"
_FURNACE: Final = MEMBERS[0].name
_ALARM: Final = f"{_FURNACE}/OVERHEAT"
_A_ROUND: Final = 4
# Of so many windows one is scored once more: here it is about the alarms.
_EVERY: Final = 10


def run(stage: Stage, rounds: int, seed: int = 1) -> Report:
    """Forge some records a round; every other time kill the manager right afterwards."""
    rng = random.Random(seed)
    with (
        stage.site() as site,
        Outlet(site.kafka, site.prefix) as outlet,
        Reader(site.kafka, site.prefix) as reader,
    ):
        site.send_load(seed)
        site.worker(session_timeout_s=stage.session_s)
        manager = site.managers[0]
        forgeries = _forgeries(site, reader, rng)
        for number in range(rounds):
            site.wait_more(rng.randrange(1, 30))
            site.fault(f"{_A_ROUND} records forged")
            outlet.send([next(forgeries) for _ in range(_A_ROUND)])
            if number % 2:
                manager.kill()
                manager = site.manager(alarm_manager_instance="one")
                wait_for_event(manager, LEADING)
        site.wait_more()
        return site.finish(NAME, rounds, forged=True, every=_EVERY)


def _forgeries(site: Site, reader: Reader, rng: random.Random) -> Iterator[InputRecord]:
    """All kinds in random order, over and over, each after the newest record of the alarm."""

    def newest() -> list[Message]:
        return [each for each in reader.tape().alarms if each.key == _ALARM][-1:]

    while True:
        until(newest, site.last_lines, PATIENCE_S)
        true_record = json.dumps(newest()[0].fields).encode()
        kinds = [each for each in foreign_records(_FURNACE, true_record, 0) if _is_possible(each)]
        rng.shuffle(kinds)
        yield from (sendable(each, MARK, REASON) for each in kinds)


def _is_possible(forged: HostileRecord) -> bool:
    """Kafka itself refuses a record without a key on a compacted topic."""
    return forged.key is not None or forged.topic is not Topic.ALARMS
