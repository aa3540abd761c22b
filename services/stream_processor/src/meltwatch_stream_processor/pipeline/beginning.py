"""How a partition begins: where it is read from, what nobody read, what an earlier life left."""

from collections.abc import Mapping
from functools import partial
from typing import Final

import structlog
from meltwatch_core.join.restore import Resumption, ScoresTail
from meltwatch_schemas.score import Modality, WindowScore
from meltwatch_schemas.score_topics import GapCause, HistoryGap
from meltwatch_schemas.window import NS_PER_S

from meltwatch_stream_processor.pipeline.kafka_answers import offsets_of
from meltwatch_stream_processor.pipeline.shared import SharedParts
from meltwatch_stream_processor.pipeline.start_offsets import Start, gaps_before, start_offsets
from meltwatch_stream_processor.ports import TopicPartition

_log = structlog.get_logger()
_FARTHEST_AHEAD_NS: Final = 300 * NS_PER_S
"""Event times may be 10 s ahead of Kafka's clock, and Kafka's ahead of ours."""
_SHORTEST_LOOK_NS: Final = 300 * NS_PER_S
_FARTHEST_BACK_NS: Final = 24 * 3600 * NS_PER_S
"""So late a gateway may deliver what a restarted process still takes for windows of the past."""


class Beginning:
    """Finds out where a partition number goes on.

    Parameters
    ----------
    parts
        Its partition of each input topic.
    shared
        What all partitions share.

    Attributes
    ----------
    topic_ids
        Per input topic, the id of the one that is read, where the broker gives one.
    untold_gaps
        Per input topic, what was passed over unread, until a published score has told it.
    """

    def __init__(self, parts: Mapping[Modality, TopicPartition], shared: SharedParts) -> None:
        self._parts = parts
        self._shared = shared
        (self._number,) = {part.partition for part in parts.values()}
        self._starts: dict[Modality, Start] = {}
        self._gaps: Mapping[str, HistoryGap] = {}
        self.untold_gaps: Mapping[str, HistoryGap] = {}
        self.topic_ids: Mapping[str, str] = {}
        # Window ends from which on the published scores are known.
        self._known_since_ns = self._restored_since_ns = 0

    async def settle(self) -> Mapping[Modality, Start]:
        """Find out where reading starts in each topic, and what was passed over before."""
        shared, parts = self._shared, list(self._parts.values())
        ids = await shared.input_topics.ids()
        starts = await start_offsets(shared.inputs, shared.input_range, ids, parts, shared.retry)
        self._starts = {modality: starts[part] for modality, part in self._parts.items()}
        self.topic_ids = {topic: given for topic, given in ids.items() if given is not None}
        by_topic = {part.topic: start for part, start in starts.items()}
        self._gaps = self.untold_gaps = await shared.retry.until_done(
            lambda: gaps_before(by_topic, shared.history.newest(self._number)),
            "looking for what was never read",
        )
        for part, start in starts.items():
            self._tell(part, start)
        return self._starts

    def gaps_are_told(self) -> None:
        """Take note that a published score names what was passed over."""
        self.untold_gaps = {}

    async def is_gone(self, modality: Modality, offsets: range) -> None:
        """Find out whether Kafka deleted records that were still to be read; say so."""
        part = self._parts[modality]
        ask = partial(offsets_of, self._shared.input_range.beginning_offsets, [part])
        oldest = (await self._shared.retry.until_done(ask, "beginning offsets"))[part]
        lost = min(oldest, offsets.stop) - offsets.start
        if lost > 0:
            gap = HistoryGap(GapCause.RETENTION, lost)
            self.untold_gaps = {**self.untold_gaps, part.topic: gap}
            self._tell_gap(part, gap, oldest)

    async def resumption(self, first_event_ns: Mapping[Modality, int]) -> Resumption:
        """Return where the published scores end.

        Parameters
        ----------
        first_event_ns
            Event time at which each topic begins, as far as known.
        """
        # Without any readable record nothing says from when scores matter: all of them do. Twice
        # as far while one topic has shown none: behind a refused one it may still start earlier.
        first_ns = min(first_event_ns.values(), default=0)
        reaches = 1 if len(first_event_ns) == len(Modality) else 2
        since_ns = max(first_ns - reaches * self._shared.rules.retire_after_ns, 0)
        tail = await self._tail_since(since_ns)
        self._restored_since_ns = since_ns
        if tail.foreign:
            _log.warning("scores_of_other_input", partition=self._number, scores=tail.foreign)
        offsets = {modality: start.offset for modality, start in self._starts.items()}
        resumption = tail.resumption(offsets)
        _log.info(
            "partition_restored", partition=self._number, furnaces=len(resumption.furnaces),
            offsets={part.topic: offsets[m] for m, part in self._parts.items()},
        )  # fmt: skip
        return resumption

    def knows(self, event_ns: int) -> bool:
        """Tell whether the scores read so far reach back to an event's first window."""
        return event_ns - self._shared.rules.retire_after_ns >= self._known_since_ns

    async def further_back(self, event_ns: int) -> Resumption | None:
        """Return what older scores say before a furnace begins with events that old.

        It may have windows from then: it was silent, was retired, and its gateway delivers late.
        Each look reaches at least twice as far as the one before, or strangers could cause many.
        """
        reach_ns = max(self._restored_since_ns - self._known_since_ns, _SHORTEST_LOOK_NS)
        wanted_ns = event_ns - self._shared.rules.retire_after_ns
        since_ns = min(wanted_ns, self._restored_since_ns - 2 * reach_ns)
        since_ns = max(since_ns, self._restored_since_ns - _FARTHEST_BACK_NS, 0)
        if since_ns >= self._known_since_ns:
            return None
        return (await self._tail_since(since_ns)).resumption({})

    async def _tail_since(self, since_ns: int) -> ScoresTail:
        scores_since = partial(self._scores_since, since_ns)
        tail = await self._shared.retry.until_done(scores_since, "restoring from scores")
        self._known_since_ns = since_ns
        return tail

    async def _scores_since(self, since_ns: int) -> ScoresTail:
        """Return what every score of the tail says: earlier lives had other sources."""
        latest_ns = self._shared.clock.now_ns() + _FARTHEST_AHEAD_NS
        ends = {modality: start.end for modality, start in self._starts.items()}
        tail = ScoresTail(self._shared.context.topics.inputs, ends, latest_ns, self._is_void)
        if self._gaps:
            # What was passed over may reach farther back than any window does.
            async for score in self._shared.history.newest(self._number):
                tail.add_score(score)
        async for score in self._shared.history.since(self._number, since_ns):
            tail.add_score(score)
        return tail

    def _is_void(self, modality: Modality, score: WindowScore) -> bool:
        """Tell whether a score's cut is of a topic that was there before this one."""
        topic, start = self._parts[modality].topic, self._starts[modality]
        topic_id = score.topic_ids.get(topic)
        if topic_id is not None and start.topic_id is not None:
            return topic_id != start.topic_id
        gap = self._gaps.get(topic)
        return gap is not None and gap.cause is GapCause.REPLACED

    def _tell(self, part: TopicPartition, start: Start) -> None:
        """Say what is not as it should be at the start of a topic."""
        if start.void is not None:
            _log.error(
                "committed_offset_void", **part._asdict(), committed=start.void, end=start.end,
                start=start.offset,
            )  # fmt: skip
        gap = self._gaps.get(part.topic)
        if gap is None:
            return
        if gap.cause is not GapCause.REPLACED:
            self._tell_gap(part, gap, start.offset)
        elif self._shared.input_topics.is_news(part.topic, start.topic_id):
            self._shared.metrics.topics_replaced.labels(part.topic).inc()
            _log.error("topic_replaced", topic=part.topic, id=start.topic_id, end=start.end)

    def _tell_gap(self, part: TopicPartition, gap: HistoryGap, start: int) -> None:
        lost = gap.records or 0
        self._shared.metrics.records_passed_over.labels(part.topic, gap.cause).inc(lost)
        _log.error("history_gap_found", **part._asdict(), cause=gap.cause, lost=lost, start=start)
