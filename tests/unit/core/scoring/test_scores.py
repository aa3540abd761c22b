import math

import numpy as np
import pytest
from meltwatch_core.join.window import AlignedWindow
from meltwatch_core.scoring.judge import Judgement
from meltwatch_core.scoring.ports import Verdict
from meltwatch_core.scoring.scores import ScoreContext, logistic, make_score
from meltwatch_schemas.score import (
    Cut,
    Features,
    Modality,
    ScoreStatus,
    Sources,
    SourceState,
)
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC

from tests.unit.core.scoring.fakes import IDENTITY, TOPICS

END_NS = 1_760_000_000_123_456_789
CONTEXT = ScoreContext(TOPICS, IDENTITY.model, PUBLISHED_SPEC.spec_id, 0.2, frozenset({"melt/a"}))
WINDOW = AlignedWindow(
    furnace_id="melt/a",
    window_end_ns=END_NS,
    window_id=PUBLISHED_SPEC.window_id("melt/a", END_NS),
    embeddings=np.zeros((10, 64, 3), np.float16),
    currents_a=None,
    video_coverage=0.9,
    current_coverage=0.1,
    encoder_id=IDENTITY.encoder_id,
    sources=Sources("camera", "meter"),
    last_event_ns=END_NS - 5,
    last_ingest_ns=END_NS + 7,
    features=Features(),
    reasons=("low_current_coverage",),
    cuts={Modality.VIDEO: Cut(3, 5, 9), Modality.CURRENT: Cut(3, None, None)},
    source_states={
        Modality.VIDEO: SourceState(
            proven=True,
            boot_id="0" * 16,
            seq=7,
            event_ns=END_NS - 5,
            ingest_ns=END_NS + 7,
            standing_since_ns=END_NS + 7,
            stepped_from_ns=None,
        )
    },
)


def verdict(logit: float) -> Verdict:
    ramp = np.linspace(0, 1, 64 * 64, dtype=np.float32).reshape(64, 64)
    return Verdict(logit, (logit, logit), 0.0, ramp)


def judged(logit: float) -> Judgement:
    return Judgement(verdict(logit), END_NS + 20)


@pytest.mark.parametrize("logit", [-1000.0, -3.0, 0.0, 3.0, 1000.0])
def test_probability_is_the_logistic_of_the_logit(logit: float) -> None:
    assert logistic(logit) == pytest.approx(0.5 * (1 + math.tanh(logit / 2)))


def test_a_score_says_what_it_rests_on() -> None:
    score = make_score(WINDOW, judged(1.0), CONTEXT, END_NS + 10, END_NS + 30)
    assert score.status is ScoreStatus.DEGRADED
    assert score.modalities == (Modality.VIDEO,)
    assert score.reasons == ("low_current_coverage",)
    assert score.source_states == WINDOW.source_states
    assert score.inputs == {
        Topic.EMBEDDINGS.under("meltwatch"): Cut(3, 5, 9),
        Topic.CURRENTS.under("meltwatch"): Cut(3, None, None),
    }
    times = score.times
    assert (times.joined_ns, times.scored_ns, times.published_ns) == (
        END_NS + 10,
        END_NS + 20,
        END_NS + 30,
    )


def test_a_failed_call_leaves_no_verdict_and_one_reason_more() -> None:
    score = make_score(WINDOW, Judgement(reason="model_unavailable"), CONTEXT, 1, 2)
    assert score.status is ScoreStatus.UNSCORED
    assert score.reasons == ("low_current_coverage", "model_unavailable")
    fields = (score.logit, score.probability, score.member_logits, score.disagreement)
    assert fields == (None, None, None, None)
    assert (score.anomaly_map, score.times.scored_ns) == (None, None)


@pytest.mark.parametrize(("waited_s", "said"), [(10, False), (10.001, True)])
def test_a_score_that_comes_late_says_so(waited_s: float, said: bool) -> None:
    score = make_score(WINDOW, judged(1.0), CONTEXT, 5, 5 + int(waited_s * NS_PER_S))
    assert ("scoring_lag" in score.reasons) is said


@pytest.mark.parametrize(("probability", "shown"), [(0.19, False), (0.21, True)])
def test_the_map_is_published_from_its_probability_on(probability: float, shown: bool) -> None:
    logit = math.log(probability / (1 - probability))
    score = make_score(WINDOW, judged(logit), CONTEXT, 1, 2)
    assert (score.anomaly_map is not None) is shown
    if score.anomaly_map is not None:
        assert (score.anomaly_map.min(), score.anomaly_map.max()) == (0, 255)
