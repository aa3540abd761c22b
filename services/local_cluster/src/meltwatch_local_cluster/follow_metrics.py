"""Reads counters from a service's ``/metrics``."""

import http.client
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

_TIMEOUT_S: Final = 0.5
_MAX_BYTES: Final = 4 * 1024 * 1024
COUNTERS: Final = {
    "skipped": ("meltwatch_windows_total", {"status": "skipped"}),
    "duplicates": ("meltwatch_duplicates_total", {}),
}
"""What is read: name, metric, labels that must agree; series that differ elsewhere are added."""


def read_counters(address: str) -> dict[str, float] | None:
    """Ask the stream processor for its counters.

    Parameters
    ----------
    address
        Of its health server, ``host:port``.

    Returns
    -------
    Value by name of ``COUNTERS``, 0 where it shows none; None when it does not answer.
    """
    connection = http.client.HTTPConnection(address, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", "/metrics")
        text = connection.getresponse().read(_MAX_BYTES).decode()
        return counters_of(text)
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()


def counters_of(text: str) -> dict[str, float]:
    """Return the values of ``COUNTERS`` in Prometheus' text format.

    Raises
    ------
    ValueError
        If it is not that format.
    """
    found = dict.fromkeys(COUNTERS, 0.0)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            for name, (metric, labels) in COUNTERS.items():
                if sample.name == metric and labels.items() <= sample.labels.items():
                    found[name] += sample.value
    return found
