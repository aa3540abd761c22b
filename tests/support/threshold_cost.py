"""``python -m tests.support.threshold_cost``: what a hundred thresholds cost over stored scores.

A day of one furnace, its scores simulated, written as a backtest writes them.
"""

import asyncio
import logging
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import meltwatch
import numpy as np
import structlog
from meltwatch_backtester.adapters.result_folder import ALARMS, ResultFolder
from meltwatch_backtester.domain.question import Cuts, PlantFacts, Question
from meltwatch_backtester.domain.span import Span
from meltwatch_backtester.domain.thresholds import parse_thresholds
from meltwatch_backtester.pipeline.run_document import parameters_of, run_document
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC

from tests.bench.machine import moment, setting
from tests.support.builders import window_score
from tests.support.input_records import ORIGIN_NS, live
from tests.unit.backtester.pipeline.past import PREFIX, Past, replay
from tests.unit.client.backtest_folder import SPAN
from tests.unit.core.scoring.fakes import ENCODER, IDENTITY, FakeScorer

FURNACE: Final = "hall/FMF-01"
DAY_NS: Final = 86_400 * NS_PER_S
TRIED: Final = 100
EVENTS: Final = 24


def simulated_logits(count: int) -> np.ndarray:
    """Return a calm score with noise, and two dozen events of half a minute to ten minutes."""
    dice = np.random.default_rng(7)
    logits = -3 + np.convolve(dice.normal(size=count), np.ones(4) / 2, "same")
    hop_s = PUBLISHED_SPEC.hop_ns / NS_PER_S
    for start in dice.integers(0, count, EVENTS):
        logits[start : start + int(dice.uniform(30, 600) / hop_s)] += dice.uniform(3, 12)
    return logits


def spent() -> np.ndarray:
    """Return seconds by the clock, and of this process on a processor."""
    return np.array([time.monotonic(), time.process_time()]).round(2)


async def write_day(folder: Path) -> int:
    """Write the backtest of a day; return its windows."""
    span = Span(ORIGIN_NS, ORIGIN_NS + DAY_NS)
    past = await Past.of(live((FURNACE,), 180, encoder=ENCODER))
    thresholds = parse_thresholds([])
    outcome, _ = await replay(past, span=SPAN, thresholds=thresholds, scorer=FakeScorer())
    ends = range(PUBLISHED_SPEC.first_end_after(FURNACE, span.from_ns), span.to_ns,
                 PUBLISHED_SPEC.hop_ns)  # fmt: skip
    with ResultFolder(folder) as results:
        for end_ns, logit in zip(ends, simulated_logits(len(ends)).tolist(), strict=True):
            results.window(window_score(end_ns, FURNACE, logit), None, None, is_late=False)
        results.alarms(ALARMS, [])
        question = Question(span=span, furnaces=(), cuts=Cuts.RECORDED, thresholds=thresholds)
        plant = PlantFacts(points={}, sync_offsets_s={})
        parameters = parameters_of(question, PREFIX, IDENTITY, plant)
        results.finish(run_document(parameters, "0123456789abcdef", outcome), {})
    return len(ends)


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory(prefix="meltwatch-day-") as parent:
        folder = Path(parent) / "day"
        windows = asyncio.run(write_day(folder))
        began = spent()
        backtest = meltwatch.open_backtest(folder)
        backtest.try_threshold(2.0, 0.0)
        read, began = spent() - began, spent()
        raises = [
            backtest.try_threshold(float(on), float(on) - 2).raises
            for on in np.linspace(-2, 10, TRIED)
        ]
        tried = spent() - began
    print(f"{moment()}; {setting()['processor']}")
    print(f"a day of one furnace, simulated: {windows} windows")
    print(f"seconds by the clock, and of processor: reading {read}, {TRIED} thresholds {tried}")
    print(f"they raise from {max(raises)} to {min(raises)} times")


if __name__ == "__main__":
    sys.exit(main())
