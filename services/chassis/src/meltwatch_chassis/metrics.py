"""Every metric of the product, listed once with its meaning."""

from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SCORING_BUCKETS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)
_LATENCY_BUCKETS = (0.1, 0.2, 0.5, 1, 1.5, 2, 3, 5, 8, 15, 30, 60, 120)
_LOGIT_BUCKETS = (0.1, 0.2, 0.5, 1, 2, 4, 8)


class Metrics:
    """The metrics of one process.

    Attributes
    ----------
    registry
        Where they are registered; one per process, a fresh one per test.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        counter = partial(Counter, registry=self.registry)
        gauge = partial(Gauge, registry=self.registry)
        histogram = partial(Histogram, registry=self.registry)
        self.records = counter("meltwatch_records", "Records.", ["service", "topic", "outcome"])
        self.records_missed = counter("meltwatch_records_missed", "Passed over.", ["topic"])
        self.late = counter("meltwatch_late", "Late records.", ["modality"])
        self.duplicates = counter("meltwatch_duplicates", "Events known already.", ["modality"])
        self.dead_letters = counter("meltwatch_dead_letters", "Records set aside.", ["error"])
        self.irregularities = counter(
            "meltwatch_furnace_irregularities",
            "Late, duplicate or refused input, and windows of bad quality.",
            ["furnace", "modality", "kind"],
        )
        self.sync_skew = gauge("meltwatch_sync_skew_seconds", "Video minus current.", ["furnace"])
        self.windows = counter("meltwatch_windows", "Windows by status.", ["status"])
        self.watermark_lag = gauge(
            "meltwatch_watermark_lag_seconds", "Wall clock minus watermark.", ["furnace"]
        )
        self.buffer_bytes = gauge("meltwatch_buffer_bytes", "Bytes held in memory.", ["service"])
        self.scoring_seconds = histogram(
            "meltwatch_scoring_seconds", "Duration of successful calls.", buckets=_SCORING_BUCKETS
        )
        self.scoring_failures = counter(
            "meltwatch_scoring_failures", "Calls that failed.", ["endpoint", "code"]
        )
        self.scoring_endpoint_up = gauge(
            "meltwatch_scoring_endpoint_up", "1 while an endpoint is asked, else 0.", ["endpoint"]
        )
        self.event_to_score = histogram(
            "meltwatch_event_to_score_seconds",
            "From window end to published score.",
            buckets=_LATENCY_BUCKETS,
        )
        self.event_to_alarm = histogram(
            "meltwatch_event_to_alarm_seconds",
            "From raise time to published alarm.",
            buckets=_LATENCY_BUCKETS,
        )
        self.inflight_windows = gauge("meltwatch_inflight_windows", "Closed, not yet published.")
        self.annunciations = counter(
            "meltwatch_alarm_annunciations", "Entries into UNACK.", ["priority"]
        )
        self._add_plant()
        self.member_disagreement = histogram(
            "meltwatch_member_disagreement", "Spread of member logits.", buckets=_LOGIT_BUCKETS
        )

    def _add_plant(self) -> None:
        gauge = partial(Gauge, registry=self.registry)
        self.alarms_active = gauge(
            "meltwatch_alarms_active", "Alarms by priority and state.", ["priority", "state"]
        )
        self.furnaces_watched = gauge("meltwatch_furnaces_watched", "Furnaces to be judged.")
        self.furnaces_blind = gauge("meltwatch_furnaces_blind", "Of these, without a verdict.")
        self.verdict_age = gauge(
            "meltwatch_verdict_age_seconds", "Age of a furnace's last verdict.", ["furnace"]
        )
