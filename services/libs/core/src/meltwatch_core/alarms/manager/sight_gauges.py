"""How much of the plant is seen, for alerts."""

from meltwatch_chassis.furnace_gauge import FurnaceGauge
from meltwatch_chassis.metrics import Metrics

from meltwatch_core.alarms.watch import Sighted


class SightGauges:
    """Shows what is watched; a furnace that is not any more leaves no last value behind.

    Parameters
    ----------
    metrics
        Where to show it.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._ages = FurnaceGauge(metrics.verdict_age)

    def show(self, sighted: Sighted | None) -> None:
        """Show it; None while nothing is known changes nothing."""
        if sighted is None:
            return
        self._metrics.furnaces_watched.set(sighted.watched)
        self._metrics.furnaces_blind.set(sighted.blind)
        self._ages.show(sighted.ages_s)
