"""What the metrics of a service say, in the words of the System page."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

MOST_VALUES: Final = 2_000
"""Of one figure, by label; further ones are left out."""
_BUCKET: Final = "meltwatch_event_to_score_seconds_bucket"
_SKEW: Final = "meltwatch_sync_skew_seconds"
_SUMS: Final = {
    "records": ("meltwatch_records_total", "topic"),
    "late": ("meltwatch_late_total", "modality"),
    "dead_letters": ("meltwatch_dead_letters_total", "error"),
    "windows": ("meltwatch_windows_total", "status"),
    "endpoints": ("meltwatch_scoring_endpoint_up", "endpoint"),
    "dependencies": ("meltwatch_dependency_up", "dependency"),
    "waiting_bytes": ("meltwatch_spool_bytes", "furnace"),
    "leader": ("meltwatch_leader", ""),
    "view_age_s": ("meltwatch_view_age_seconds", ""),
    "memory_bytes": ("process_resident_memory_bytes", ""),
    "in_flight": ("meltwatch_inflight_windows", ""),
}
"""By figure: the metric, and the label by which it is told apart; the rest is summed."""
WANTED: Final = frozenset({name for name, _ in _SUMS.values()} | {_BUCKET, _SKEW})
"""Names of samples that are looked at."""


class MetricSample(NamedTuple):
    """One number of a service.

    Attributes
    ----------
    name, labels, value
        As in its text.
    """

    name: str
    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class ServiceFigures:
    """What a service counts.

    Attributes
    ----------
    sums
        By figure, then by label; without a label under the empty one.
    event_to_score_s
        Median and 95th percentile, None where nothing was scored.
    skew_s
        By furnace: video minus current.
    """

    sums: dict[str, dict[str, float]] = field(default_factory=dict)
    event_to_score_s: tuple[float, float] | None = None
    skew_s: dict[str, float] = field(default_factory=dict)


def figures_of(samples: Iterable[MetricSample]) -> ServiceFigures:
    """Return what samples say; values that are no numbers are left out."""
    found = ServiceFigures()
    buckets: dict[float, float] = {}
    by_metric = {metric: (figure, label) for figure, (metric, label) in _SUMS.items()}
    for name, labels, value in samples:
        if name == _BUCKET:
            limit = _number(labels.get("le", ""))
            buckets[limit] = buckets.get(limit, 0.0) + value
        elif not math.isfinite(value):
            continue
        elif name == _SKEW and len(found.skew_s) < MOST_VALUES:
            found.skew_s[labels.get("furnace", "")] = value
        elif name in by_metric:
            figure, label = by_metric[name]
            _add(found.sums.setdefault(figure, {}), labels.get(label, ""), value)
    quantiles = _quantile(buckets, 0.5), _quantile(buckets, 0.95)
    both = None if None in quantiles else quantiles
    return ServiceFigures(found.sums, both, found.skew_s)  # type: ignore[arg-type]


def rates(
    before: Mapping[str, float], after: Mapping[str, float], seconds: float
) -> dict[str, float]:
    """Return by how much each count has grown a second; a service that began anew has none."""
    if seconds <= 0 or any(after.get(key, 0.0) < value for key, value in before.items()):
        return {}
    return {key: (value - before.get(key, 0.0)) / seconds for key, value in after.items()}


def _add(sums: dict[str, float], key: str, value: float) -> None:
    if key in sums or len(sums) < MOST_VALUES:
        sums[key] = sums.get(key, 0.0) + value


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _quantile(buckets: Mapping[float, float], share: float) -> float | None:
    """Return a quantile as Prometheus does: straight within its bucket.

    Beyond the last limit it is that limit: more is not known.
    """
    limits = sorted(limit for limit in buckets if not math.isnan(limit))
    count = buckets[limits[-1]] if limits else 0.0
    if not count > 0:
        return None
    wanted, below, lower = share * count, 0.0, 0.0
    for limit in limits:
        if buckets[limit] >= wanted:
            within = buckets[limit] - below
            part = (wanted - below) / within if within > 0 else 1.0
            return lower if math.isinf(limit) else lower + (limit - lower) * part
        below, lower = buckets[limit], limit
    return None
