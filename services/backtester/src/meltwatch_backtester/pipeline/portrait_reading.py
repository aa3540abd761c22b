"""Reads what a portrait of one furnace is made of: its scores, its alarms, then its windows."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from meltwatch_chassis.errors import FatalError
from meltwatch_core.join.restore import ScoresTail
from meltwatch_core.join.window import AlignedWindow
from meltwatch_core.portraits.features import COLOURS, PLACES
from meltwatch_core.scoring.served_encoder import served_encoder
from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.encoder import Encoder
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.identifiers import alarm_id_of, split_alarm_id
from meltwatch_schemas.record import RawRecord, read_json
from meltwatch_schemas.score import WindowScore
from meltwatch_schemas.topics import Topic

from meltwatch_backtester.domain.portrait_windows import (
    ChosenWindows,
    Disturbance,
    disturbances,
)
from meltwatch_backtester.domain.portraying import PortraitWindows
from meltwatch_backtester.domain.tally import Tally
from meltwatch_backtester.errors import BadUsage
from meltwatch_backtester.pipeline.live_scores import scores_before
from meltwatch_backtester.pipeline.recorded_windows import recorded_windows
from meltwatch_backtester.pipeline.replayed import Source
from meltwatch_backtester.pipeline.scope import Scope
from meltwatch_backtester.ports import History, OffsetRange, Saved, TopicPart

_ALARMS: Final = TopicPart(Topic.ALARMS, 0)
_KEYED: Final = frozenset({Topic.EMBEDDINGS, Topic.CURRENTS, Topic.SCORES})


class HistoryOfOne:
    """A ``History`` in which one furnace is alone: what others sent is passed over unread.

    Parameters
    ----------
    history
        Of all furnaces.
    furnace_id
        Whose records are given.
    """

    def __init__(self, history: History, furnace_id: str) -> None:
        self._history = history
        self._key = furnace_id.encode()

    @property
    def prefix(self) -> str:
        """First part of every topic name."""
        return self._history.prefix

    @property
    def partitions(self) -> int:
        """Number of partitions of the inputs and the scores."""
        return self._history.partitions

    @property
    def saved(self) -> Saved | None:
        """What was saved of it; None for a history that is all that there is."""
        return self._history.saved

    def bounds(self, part: TopicPart) -> OffsetRange:
        """Return the offsets that there are, those of others among them."""
        return self._history.bounds(part)

    def start_at(self, part: TopicPart, time_ns: int) -> int:
        """Return the first offset whose record timestamp is not earlier."""
        return self._history.start_at(part, time_ns)

    def read(self, part: TopicPart, start: int, end: int) -> Iterator[RawRecord]:
        """Yield the furnace's records of inputs and scores, and all of other topics."""
        records = self._history.read(part, start, end)
        if part.topic not in _KEYED:
            return records
        return (record for record in records if record.key == self._key)


@dataclass(frozen=True, slots=True)
class AlarmsOfOne:
    """What the topic of alarms says of a furnace.

    Attributes
    ----------
    stood
        When its process alarms stood, or were missed.
    is_known
        The topic holds something, so that what it does not say was not.
    """

    stood: Sequence[Disturbance]
    is_known: bool


def alarms_of(history: History, furnace_id: str, now_ns: int) -> AlarmsOfOne:
    """Return when the process alarms of a furnace stood.

    Parameters
    ----------
    now_ns
        Until when an alarm has stood that is not over.
    """
    bounds = history.bounds(_ALARMS)
    records = history.read(_ALARMS, *bounds)
    return AlarmsOfOne(
        disturbances(_alarm_records(records, furnace_id), now_ns), bounds.start < bounds.end
    )


def _alarm_records(records: Iterator[RawRecord], furnace_id: str) -> Iterator[AlarmRecord]:
    for raw in records:
        # The topic is open to strangers: the manager passes over what is no record, too.
        with suppress(ContractViolation):
            if raw.value is not None and split_alarm_id(alarm_id_of(raw.key))[0] == furnace_id:
                yield read_json(raw, AlarmRecord)


def seen_windows(
    history: HistoryOfOne,
    scope: Scope,
    partition: int,
    chosen: ChosenWindows,
    on_offsets: Callable[[int], None],
) -> PortraitWindows:
    """Join the windows that were chosen, where live closed them, and keep what tells of each.

    Parameters
    ----------
    history, scope
        Where to read, and how far.
    partition
        That holds the furnace.
    chosen
        Which windows.
    on_offsets
        Told how many more offsets of the inputs were read.

    Raises
    ------
    BadUsage
        If the embeddings are of an encoder that is not known here.
    """
    source = Source(
        history=history,
        scope=scope,
        partition=partition,
        span=chosen.span,
        wanted=lambda _: True,
        encoder=_encoder(chosen),
        sync_offsets_s={},
        tally=Tally(),
    )
    seen, wanted, told = PortraitWindows(), frozenset(chosen.ends_ns), 0
    tail = ScoresTail(source.topics)
    for _, score in scores_before(source):
        tail.add_score(score)
    for replayed in recorded_windows(source, tail.resumption({}).furnaces):
        window, live = replayed.window, replayed.live
        is_wanted = window is not None and window.window_end_ns in wanted
        if window is not None and live is not None and is_wanted and _is_as_scored(window, live):
            seen.add_window(window)
        read = _offsets_read(source.tally)
        on_offsets(read - told)
        told = read
    return seen


def _encoder(chosen: ChosenWindows) -> Encoder:
    try:
        encoder = served_encoder(chosen.encoder_id or "")
    except (ContractViolation, FatalError) as error:
        raise BadUsage(f"scores: {error}") from error
    if encoder.dims < PLACES * COLOURS:
        raise BadUsage(
            f"expected embeddings of at least {PLACES * COLOURS} numbers a patch, "
            f"got the encoder {encoder.encoder_id}"
        )
    return encoder


def _is_as_scored(window: AlignedWindow, live: WindowScore) -> bool:
    """Tell whether history still gives a window as it was scored."""
    now = (window.modalities, window.video_coverage, window.current_coverage)
    return now == (live.modalities, live.video_coverage, live.current_coverage)


def _offsets_read(tally: Tally) -> int:
    return sum(end - start for parts in tally.ranges.values() for start, end in parts.values())
