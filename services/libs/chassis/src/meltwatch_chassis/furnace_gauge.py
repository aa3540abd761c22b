"""Gauges with one value per furnace."""

from collections.abc import Mapping

from prometheus_client import Gauge


class FurnaceGauge:
    """Shows the present furnaces. One that is gone has no value any more.

    Parameters
    ----------
    gauge
        With the furnace as its first label; a further one makes a key of both.
    """

    def __init__(self, gauge: Gauge) -> None:
        self._gauge = gauge
        self._shown: frozenset[tuple[str, ...]] = frozenset()

    def show(self, values: Mapping[str, float] | Mapping[tuple[str, ...], float]) -> None:
        """Set the value of each furnace and remove all others."""
        shown = {(key,) if isinstance(key, str) else key: value for key, value in values.items()}
        for labels, value in shown.items():
            self._gauge.labels(*labels).set(value)
        for labels in self._shown - shown.keys():
            self._gauge.remove(*labels)
        self._shown = frozenset(shown)
