"""Meltwatch for data scientists: a plant through its console, and backtests from their folders.

>>> import meltwatch
>>> plant = meltwatch.connect("http://127.0.0.1:28917")  # doctest: +SKIP
>>> plant.alarms().to_pandas()  # doctest: +SKIP
"""

from meltwatch.backtests import StoredBacktest, open_backtest
from meltwatch.errors import (
    AnswerError,
    BacktestError,
    MeltwatchError,
    MissingPackageError,
    RefusedError,
    UnreachableError,
)
from meltwatch.pictures import PictureSeries
from meltwatch.plant import PlantClient, connect
from meltwatch.stream import PlantChange
from meltwatch.table import ArrowTable
from meltwatch.trials import ThresholdOutcome

__all__ = [
    "AnswerError",
    "ArrowTable",
    "BacktestError",
    "MeltwatchError",
    "MissingPackageError",
    "PictureSeries",
    "PlantChange",
    "PlantClient",
    "RefusedError",
    "StoredBacktest",
    "ThresholdOutcome",
    "UnreachableError",
    "connect",
    "open_backtest",
]
