"""A service with one rule of delivery broken, to see that the campaigns would notice.

``python -m tests.chaos.mutant NAME`` is ``python -m meltwatch_stream_processor``, or the alarm
manager, but for one method, replaced from outside: the product has no switch for it.
"""

import asyncio
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from runpy import run_module
from typing import Any, Final
from uuid import uuid4

from meltwatch_alarm_manager.adapters.kafka_election import KafkaElection
from meltwatch_alarm_manager.adapters.kafka_ledger import KafkaLedger
from meltwatch_chassis.kafka import any_batch
from meltwatch_core.alarms.authorship import Authorship
from meltwatch_core.alarms.caution import Caution
from meltwatch_core.alarms.manager import scores
from meltwatch_core.alarms.manager.alarms import AlarmPipeline
from meltwatch_core.alarms.manager.commands import CommandDesk
from meltwatch_core.alarms.manager.scores import PartitionProgress
from meltwatch_core.join.buffers import Chunk
from meltwatch_core.join.furnace import Furnace
from meltwatch_core.join.joiner import PartitionJoiner
from meltwatch_core.join.merge import OTHER, Reading
from meltwatch_core.join.restore import Resumption, ScoresTail
from meltwatch_core.join.rules import PUBLISHED_RULES
from meltwatch_core.join.watermark import Idleness, Watermark
from meltwatch_core.join.window import AlignedWindow, Outcome
from meltwatch_schemas import record as schemas_record
from meltwatch_schemas.errors import ContractViolation, malformed
from meltwatch_schemas.record import OutgoingRecord, RawRecord, read_score
from meltwatch_schemas.score import Modality, WindowScore
from meltwatch_stream_processor.pipeline import gate
from meltwatch_stream_processor.pipeline.beginning import Beginning
from meltwatch_stream_processor.pipeline.delivery import Delivery
from meltwatch_stream_processor.pipeline.publication import ClosingMoment, Publication
from meltwatch_stream_processor.pipeline.start_offsets import Start

from tests.chaos.site import MANAGER
from tests.integration.stream_processor.worker import SERVICE


def put(owner: Any, name: str, stand_in: object) -> None:
    """Put something in place of what stands there.

    Raises
    ------
    AttributeError
        If nothing does: then the rule has moved, and its mutant would break nothing.
    """
    getattr(owner, name)
    setattr(owner, name, stand_in)


_LED: Final[dict[KafkaElection, bool]] = {}


def acknowledge_early() -> None:
    """Acknowledge what was handed on, whatever windows to come may need."""

    def acknowledgeable(self: PartitionJoiner) -> dict[Modality, int]:
        return {modality: self._positions[modality] for modality in self._starts}

    put(PartitionJoiner, "acknowledgeable", acknowledgeable)


def forget_the_cut() -> None:
    """Restore nothing of what the tail of scores says."""

    def resumption(self: ScoresTail, positions: Mapping[Modality, int]) -> Resumption:
        return Resumption(dict(positions), {})

    put(ScoresTail, "resumption", resumption)


def publish_out_of_order() -> None:
    """Publish a window without waiting for the one before it."""

    async def submit(
        self: Publication, window: AlignedWindow, traceparent: str | None = None
    ) -> None:
        closing = ClosingMoment(self._clock.now_ns(), traceparent)

        async def carry(_: asyncio.Task[None] | None) -> None:
            await self._publish(window, await self._judge(window), closing)

        await self._append(window.furnace_id, window.size_bytes, carry)

    put(Publication, "submit", submit)
    # Acknowledgement insists on the order: without this the defect would end the process at once.
    put(PartitionJoiner, "published", lambda *_: None)


def reread_is_late() -> None:
    """Take what is read again for what comes too late."""
    admit_again = PartitionJoiner._admit_again

    def late(self: PartitionJoiner, *record: Any) -> Outcome:
        outcome = admit_again(self, *record)
        return Outcome(late=True, windows=outcome.windows, skipped=outcome.skipped)

    put(PartitionJoiner, "_admit_again", late)


def no_codec() -> None:
    """Refuse whatever is compressed, as if there were no codec for it."""

    def unpack(codec: int, packed: memoryview) -> bytes:
        raise malformed(f"{len(packed)} bytes of codec {codec}")

    put(any_batch, "unpack", unpack)


def drop_refused() -> None:
    """Pass over refused records without a dead letter."""

    async def dead_letter(self: Delivery, raw: RawRecord, refusal: ContractViolation) -> None:
        pass

    put(Delivery, "dead_letter", dead_letter)


def drop_nothing_at_all() -> None:
    """Pass over a refused record that has neither key nor value."""
    handle = AlarmPipeline.handle_record

    def without(self: AlarmPipeline, record: RawRecord, now_ns: int) -> list[OutgoingRecord]:
        written = handle(self, record, now_ns)
        return [] if record.key is None and record.value is None else written

    put(AlarmPipeline, "handle_record", without)


def catch_nothing() -> None:
    """Let what a score does to its reader end the reign, whichever record it was."""

    def read(record: RawRecord) -> WindowScore:
        try:
            return read_score(record)
        except ContractViolation as refusal:
            raise ValueError(refusal.detail) from refusal

    def handle(self: AlarmPipeline, record: RawRecord, now_ns: int) -> list[OutgoingRecord]:
        return self._judge(self._place(record).topic, record, now_ns)

    put(scores, "read_once", read)
    put(AlarmPipeline, "handle_record", handle)


def believe_forgeries() -> None:
    """Take every record of the alarm topics for one of a manager."""

    def look_at(self: Authorship, offset: int) -> bool:
        self.checked = max(self.checked, offset + 1)
        return True

    put(Authorship, "is_own", lambda *_: True)
    put(Authorship, "look_at", look_at)


def commit_ahead() -> None:
    """Commit what was read, whatever running delays need of it."""
    put(PartitionProgress, "oldest_needed", lambda self, _: self.position)


def forget_commands() -> None:
    """Take over no id of a command that was answered."""
    put(CommandDesk, "restore", lambda *_: None)


def nobody_is_fenced() -> None:
    """Have each manager write under a name of its own, so that a frozen one goes on writing."""
    begin = KafkaLedger.__init__

    def init(self: KafkaLedger, connection: Any, prefix: str, _: str, group_id: str) -> None:
        begin(self, connection, prefix, f"{prefix}.{uuid4()}", group_id)

    put(KafkaLedger, "__init__", init)
    seated = KafkaElection.leads

    async def leads(self: KafkaElection) -> bool:
        _LED[self] = await seated(self) or _LED.get(self, False)
        return _LED[self]

    put(KafkaElection, "leads", leads)


def try_for_ever() -> None:
    """Give a record to the join again and again, however often that broke it."""
    put(gate.Suspects, "refusal_of", lambda *_: None)


def try_once() -> None:
    """Set a record aside that broke the join once."""
    put(gate, "_ATTEMPTS", 1)


def never_give_up() -> None:
    """Judge a record over which lives have ended, however many."""
    put(Caution, "times_found", lambda *_: 0)


def idle_by_event_time() -> None:
    """Take for idle what is 5 s of event time behind the other modality."""
    began_ns: dict[str, int] = {}

    def move_on(self: Furnace, reading: Reading) -> None:
        behind = [m for m in Modality if is_far_behind(self, m)]
        left_out = [*self._watch.set_back, *behind]
        self._watermark.update(reading, left_out)

    def is_far_behind(furnace: Furnace, modality: Modality) -> bool:
        newest_ns = furnace._watermark._newest_ns
        first_ns = began_ns.setdefault(furnace.furnace_id, furnace.newest_ns)
        lead_ns = newest_ns.get(OTHER[modality], first_ns) - newest_ns.get(modality, first_ns)
        return lead_ns > PUBLISHED_RULES.idle_gap_ns

    put(Furnace, "_move_on", move_on)


def retire_by_event_time() -> None:
    """Retire a furnace when another one of its partition is 125 s of event time ahead."""

    def expired(self: PartitionJoiner, _: Reading) -> list[str]:
        newest_ns = {name: life.furnace.newest_ns for name, life in self._lives.items()}
        limit_ns = max(newest_ns.values(), default=0) - PUBLISHED_RULES.retire_after_ns
        old = [name for name, event_ns in newest_ns.items() if event_ns < limit_ns]
        return [name for name in old if not self._has_history_ahead(name)]

    put(PartitionJoiner, "_expired", expired)


def admit_the_future() -> None:
    """Compare event times with what a record says of itself alone, not with Kafka's timestamp."""
    put(schemas_record, "check_not_after_record", lambda *_: None)


def forget_the_sources() -> None:
    """Restore the last window alone: not who sent it, nor what was known of them."""
    resumption = ScoresTail.resumption

    def forgetful(self: ScoresTail, positions: Mapping[Modality, int]) -> Resumption:
        found = resumption(self, positions)
        nothing: dict[str, Any] = {"sources": {}, "source_states": {}, "behind": frozenset()}
        furnaces = {name: replace(past, **nothing) for name, past in found.furnaces.items()}
        return Resumption(found.positions, furnaces)

    put(ScoresTail, "resumption", forgetful)


def late_by_itself() -> None:
    """Ask whether a record is late after it has closed windows."""
    admit = PartitionJoiner._admit

    def after(self: PartitionJoiner, chunk: Chunk, *place: Any) -> Outcome:
        outcome = admit(self, chunk, *place)
        life = self._lives.get(chunk.identity.furnace_id)
        if life is None or outcome.refusal is not None:
            return outcome
        return replace(outcome, late=life.furnace.is_late(chunk))

    put(PartitionJoiner, "_admit", after)


def trust_old_cuts() -> None:
    """Take the offsets of a topic that was deleted for those of its successor."""
    put(Beginning, "_is_void", lambda *_: False)


def tell_no_gap() -> None:
    """Go on behind what was never read as if nothing had been there."""
    settle, is_gone = Beginning.settle, Beginning.is_gone

    async def silently(self: Beginning) -> Mapping[Modality, Start]:
        starts = await settle(self)
        self.gaps_are_told()
        return starts

    async def unsaid(self: Beginning, modality: Modality, offsets: range) -> None:
        await is_gone(self, modality, offsets)
        self.gaps_are_told()

    put(Beginning, "settle", silently)
    put(Beginning, "is_gone", unsaid)


def idle_unread() -> None:
    """Take for idle what is waited for, though records of it are unread."""
    idle = Idleness.idle

    def waited(self: Idleness, reading: Reading) -> list[Modality]:
        everything = dict.fromkeys(Modality, reading.now_ns)
        return idle(self, reading._replace(read_as_of=everything))

    put(Idleness, "idle", waited)


def forget_behind() -> None:
    """Wait once more after a restart for what was left out as too far behind."""
    watermark = Watermark.__init__
    put(Watermark, "__init__", lambda self, rules, _=(): watermark(self, rules))


def _named(*mutations: Callable[[], None]) -> dict[str, Callable[[], None]]:
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
IN_WEATHER: Final = _named(
    idle_by_event_time,
    retire_by_event_time,
    admit_the_future,
    forget_the_sources,
    late_by_itself,
)
OF_TOPICS: Final = _named(trust_old_cuts, tell_no_gap)
UNSEEN: Final = _named(idle_unread, forget_behind)
"""No campaign sees these: the merge hides the one, the other costs a minute. Properties do."""
OF_WORKERS: Final = WORKERS | ILL_WORKERS | IN_WEATHER | OF_TOPICS
MUTANTS: Final = OF_WORKERS | MANAGERS | FORGERS | ILL_MANAGERS

if __name__ == "__main__":
    name = sys.argv.pop(1)
    MUTANTS[name]()
    run_module(SERVICE if name in OF_WORKERS else MANAGER, run_name="__main__")
