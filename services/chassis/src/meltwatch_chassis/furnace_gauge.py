"""Gauges with one value per furnace."""

from collections.abc import Mapping

from prometheus_client import Gauge


class FurnaceGauge:
    """Shows the furnaces that there are; one that is gone leaves no last value behind.

    Parameters
    ----------
    gauge
        With the furnace as its only label.
    """

    def __init__(self, gauge: Gauge) -> None:
        self._gauge = gauge
        self._shown: frozenset[str] = frozenset()

    def show(self, values: Mapping[str, float]) -> None:
        """Set the value of each furnace and remove all others."""
        for furnace_id, value in values.items():
            self._gauge.labels(furnace_id).set(value)
        for furnace_id in self._shown - values.keys():
            self._gauge.remove(furnace_id)
        self._shown = frozenset(values)
