"""A service with one rule of delivery broken, to see that the campaigns would notice.

``python -m tests.chaos.mutant NAME`` is ``python -m meltwatch_stream_processor``, or the alarm
manager, but for one method, replaced from outside: the product has no switch for it.
"""

import asyncio
import sys
from collections.abc import Callable, Mapping
from runpy import run_module
from typing import Any, Final
from uuid import uuid4

from meltwatch_alarm_manager.adapters.kafka_election import KafkaElection
from meltwatch_alarm_manager.adapters.kafka_ledger import KafkaLedger
from meltwatch_alarm_manager.domain.authorship import Authorship
from meltwatch_alarm_manager.domain.caution import Caution
from meltwatch_alarm_manager.domain.progress import PartitionProgress
from meltwatch_alarm_manager.pipeline import scores
from meltwatch_alarm_manager.pipeline.alarms import AlarmPipeline
from meltwatch_alarm_manager.pipeline.commands import CommandDesk
from meltwatch_alarm_manager.ports import Outgoing
from meltwatch_chassis import any_batch
from meltwatch_schemas.errors import ContractViolation, malformed
from meltwatch_schemas.record import RawRecord, read_score
from meltwatch_schemas.score import Modality, WindowScore
from meltwatch_stream_processor.domain.aligned_window import AlignedWindow, Outcome
from meltwatch_stream_processor.domain.partition import PartitionJoiner
from meltwatch_stream_processor.domain.restore import Resumption, ScoresTail
from meltwatch_stream_processor.pipeline import suspects
from meltwatch_stream_processor.pipeline.delivery import Delivery
from meltwatch_stream_processor.pipeline.publication import Closing, Publication

from tests.chaos.site import MANAGER
from tests.integration.stream_processor.worker import SERVICE

_LED: Final[dict[KafkaElection, bool]] = {}


def acknowledge_early() -> None:
    """Acknowledge what was handed on, whatever windows to come may need."""

    def acknowledgeable(self: PartitionJoiner) -> dict[Modality, int]:
        return {modality: self._positions[modality] for modality in self._starts}

    PartitionJoiner.acknowledgeable = acknowledgeable  # type: ignore[method-assign]


def forget_the_cut() -> None:
    """Restore nothing of what the tail of scores says."""

    def resumption(self: ScoresTail, positions: Mapping[Modality, int]) -> Resumption:
        return Resumption(dict(positions), {})

    ScoresTail.resumption = resumption  # type: ignore[method-assign]


def publish_out_of_order() -> None:
    """Publish a window without waiting for the one before it."""

    async def carry(
        self: Publication,
        window: AlignedWindow,
        closing: Closing,
        previous: asyncio.Task[None] | None,
    ) -> None:
        await self._publish(window, await self._judge(window), closing)

    Publication._carry = carry  # type: ignore[method-assign]
    # Acknowledgement insists on the order: without this the defect would end the process at once.
    PartitionJoiner.published = lambda *_: None  # type: ignore[method-assign]


def reread_is_late() -> None:
    """Take what is read again for what comes too late."""
    hand_on_history = PartitionJoiner._hand_on_history

    def late(self: PartitionJoiner, *record: Any) -> Outcome:
        outcome = hand_on_history(self, *record)
        return Outcome(late=True, windows=outcome.windows, skipped=outcome.skipped)

    PartitionJoiner._hand_on_history = late  # type: ignore[method-assign]


def no_codec() -> None:
    """Refuse whatever is compressed, as if there were no codec for it."""

    def unpack(codec: int, packed: memoryview) -> bytes:
        raise malformed(f"{len(packed)} bytes of codec {codec}")

    any_batch.unpack = unpack


def drop_refused() -> None:
    """Pass over refused records without a dead letter."""

    async def dead_letter(self: Delivery, raw: RawRecord, refusal: ContractViolation) -> None:
        pass

    Delivery.dead_letter = dead_letter  # type: ignore[method-assign]


def drop_nothing_at_all() -> None:
    """Pass over a refused record that has neither key nor value."""
    handle = AlarmPipeline.handle

    def without(self: AlarmPipeline, record: RawRecord, now_ns: int) -> list[Outgoing]:
        written = handle(self, record, now_ns)
        return [] if record.key is None and record.value is None else written

    AlarmPipeline.handle = without  # type: ignore[method-assign]


def catch_nothing() -> None:
    """Let what a score does to its reader end the reign, whichever record it was."""

    def read(record: RawRecord) -> WindowScore:
        try:
            return read_score(record)
        except ContractViolation as refusal:
            raise ValueError(refusal.detail) from refusal

    def handle(self: AlarmPipeline, record: RawRecord, now_ns: int) -> list[Outgoing]:
        return self._judge(self._place(record).topic, record, now_ns)

    scores.read_score = read  # type: ignore[attr-defined]
    AlarmPipeline.handle = handle  # type: ignore[method-assign]


def believe_forgeries() -> None:
    """Take every record of the alarm topics for one of a manager."""

    def look_at(self: Authorship, offset: int) -> bool:
        self.checked = max(self.checked, offset + 1)
        return True

    Authorship.is_own = lambda *_: True  # type: ignore[method-assign]
    Authorship.look_at = look_at  # type: ignore[method-assign]


def commit_ahead() -> None:
    """Commit what was read, whatever running delays need of it."""
    PartitionProgress.oldest_needed = lambda self, _: self.position  # type: ignore[method-assign]


def forget_commands() -> None:
    """Take over no id of a command that was answered."""
    CommandDesk.restore = lambda *_: None  # type: ignore[method-assign]


def nobody_is_fenced() -> None:
    """Have each manager write under a name of its own, so that a frozen one goes on writing."""
    begin = KafkaLedger.__init__

    def init(self: KafkaLedger, connection: Any, prefix: str, _: str, group_id: str) -> None:
        begin(self, connection, prefix, f"{prefix}.{uuid4()}", group_id)

    KafkaLedger.__init__ = init  # type: ignore[method-assign]
    seated = KafkaElection.leads

    async def leads(self: KafkaElection) -> bool:
        _LED[self] = await seated(self) or _LED.get(self, False)
        return _LED[self]

    KafkaElection.leads = leads  # type: ignore[method-assign]


def try_for_ever() -> None:
    """Give a record to the join again and again, however often that broke it."""
    suspects.Suspects.refusal_of = lambda *_: None  # type: ignore[method-assign]


def try_once() -> None:
    """Set a record aside that broke the join once."""
    suspects._ATTEMPTS = 1  # type: ignore[misc]


def never_give_up() -> None:
    """Judge a record over which lives have ended, however many."""
    Caution.times_found = lambda *_: 0  # type: ignore[method-assign]


def _named(*mutations: Callable[[], None]) -> Mapping[str, Callable[[], None]]:
    return {mutate.__name__: mutate for mutate in mutations}


WORKERS: Final = _named(
    acknowledge_early,
    forget_the_cut,
    publish_out_of_order,
    reread_is_late,
    no_codec,
    drop_refused,
)
MANAGERS: Final = _named(
    drop_nothing_at_all,
    catch_nothing,
    commit_ahead,
    forget_commands,
    nobody_is_fenced,
)
FORGERS: Final = _named(believe_forgeries)
ILL_WORKERS: Final = _named(try_for_ever, try_once)
ILL_MANAGERS: Final = _named(never_give_up)
OF_WORKERS: Final = WORKERS | ILL_WORKERS
MUTANTS: Final = OF_WORKERS | MANAGERS | FORGERS | ILL_MANAGERS

if __name__ == "__main__":
    name = sys.argv.pop(1)
    MUTANTS[name]()
    run_module(SERVICE if name in OF_WORKERS else MANAGER, run_name="__main__")
