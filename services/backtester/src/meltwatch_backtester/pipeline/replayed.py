"""One step of a replay before it is scored: a window, the live score of its number, or both."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from meltwatch_core.join.window import AlignedWindow
from meltwatch_schemas.encoder import Encoder
from meltwatch_schemas.reasons import BEHIND, UNTIMELY, Reason
from meltwatch_schemas.score import Modality, WindowScore
from meltwatch_schemas.topics import Topic

from meltwatch_backtester.domain.span import Span
from meltwatch_backtester.domain.tally import Tally
from meltwatch_backtester.pipeline.inputs import TOPIC_OF, InputReader
from meltwatch_backtester.pipeline.scope import Scope
from meltwatch_backtester.ports import History, TopicPart

_BESIDE: Final = UNTIMELY | {Reason.SYNC_SKEW, *BEHIND.values()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """One window number of one furnace.

    Attributes
    ----------
    window
        As the records give it, or None if they do not.
    live
        The score that live published, or None.
    offset
        Of the live score, where windows are replayed in the order of the scores.
    late
        Late records of the furnace since its last window.
    is_preceded
        Live owes the window number before.
    is_beyond
        Without a live score: live had not begun with the furnace, or has not come so far.
    words
        About the furnace's clocks, for the score's ``reasons``.
    """

    window: AlignedWindow | None
    live: WindowScore | None
    offset: int | None = None
    late: int = 0
    is_preceded: bool = False
    is_beyond: bool = False
    words: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One partition of history, and which part of it to replay.

    Attributes
    ----------
    history, scope, partition
        Where to read.
    span
        Window ends that are wanted.
    wanted
        Tells of a furnace whether it is.
    encoder
        Of the ensemble that will score the windows.
    sync_offsets_s
        Per furnace, by how much brightness follows the current while both clocks are right.
    tally
        Where to count.
    """

    history: History
    scope: Scope
    partition: int
    span: Span
    wanted: Callable[[str], bool]
    encoder: Encoder
    sync_offsets_s: Mapping[str, float]
    tally: Tally

    @property
    def topics(self) -> dict[Modality, str]:
        """Names of the input topics, as they stand in scores."""
        return {m: topic.under(self.history.prefix) for m, topic in TOPIC_OF.items()}

    def inputs(self) -> dict[Modality, InputReader]:
        """Begin to read both inputs."""
        return {
            modality: InputReader(
                self.history,
                modality,
                self.partition,
                self.scope[TopicPart(topic, self.partition)],
                self.tally,
            )
            for modality, topic in TOPIC_OF.items()
        }

    def is_wanted(self, score: WindowScore) -> bool:
        """Tell whether a score's window is to be replayed."""
        return score.window_end_ns in self.span and self.wanted(score.furnace_id)


def words_beside(score: WindowScore) -> tuple[Reason, ...]:
    """Return the reasons of a live score that no window tells: of arrivals."""
    return tuple(Reason(word) for word in score.reasons if word in _BESIDE)


def score_part(partition: int) -> TopicPart:
    """Return the part that holds a partition's scores."""
    return TopicPart(Topic.SCORES, partition)
