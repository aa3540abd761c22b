"""From a window and its judgement to the score that is published."""

import math
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np
from meltwatch_schemas.novelty import Novelty
from meltwatch_schemas.reasons import Reason
from meltwatch_schemas.score import ModelIdentity, ScoreStatus, ScoreTimes, WindowScore
from meltwatch_schemas.score_topics import HistoryGap
from meltwatch_schemas.window import NS_PER_S
from numpy.typing import NDArray

from meltwatch_core.join.topics import TopicNames
from meltwatch_core.join.window import AlignedWindow
from meltwatch_core.scoring.judge import Judgement
from meltwatch_core.scoring.lag import SCORING_LAG
from meltwatch_core.scoring.ports import Verdict

_LEVELS: Final = 255
# exp() of a float64 overflows beyond it; the logistic is 0 or 1 long before.
_LARGEST_EXPONENT: Final = 700.0


@dataclass(frozen=True, slots=True)
class ScoreContext:
    """What all scores of a process have in common.

    Attributes
    ----------
    topics
        Names under which the cuts stand.
    model
        Which ensemble answers.
    spec_id
        Of the window rule's geometry.
    map_from
        Probability from which the anomaly map is published.
    registered
        Furnaces that the plant file knows.
    lag_s
        A score published longer than this after its window closed says so.
    """

    topics: TopicNames
    model: ModelIdentity
    spec_id: str
    map_from: float
    registered: AbstractSet[str]
    lag_s: float = 10.0


class Beside(NamedTuple):
    """What is known beside a window and its judgement.

    Attributes
    ----------
    words
        Of the furnace's clocks and its portrait, in words.
    topic_ids, gaps, novelty
        As in the score.
    """

    words: tuple[Reason, ...] = ()
    topic_ids: Mapping[str, str] = MappingProxyType({})
    gaps: Mapping[str, HistoryGap] = MappingProxyType({})
    novelty: Novelty | None = None


_NOTHING: Final = Beside()


def logistic(logit: float) -> float:
    """Return the probability of a logit."""
    return 1.0 / (1.0 + math.exp(min(-logit, _LARGEST_EXPONENT)))


def make_score(
    window: AlignedWindow,
    judgement: Judgement,
    context: ScoreContext,
    joined_ns: int,
    published_ns: int,
    beside: Beside = _NOTHING,
) -> WindowScore:
    """Return the score of a window.

    Parameters
    ----------
    window, judgement
        What was joined, and what became of its scoring.
    context
        What all scores have in common.
    joined_ns, published_ns
        Wall clock when the window closed and now.
    beside
        What else is known.
    """
    verdict = judgement.verdict
    status = window.attainable_status if verdict else ScoreStatus.UNSCORED
    probability = logistic(verdict.logit) if verdict else None
    scoring: tuple[Reason, ...] = () if judgement.reason is None else (judgement.reason,)
    if published_ns - joined_ns > context.lag_s * NS_PER_S:
        scoring = (*scoring, SCORING_LAG)
    return WindowScore(
        furnace_id=window.furnace_id,
        window_end_ns=window.window_end_ns,
        window_id=window.window_id,
        spec_id=context.spec_id,
        status=status,
        modalities=window.modalities,
        video_coverage=window.video_coverage,
        current_coverage=window.current_coverage,
        logit=verdict.logit if verdict else None,
        probability=probability,
        member_logits=verdict.member_logits if verdict else None,
        disagreement=verdict.disagreement if verdict else None,
        anomaly_map=_map(verdict, probability, context.map_from),
        features=window.features,
        model=context.model,
        encoder_id=window.encoder_id,
        sources=window.sources,
        reasons=(*window.reasons, *scoring, *beside.words),
        times=ScoreTimes(
            last_event_ns=window.last_event_ns,
            last_ingest_ns=window.last_ingest_ns,
            joined_ns=joined_ns,
            scored_ns=judgement.scored_ns,
            published_ns=published_ns,
        ),
        inputs={context.topics.inputs[modality]: cut for modality, cut in window.cuts.items()},
        source_states=window.source_states,
        unregistered=window.furnace_id not in context.registered,
        frames=window.frames,
        topic_ids=beside.topic_ids,
        gaps=beside.gaps,
        novelty=beside.novelty,
    )


def _map(
    verdict: Verdict | None, probability: float | None, map_from: float
) -> NDArray[np.uint8] | None:
    if verdict is None or probability is None or probability < map_from:
        return None
    greys = np.rint(np.clip(verdict.anomaly_map, 0.0, 1.0) * _LEVELS)
    return greys.astype(np.uint8)
