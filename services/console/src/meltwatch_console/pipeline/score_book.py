"""What is known of the scores of every furnace, without asking Kafka again."""

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from meltwatch_schemas.picture import AnomalyMap
from meltwatch_schemas.score import Modality, WindowScore
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_MS

from meltwatch_console.domain.delta import ScoreDelta
from meltwatch_console.domain.flags import flags_of
from meltwatch_console.domain.ring import SeenWindow, TraceRow, WindowRing

RECENT: Final = 24
"""Windows whose frames are known without a look into Kafka, some half a minute."""
_MAPS: Final = 2_000
"""Of 4 KiB each."""


class FramePlace(NamedTuple):
    """Where a frame stands.

    Attributes
    ----------
    partition, offset
        Of the record in the topic of embeddings.
    event_ns
        Which frame of the record.
    window_end_ms
        The window that names it.
    """

    partition: int
    offset: int
    event_ns: int
    window_end_ms: int


@dataclass(slots=True)
class _Known:
    index: int
    ring: WindowRing = field(default_factory=WindowRing)
    recent: deque[WindowScore] = field(default_factory=lambda: deque(maxlen=RECENT))

    def note(self, score: WindowScore) -> None:
        """Keep a score that is newer than all; those before it lose a third, which nobody asks."""
        if self.recent:
            last = self.recent[-1]
            if score.window_end_ns <= last.window_end_ns:
                return
            self.recent[-1] = replace(last, source_states={}, topic_ids={})
        self.recent.append(score)


class ScoreBook:
    """The scores of all furnaces.

    Parameters
    ----------
    topic_prefix
        Under which the cuts of scores name topics.
    index_of
        Returns the number of a furnace, None for one too many.

    Attributes
    ----------
    delta
        What browsers are still to be told.
    """

    def __init__(self, topic_prefix: str, index_of: Callable[[str], int | None]) -> None:
        self._video_topic = Topic.EMBEDDINGS.under(topic_prefix)
        self._index_of = index_of
        self._furnaces: dict[str, _Known] = {}
        self._kept: dict[str, WindowRing] = {}
        self._maps: OrderedDict[tuple[str, int], AnomalyMap] = OrderedDict()
        self.delta = ScoreDelta()

    def take_scores(self, scores: Iterable[WindowScore]) -> None:
        """Take scores as they come, live ones and history; those of a replay say nothing."""
        by_furnace: dict[str, list[WindowScore]] = {}
        for score in scores:
            if score.run_id is None:
                by_furnace.setdefault(score.furnace_id, []).append(score)
        for furnace_id, own in by_furnace.items():
            known = self._known(furnace_id)
            if known is not None:
                self._take(known, own)

    def rings(self) -> list[tuple[str, WindowRing]]:
        """Return the ring of each furnace."""
        heard = {name: known.ring for name, known in self._furnaces.items()}
        return list((self._kept | heard).items())

    def put_ring(self, furnace_id: str, ring: WindowRing) -> None:
        """Take over a furnace's ring; it is no furnace of now before a score of it comes."""
        self._kept[furnace_id] = ring

    def newest(self, furnace_id: str) -> WindowScore | None:
        """Return the newest score of a furnace, whole."""
        known = self._furnaces.get(furnace_id)
        return known.recent[-1] if known is not None and known.recent else None

    def since_ms(self, furnace_id: str) -> int | None:
        """Return from when on the trace of a furnace is known."""
        ring = self._ring(furnace_id)
        return None if ring is None else ring.since_ms()

    def oldest_ms(self) -> int | None:
        """Return from when on the trace of any furnace is known."""
        found = (known.ring.since_ms() for known in self._furnaces.values())
        return min((each for each in found if each is not None), default=None)

    def trace(self, furnace_id: str, since_ms: int, until_ms: int, step_ms: int) -> list[TraceRow]:
        """Return the trace of a furnace: see ``WindowRing.rows``."""
        ring = self._ring(furnace_id)
        return [] if ring is None else ring.rows(since_ms, until_ms, step_ms)

    def recent_scores(
        self, furnace_id: str, since_ms: int, until_ms: int
    ) -> list[WindowScore] | None:
        """Return the scores with window ends in ``[since, until]``; None if some are not held."""
        known = self._furnaces.get(furnace_id)
        if known is None or not known.recent or _end_ms(known.recent[0]) > since_ms:
            return None
        return [each for each in known.recent if since_ms <= _end_ms(each) <= until_ms]

    def anomaly_map(self, furnace_id: str, window_end_ms: int) -> AnomalyMap | None:
        """Return the map of a window, if it is still held."""
        return self._maps.get((furnace_id, window_end_ms))

    def frames_of(self, score: WindowScore) -> list[FramePlace]:
        """Return where the newest frames of a window stand; none for scores of 1.0."""
        cut = score.inputs.get(self._video_topic)
        if cut is None:
            return []
        return [FramePlace(cut.partition, *frame, _end_ms(score)) for frame in score.frames]

    def _take(self, known: _Known, scores: Sequence[WindowScore]) -> None:
        known.ring.add_windows([_seen(score) for score in scores])
        for score in scores:
            known.note(score)
            self._keep_map(score)
            self.delta.note(known.index, score.logit, flags_of(score), _end_ms(score))

    def _known(self, furnace_id: str) -> _Known | None:
        known = self._furnaces.get(furnace_id)
        if known is None and (index := self._index_of(furnace_id)) is not None:
            ring = self._kept.pop(furnace_id, None) or WindowRing()
            known = self._furnaces[furnace_id] = _Known(index, ring)
        return known

    def _ring(self, furnace_id: str) -> WindowRing | None:
        known = self._furnaces.get(furnace_id)
        return self._kept.get(furnace_id) if known is None else known.ring

    def _keep_map(self, score: WindowScore) -> None:
        if score.anomaly_map is None:
            return
        self._maps[score.furnace_id, _end_ms(score)] = score.anomaly_map
        while len(self._maps) > _MAPS:
            self._maps.popitem(last=False)


def _end_ms(score: WindowScore) -> int:
    return score.window_end_ns // NS_PER_MS


def _seen(score: WindowScore) -> SeenWindow:
    return SeenWindow(
        _end_ms(score),
        score.logit,
        flags_of(score),
        score.video_coverage if Modality.VIDEO in score.modalities else 0.0,
        score.current_coverage if Modality.CURRENT in score.modalities else 0.0,
    )
