"""A service that some records make ill, as a defect of a library would.

``python -m tests.chaos.ailing MODULE …`` is ``python -m MODULE …`` but for that. Over a record of
scores, commands or furnace states that bears the header ``POISON`` the alarm manager's process is
gone. Over a record of embeddings or currents with a ``seq`` of ``POISON_SEQ`` or more the stream
processor's join raises, after it has taken it; and over some good ones, once in a life each.
"""

import os
import signal
import sys
from runpy import run_module
from typing import Final

from meltwatch_core.alarms.manager.alarms import AlarmPipeline
from meltwatch_core.join.entry import Entry
from meltwatch_core.join.joiner import PartitionJoiner
from meltwatch_core.join.merge import Reading
from meltwatch_core.join.window import Outcome
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.record import OutgoingRecord, RawRecord
from meltwatch_schemas.topics import Topic

POISON: Final = "chaos-poison"
POISON_SEQ: Final = 10**9
_SHAKEN_EVERY: Final = 300


def deadly() -> None:
    """Have the alarm manager's process end over poison."""
    judge = AlarmPipeline._judge

    def die(
        self: AlarmPipeline, topic: Topic, record: RawRecord, now_ns: int
    ) -> list[OutgoingRecord]:
        if POISON in dict(record.headers):
            os.kill(os.getpid(), signal.SIGKILL)
        return judge(self, topic, record, now_ns)

    AlarmPipeline._judge = die  # type: ignore[method-assign]


def breaking() -> None:
    """Have the join break over poison, and now and then for a moment over what is good."""
    advance, survived = PartitionJoiner.advance, set[tuple[str, str, int]]()

    def fail(self: PartitionJoiner, entry: Entry | None, reading: Reading) -> Outcome:
        outcome = advance(self, entry, reading)
        if entry is None or isinstance(entry.content, ContractViolation):
            return outcome
        who = entry.content.identity
        name = (who.furnace_id, who.source_id, who.seq)
        is_shaken = who.seq % _SHAKEN_EVERY == 0 and name not in survived
        survived.add(name)
        if is_shaken or who.seq >= POISON_SEQ:
            raise RuntimeError("the join is ill")
        return outcome

    PartitionJoiner.advance = fail  # type: ignore[method-assign]


if __name__ == "__main__":
    deadly()
    breaking()
    del sys.argv[0]
    run_module(sys.argv[0], run_name="__main__", alter_sys=True)
