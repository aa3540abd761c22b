"""One partition number of both input topics, from assignment to revocation."""

import asyncio
from collections.abc import Iterable, Mapping
from functools import partial

import structlog
from meltwatch_chassis.live import is_live
from meltwatch_chassis.tracing import TRACEPARENT, continue_trace
from meltwatch_core.join.buffers import Chunk
from meltwatch_core.join.entry import Entry, read
from meltwatch_core.join.joiner import PartitionJoiner
from meltwatch_core.join.merge import ReadingOrder
from meltwatch_core.join.synchrony import SkewWatch
from meltwatch_core.join.window import UNEVENTFUL, AlignedWindow, Outcome
from meltwatch_core.scoring.judge import Judgement
from meltwatch_core.scoring.scores import Beside, make_score
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.record import RawRecord, header
from meltwatch_schemas.score import Modality
from meltwatch_schemas.window import NS_PER_S

from meltwatch_stream_processor.errors import RecordFailedError
from meltwatch_stream_processor.pipeline.beginning import Beginning
from meltwatch_stream_processor.pipeline.counts import OTHER
from meltwatch_stream_processor.pipeline.furnace_log import FurnaceLog, UntimelyRecords
from meltwatch_stream_processor.pipeline.novelties import NoveltyWatch
from meltwatch_stream_processor.pipeline.publication import ClosingMoment, Publication
from meltwatch_stream_processor.pipeline.shared import SharedParts
from meltwatch_stream_processor.ports import TopicPartition

_log = structlog.get_logger()


class PartitionPipeline:
    """Reads, joins, scores and publishes one partition number, starting from what Kafka holds.

    Its whole state is a function of committed offsets and published scores: it is dropped when
    the partition is revoked and built anew when it is assigned again.

    Parameters
    ----------
    number
        Of the partition, in both input topics and in ``scores``.
    shared
        What all partitions share.
    """

    def __init__(self, number: int, shared: SharedParts) -> None:
        self.number = number
        self._shared = shared
        self._began_ns = shared.clock.now_ns()
        topics = shared.context.topics.inputs
        self._parts = {m: TopicPartition(topic, number) for m, topic in topics.items()}
        self._arrivals = {m: shared.inputs.arrivals() for m in self._parts}
        self._order = ReadingOrder({}, shared.limits)
        self._joiner: PartitionJoiner | None = None
        self._log = FurnaceLog()
        self._skew = SkewWatch(shared.sync_offsets_s)
        self._untimely = UntimelyRecords()
        self._novelty = NoveltyWatch(shared.portraits)
        self._beginning = Beginning(self._parts, shared)
        self._handed_on: dict[Modality, int] = {}
        self._first_event_ns: dict[Modality, int] = {}
        self._reading = True
        self._arrived = asyncio.Event()
        # Time is passed to the join when an answer says how far the input goes: once a second.
        self._told = False
        self._paused: frozenset[Modality] = frozenset()
        # Records whose copy or dead letter is not delivered yet are not to be acknowledged.
        self._undelivered: set[tuple[Modality, int]] = set()

    def receive(self, raw: RawRecord) -> None:
        """Take a record as read; offsets of a topic ascend."""
        modality = self._shared.context.topics.modalities[raw.topic]
        if not self._arrivals[modality].came(raw.offset):
            return
        entry = read(raw, modality)
        self._order.push(entry)
        if modality not in self._first_event_ns:
            # How far back the scores' tail is read depends on the first event time.
            self._begins([entry])
        # Here, because the other side may be waiting for room while records go on arriving.
        self._control_flow()
        self._arrived.set()

    async def run_partition(self) -> None:
        """Work until cancelled."""
        shared = self._shared
        async with asyncio.TaskGroup() as group:
            publication = Publication(
                group, shared.in_flight, shared.judge.judge, self._publish, shared.clock
            )
            await shared.portraits.settle()
            asked_ns = shared.reader_clock.now_ns()
            starts = await self._beginning.settle()
            for modality, start in starts.items():
                self._arrivals[modality].begins(start.offset)
                self._order.read_until(modality, start.offset)
            self._order.told(asked_ns, {m: start.end for m, start in starts.items()})
            while self._reading:
                await self._arrived.wait()
                self._arrived.clear()
                await self._hand_on_ready(publication)
                await self._pass_time(publication)

    def stop_reading(self) -> None:
        """Hand on no more; windows in flight are still published."""
        self._reading = False
        self._arrived.set()

    def acknowledgeable(self) -> dict[TopicPartition, int]:
        """Return the offsets to commit: all below is needed by nothing still to be published."""
        if self._joiner is None or self._beginning.untold_gaps:
            return {}
        offsets = self._joiner.acknowledgeable()
        for modality, offset in self._undelivered:
            offsets[modality] = min(offset, offsets.get(modality, offset))
        return {self._parts[modality]: offset for modality, offset in offsets.items()}

    def handed_on(self) -> dict[TopicPartition, int]:
        """Return per topic the next offset to be handed on, once reading has started."""
        return {self._parts[modality]: offset for modality, offset in self._handed_on.items()}

    @property
    def topic_ids(self) -> Mapping[str, str]:
        """Per input topic, the id of the one that is read, where the broker gives one."""
        return self._beginning.topic_ids

    @property
    def parts(self) -> frozenset[TopicPartition]:
        """Its partitions of both input topics."""
        return frozenset(self._parts.values())

    @property
    def size_bytes(self) -> int:
        """What records that wait and window buffers hold."""
        joined = self._joiner.size_bytes if self._joiner else 0
        return self._order.size_bytes + joined + self._skew.size_bytes

    def skews_s(self) -> Mapping[str, float]:
        """Return video clock minus current clock, seconds, of each furnace where it is known."""
        return self._skew.skews_s()

    def watermarks(self) -> Mapping[str, int]:
        """Return the watermark, ns, of each furnace that is not retired."""
        return self._joiner.watermarks() if self._joiner else {}

    def behind_ns(self) -> Mapping[tuple[str, Modality], int]:
        """Return, per furnace and modality, how far its events are behind the other's, ns."""
        return self._joiner.behind_ns() if self._joiner else {}

    def told(self, asked_ns: int, ends: Mapping[TopicPartition, int]) -> None:
        """Take how far the input goes, and when that was asked by the reader's clock."""
        for modality, part in self._parts.items():
            awaited = self._order.head(modality) is None and modality not in self._paused
            self._arrivals[modality].told(asked_ns, ends[part], awaited=awaited)
        self._order.told(asked_ns, {m: ends[part] for m, part in self._parts.items()})
        self._told = True
        self._arrived.set()

    def waiting_bytes(self, modality: Modality) -> int:
        """Return what waits of a modality for the other one."""
        return self._joiner.waiting_bytes(modality) if self._joiner else 0

    def hold_back(self, modality: Modality | None) -> None:
        """Keep back the topic of a modality, or none: too much of it waits."""
        self._order.hold_back(modality)
        self._control_flow()
        self._arrived.set()

    async def _restored(self) -> PartitionJoiner:
        """Return a joiner that goes on where the published scores end."""
        shared = self._shared
        resumption = await self._beginning.resumption(self._first_event_ns)
        self._log.restored(resumption.furnaces)
        self._novelty.restore(resumption.furnaces)
        return PartitionJoiner(self.number, shared.encoder, shared.rules, resumption)

    def _may_have_windows(self, chunk: Chunk, joiner: PartitionJoiner) -> bool:
        """Tell whether a furnace begins with events older than what is known of the scores."""
        is_known = self._beginning.knows(chunk.first_event_ns)
        return not (is_known or joiner.remembers(chunk.identity.furnace_id))

    async def _recall(self, chunk: Chunk, joiner: PartitionJoiner) -> None:
        """Look further back before a furnace begins."""
        resumption = await self._beginning.further_back(chunk.first_event_ns)
        if resumption is not None:
            joiner.recall(resumption)
            self._novelty.restore(resumption.furnaces)

    async def _hand_on_ready(self, publication: Publication) -> None:
        while self._reading:
            # Nothing goes ahead of what the consumer has passed over.
            while gap := self._gap():
                await self._fill(*gap)
            entry = self._order.pop()
            if entry is None:
                return
            if self._joiner is None:
                # Not before the first record: its event time says how far back to look.
                self._joiner = await self._restored()
            await self._advance(entry, self._joiner, publication)
            self._handed_on[entry.modality] = entry.offset + 1
            self._control_flow()
            if self._told:
                await self._pass_time(publication)

    async def _pass_time(self, publication: Publication) -> None:
        """Close what no record closes: what waited for a modality that is idle by now."""
        if self._joiner is None or not self._told:
            return
        self._told = False
        reading = self._order.reading(self._shared.reader_clock.now_ns())
        outcome = self._joiner.advance(None, reading)
        self._shared.gate.holds(self.number, self._joiner.furnaces)
        self._shared.counts.closed(outcome)
        self._untimely.forget(outcome.retired)
        self._skew.forget(outcome.retired)
        self._log.handed_on(outcome)
        for window in outcome.windows:
            await publication.submit(window)

    def _gap(self) -> tuple[Modality, range] | None:
        """Return what the consumer has passed over of a topic; then the other is looked at anew."""
        for modality, arrivals in self._arrivals.items():
            if offsets := arrivals.missing(self._order.head(modality)):
                return modality, offsets
        return None

    async def _fill(self, modality: Modality, offsets: range) -> None:
        part = self._parts[modality]
        missed = partial(self._shared.input_range.records, part, offsets)
        records = await self._shared.retry.until_done(
            missed, f"reading what was missed of {part.topic}"
        )
        entries = [read(raw, modality) for raw in self._arrivals[modality].filled(records)]
        if self._joiner is None:
            self._begins(entries)
        for entry in entries:
            self._order.push(entry)
        self._order.read_until(modality, self._arrivals[modality].position)
        if len(records) < len(offsets):
            await self._beginning.is_gone(modality, offsets)
        self._shared.metrics.records_missed.labels(part.topic).inc(len(records))
        _log.info(
            "missed_records_read", **part._asdict(), first=offsets.start, records=len(records)
        )

    def _begins(self, entries: Iterable[Entry]) -> None:
        """Take note of the event time at which a topic begins."""
        for entry in entries:
            if entry.last_event_ns is not None:
                self._first_event_ns[entry.modality] = entry.last_event_ns
                return

    async def _advance(
        self, entry: Entry, joiner: PartitionJoiner, publication: Publication
    ) -> None:
        """Hand a record on to the join, and do what that leads to."""
        raw, entry = entry.raw, self._admitted(entry, joiner)
        content = entry.content
        if not isinstance(content, ContractViolation) and self._may_have_windows(content, joiner):
            await self._recall(content, joiner)
        outcome = self._joined(entry, joiner)
        self._shared.gate.holds(self.number, joiner.furnaces)
        if outcome.late or outcome.refusal is not None:
            await self._set_aside(entry, outcome, publication)
            self._untimely.take(raw, entry.modality, outcome, joiner.holds)
        self._shared.counts.record(raw, entry.modality, outcome, joiner.holds)
        if outcome is UNEVENTFUL:
            return
        self._log.handed_on(outcome)
        for window in outcome.windows:
            await publication.submit(window, continue_trace(header(raw.headers, TRACEPARENT)))

    async def _set_aside(self, entry: Entry, outcome: Outcome, publication: Publication) -> None:
        """Copy a late record, or make a refused one a dead letter."""
        place = entry.modality, entry.offset
        self._undelivered.add(place)
        if outcome.refusal is not None:
            await self._shared.delivery.dead_letter(entry.raw, outcome.refusal)
            self._undelivered.discard(place)
        elif not isinstance(entry.content, ContractViolation):
            copied = partial(self._copy_late, entry)
            furnace_id = entry.content.identity.furnace_id
            await publication.follow(furnace_id, entry.size_bytes, copied)

    async def _copy_late(self, entry: Entry) -> None:
        await self._shared.delivery.late(entry.raw)
        self._undelivered.discard((entry.modality, entry.offset))

    def _admitted(self, entry: Entry, joiner: PartitionJoiner) -> Entry:
        """Return a record as it is, or refused if it must not reach the join."""
        content = entry.content
        if isinstance(content, ContractViolation):
            return entry
        furnace_id = content.identity.furnace_id
        refusal = self._shared.suspects.refusal_of(entry.raw)
        if refusal is None and not joiner.knows(furnace_id):
            refusal = self._shared.gate.refusal_of(furnace_id)
        return entry if refusal is None else entry._replace(content=refusal)

    def _joined(self, entry: Entry, joiner: PartitionJoiner) -> Outcome:
        """Hand a record on to the join.

        Raises
        ------
        RecordFailedError
            Whatever went wrong: what the join holds now is not to be trusted.
        """
        try:
            reading = self._order.reading(self._shared.reader_clock.now_ns())
            outcome = joiner.advance(entry, reading)
            if not isinstance(entry.content, ContractViolation):
                self._skew.take(entry.content, outcome, joiner.greys_of)
        except Exception as error:
            place = (entry.raw.topic, entry.raw.partition, entry.raw.offset)
            # The partition begins anew from Kafka; a second failure makes it a dead letter.
            raise RecordFailedError(place, f"{type(error).__name__}: {error}"[:300]) from error
        return outcome

    async def _publish(
        self, window: AlignedWindow, judgement: Judgement, closing: ClosingMoment
    ) -> None:
        shared = self._shared
        now_ns = shared.clock.now_ns()
        skew, untimely = self._skew, self._untimely
        gaps = self._beginning.untold_gaps
        logit = judgement.verdict.logit if judgement.verdict else None
        novelty, ageing = self._novelty.take(window, logit)
        beside = Beside(
            (*skew.reasons(window.furnace_id), *untimely.reasons(window.furnace_id), *ageing),
            self.topic_ids,
            gaps,
            novelty,
        )
        score = make_score(window, judgement, shared.context, closing.joined_ns, now_ns, beside)
        record, delivered = await shared.delivery.deliver_score(score, closing.traceparent)
        if gaps:
            self._beginning.gaps_are_told()
        if judgement.refusal is not None:
            raw = RawRecord(
                topic=record.topic,
                partition=delivered.partition,
                offset=delivered.offset,
                timestamp_ms=delivered.timestamp_ms,
                key=record.key,
                value=record.value,
                headers=record.headers,
            )
            # The score stands in the topic as unscored; its dead letter keeps the bytes and the
            # reason.
            await shared.delivery.dead_letter(raw, judgement.refusal)
            # A furnace that is retired by now has no counter of its own any more.
            is_held = self._joiner is not None and self._joiner.holds(score.furnace_id)
            whose = score.furnace_id if is_held else OTHER
            shared.counts.irregular(whose, None, judgement.refusal.reason.value)
            self._log.rejected(score, judgement.refusal.detail, closing.traceparent)
        self._log.published(score, closing.traceparent)
        if self._joiner is not None:
            self._joiner.published(window)
        shared.metrics.windows.labels(score.status.value).inc()
        if is_live(window.window_end_ns, score.times.last_ingest_ns, self._began_ns):
            waited_ns = max(now_ns - window.window_end_ns, 0)
            shared.metrics.event_to_score.observe(waited_ns / NS_PER_S)

    def _control_flow(self) -> None:
        """Pause the topics of which too much waits, resume the others."""
        ahead = self._order.ahead
        if ahead == self._paused:
            return
        for modality in ahead - self._paused:
            self._shared.inputs.pause(self._parts[modality])
        for modality in self._paused - ahead:
            self._shared.inputs.resume(self._parts[modality])
        self._paused = ahead
