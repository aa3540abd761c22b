"""Where reading of a partition starts, and which records before it were never read."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from meltwatch_schemas.score import WindowScore
from meltwatch_schemas.score_topics import GapCause, HistoryGap

from meltwatch_stream_processor.pipeline.kafka_answers import offsets_of
from meltwatch_stream_processor.pipeline.retry import Retry
from meltwatch_stream_processor.ports import Committed, InputRange, Inputs, TopicPartition


@dataclass(frozen=True, slots=True)
class Start:
    """Where reading of a partition starts.

    Attributes
    ----------
    offset
        The committed offset, or the oldest one where retention has overtaken it or it is void.
    end
        Where the partition ends now.
    topic_id
        Of the topic as it is now; None where the broker gives none.
    committed
        What the group has committed, or None.
    """

    offset: int
    end: int
    topic_id: str | None = None
    committed: Committed | None = None

    @property
    def is_replaced(self) -> bool:
        """Whether what is committed is of a topic that was there before this one."""
        noted = self.committed.topic_id if self.committed else None
        return None not in (noted, self.topic_id) and noted != self.topic_id

    @property
    def void(self) -> int | None:
        """The committed offset where it means nothing: of another topic, or behind the end."""
        commit = self.committed
        if commit is None or not (self.is_replaced or commit.offset > self.end):
            return None
        return commit.offset

    @property
    def is_plain(self) -> bool:
        """Whether reading goes on where a stream processor has committed."""
        commit = self.committed
        return commit is not None and commit.is_ours and commit.offset == self.offset

    def is_of_another(self, topic_id: str | None, offset: int) -> bool:
        """Tell whether a record that was read once was one of another topic of this name.

        Parameters
        ----------
        topic_id
            As noted with it, or None.
        offset
            Where it stood.
        """
        if topic_id is None or self.topic_id is None:
            return offset >= self.end
        return topic_id != self.topic_id


class LastCuts:
    """How far the input was read, by the newest scores of a partition.

    Parameters
    ----------
    starts
        Per input topic.
    """

    def __init__(self, starts: Mapping[str, Start]) -> None:
        self._starts = starts
        self._read: dict[str, int] = {}
        self._others: set[str] = set()
        # By what a version wrote that marks its commits, too.
        self._marked: set[str] = set()

    def take(self, score: WindowScore) -> None:
        """Take a score, in any order."""
        for topic, start in self._starts.items():
            cut = score.inputs.get(topic)
            if cut is None or cut.last_handed_on is None:
                continue
            topic_id = score.topic_ids.get(topic)
            if start.is_of_another(topic_id, cut.last_handed_on):
                self._others.add(topic)
            else:
                if topic_id is not None or start.topic_id is None:
                    self._marked.add(topic)
                self._read[topic] = max(cut.last_handed_on + 1, self._read.get(topic, 0))

    def gaps(self) -> dict[str, HistoryGap]:
        """Return per input topic what was never read, where something was not."""
        found = {topic: self._gap(topic, start) for topic, start in self._starts.items()}
        return {topic: gap for topic, gap in found.items() if gap is not None}

    def _gap(self, topic: str, start: Start) -> HistoryGap | None:
        read, commit = self._read.get(topic), start.committed
        if read is None and (start.is_replaced or topic in self._others):
            return HistoryGap(GapCause.REPLACED, None)
        is_kept = commit is not None and start.void is None
        if commit is not None and is_kept and commit.is_ours:
            read = max(commit.offset, read or 0)
        if read is None or start.offset <= read:
            return None
        if commit is None or not is_kept or commit.offset < start.offset:
            return HistoryGap(GapCause.RETENTION, start.offset - read)
        # A commit of an older version looks as if somebody had moved it.
        is_moved = topic in self._marked
        return HistoryGap(GapCause.MOVED, start.offset - read) if is_moved else None


async def start_offsets(
    inputs: Inputs,
    input_range: InputRange,
    topic_ids: Mapping[str, str | None],
    partitions: Sequence[TopicPartition],
    retry: Retry,
) -> dict[TopicPartition, Start]:
    """Ask Kafka, until it answers, where reading starts."""
    committed = await retry.until_done(
        partial(inputs.committed, partitions), "asking for committed offsets"
    )
    asked = [
        (input_range.beginning_offsets, "beginning offsets"),
        # Asked last, so that every committed offset lies before it.
        (input_range.end_offsets, "end offsets"),
    ]
    oldest, ends = [
        await retry.until_done(partial(offsets_of, ask, partitions), what) for ask, what in asked
    ]
    return {
        part: start_of(committed.get(part), range(oldest[part], ends[part]), topic_ids[part.topic])
        for part in partitions
    }


def start_of(commit: Committed | None, there: range, topic_id: str | None) -> Start:
    """Return where to start, given what is committed and which offsets are there."""
    start = Start(there.start, there.stop, topic_id, commit)
    if commit is None or start.void is not None:
        return start
    return Start(max(commit.offset, there.start), there.stop, topic_id, commit)


async def gaps_before(
    starts: Mapping[str, Start], newest: AsyncIterator[WindowScore]
) -> dict[str, HistoryGap]:
    """Return per input topic what was passed over before reading starts.

    Parameters
    ----------
    starts
        Per input topic.
    newest
        The newest scores; not looked at while reading just goes on.
    """
    if all(start.is_plain for start in starts.values()):
        return {}
    cuts = LastCuts(starts)
    async for score in newest:
        cuts.take(score)
    return cuts.gaps()
