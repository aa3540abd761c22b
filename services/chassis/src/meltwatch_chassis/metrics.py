"""Every metric of the product, listed once with its meaning."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SCORING_BUCKETS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)
_LATENCY_BUCKETS = (0.1, 0.2, 0.5, 1, 1.5, 2, 3, 5, 8, 15, 30, 60, 120)


class Metrics:
    """The metrics of one process.

    Attributes
    ----------
    registry
        Where they are registered; one per process, a fresh one per test.
    """

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.records = Counter(
            "meltwatch_records", "Records by what became of them.",
            ["service", "topic", "outcome"], registry=registry,
        )  # fmt: skip
        self.late = Counter("meltwatch_late", "Late records.", ["modality"], registry=registry)
        self.duplicates = Counter(
            "meltwatch_duplicates", "Events of an instant already there.", ["modality"],
            registry=registry,
        )  # fmt: skip
        self.dead_letters = Counter(
            "meltwatch_dead_letters", "Records set aside.", ["error"], registry=registry
        )
        self.windows = Counter(
            "meltwatch_windows", "Windows by status.", ["status"], registry=registry
        )
        self.watermark_lag = Gauge(
            "meltwatch_watermark_lag_seconds", "Wall clock minus watermark.", ["furnace"],
            registry=registry,
        )  # fmt: skip
        self.buffer_bytes = Gauge(
            "meltwatch_buffer_bytes", "Bytes held for windows to come.", ["service"],
            registry=registry,
        )  # fmt: skip
        self.scoring_seconds = Histogram(
            "meltwatch_scoring_seconds", "Duration of scoring calls that succeeded.",
            buckets=_SCORING_BUCKETS, registry=registry,
        )  # fmt: skip
        self.event_to_score = Histogram(
            "meltwatch_event_to_score_seconds", "From window end to published score.",
            buckets=_LATENCY_BUCKETS, registry=registry,
        )  # fmt: skip
        self.event_to_alarm = Histogram(
            "meltwatch_event_to_alarm_seconds", "From raise time to published alarm.",
            buckets=_LATENCY_BUCKETS, registry=registry,
        )  # fmt: skip
        self.inflight_windows = Gauge(
            "meltwatch_inflight_windows", "Windows closed and not yet published.",
            registry=registry,
        )  # fmt: skip
        self.annunciations = Counter(
            "meltwatch_alarm_annunciations", "Entries into UNACK.", ["priority"], registry=registry
        )
        self.alarms_active = Gauge(
            "meltwatch_alarms_active", "Alarms by priority and state.", ["priority", "state"],
            registry=registry,
        )  # fmt: skip
        self.member_disagreement = Histogram(
            "meltwatch_member_disagreement", "Standard deviation of member logits.",
            buckets=(0.1, 0.2, 0.5, 1, 2, 4, 8), registry=registry,
        )  # fmt: skip
