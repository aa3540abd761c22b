"""Reads counters from a service's ``/metrics``."""

import http.client
from dataclasses import dataclass, field
from typing import Final

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

_TIMEOUT_S: Final = 0.5
_MAX_BYTES: Final = 16 * 1024 * 1024
"""A thousand furnaces with every irregularity of both modalities."""
_IRREGULARITIES: Final = "meltwatch_furnace_irregularities_total"
COUNTERS: Final = {
    "skipped": ("meltwatch_windows_total", {"status": "skipped"}),
    "duplicates": ("meltwatch_duplicates_total", {}),
}
"""What is read: name, metric, labels that must agree; series that differ elsewhere are added."""


@dataclass(frozen=True)
class Readings:
    """What the stream processor has counted since it started.

    Attributes
    ----------
    counters
        Value by name of ``COUNTERS``, 0 where it shows none.
    irregularities
        By furnace and kind, both modalities together.
    """

    counters: dict[str, float] = field(default_factory=lambda: dict.fromkeys(COUNTERS, 0.0))
    irregularities: dict[tuple[str, str], float] = field(default_factory=dict)


def read_counters(address: str) -> Readings | None:
    """Ask the stream processor for its counters.

    Parameters
    ----------
    address
        Of its health server, ``host:port``.

    Returns
    -------
    None when it does not answer.
    """
    connection = http.client.HTTPConnection(address, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", "/metrics")
        text = connection.getresponse().read(_MAX_BYTES).decode()
        return readings_of(text)
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()


def readings_of(text: str) -> Readings:
    """Return what a text in Prometheus' format shows.

    Raises
    ------
    ValueError
        If it is not that format.
    """
    found = Readings()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            _add(found, sample)
    return found


def _add(found: Readings, sample: Sample) -> None:
    for name, (metric, labels) in COUNTERS.items():
        if sample.name == metric and labels.items() <= sample.labels.items():
            found.counters[name] += sample.value
    if sample.name == _IRREGULARITIES:
        key = sample.labels["furnace"], sample.labels["kind"]
        found.irregularities[key] = found.irregularities.get(key, 0.0) + sample.value
