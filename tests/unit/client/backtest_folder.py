"""A folder as ``meltwatch backtest`` writes it, of a past in memory."""

import math
from pathlib import Path

import numpy as np
from meltwatch_backtester.adapters.result_folder import ALARMS, ResultFolder
from meltwatch_backtester.domain.outcome import ReplayOutcome
from meltwatch_backtester.domain.question import Cuts, PlantFacts, Question
from meltwatch_backtester.domain.span import Span
from meltwatch_backtester.domain.thresholds import parse_thresholds
from meltwatch_backtester.pipeline.run_document import parameters_of, run_document
from meltwatch_core.join.window import AlignedWindow
from meltwatch_core.scoring.ports import Verdict
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC

from tests.support.input_records import ORIGIN_NS
from tests.unit.backtester.pipeline.past import PREFIX, Past, replay
from tests.unit.core.scoring.fakes import IDENTITY, FakeScorer

SPAN = Span(ORIGIN_NS + 31 * NS_PER_S, ORIGIN_NS + 160 * NS_PER_S)


class Restless(FakeScorer):
    """Scores that cross any threshold again and again, for a moment or for long."""

    async def score_window(self, window: AlignedWindow) -> Verdict:
        await super().score_window(window)
        number = window.window_end_ns // PUBLISHED_SPEC.hop_ns
        logit = 3 * math.sin(number / 4) + 3 * math.sin(number * 1.7)
        return Verdict(logit, (logit - 1, logit + 1), 1.0, np.full((64, 64), 0.5, np.float32))


async def write_backtest(
    folder: Path, past: Past, thresholds: tuple[str, ...] = (), span: Span = SPAN
) -> ReplayOutcome:
    """Run a backtest of a past and write its folder."""
    tried = parse_thresholds(list(thresholds))
    with ResultFolder(folder) as results:
        outcome, _ = await replay(
            past, span=span, thresholds=tried, scorer=Restless(), results=results
        )
        results.alarms(ALARMS, outcome.alarms)
        question = Question(span=span, furnaces=(), cuts=Cuts.RECORDED, thresholds=tried)
        plant = PlantFacts(points={}, sync_offsets_s={})
        parameters = parameters_of(question, PREFIX, IDENTITY, plant)
        results.finish(run_document(parameters, "0123456789abcdef", outcome), {})
    return outcome
