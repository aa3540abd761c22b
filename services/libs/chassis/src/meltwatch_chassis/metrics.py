"""Every metric of the product, listed once with its meaning."""

import platform
from functools import cache, partial
from importlib.metadata import version

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)

_SCORING_BUCKETS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)
_LATENCY_BUCKETS = (0.1, 0.2, 0.5, 1, 1.5, 2, 3, 5, 8, 15, 30, 60, 120)
_RESPONSE_BUCKETS = (5, 10, 30, 60, 120, 180, 300, 600, 1800, 3600)
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
        self._of_the_process()
        self._of_records()
        self._of_spools()
        self._of_windows()
        self._of_scoring()
        self._of_alarms()
        self._of_notifications()
        self._of_opc_ua()
        self._of_the_console()
        self._of_the_plant()
        self._of_sources()

    def _of_the_process(self) -> None:
        gauge = partial(Gauge, registry=self.registry)
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        build_info = gauge("meltwatch_build_info", "What runs here.", ["version", "python"])
        build_info.labels(_version(), platform.python_version()).set(1)
        self.dependency_up = gauge(
            "meltwatch_dependency_up", "1 while a dependency answers, else 0.", ["dependency"]
        )
        self.leader = gauge("meltwatch_leader", "1 in the alarm manager that leads, else 0.")
        self.view_age = gauge(
            "meltwatch_view_age_seconds", "Since the view in Redis last had all that was read."
        )
        self.commit_age = gauge(
            "meltwatch_commit_age_seconds",
            "Since there is something to commit, or the last commit.",
            ["service"],
        )
        self.buffer_bytes = gauge("meltwatch_buffer_bytes", "Bytes held in memory.", ["service"])

    def _of_records(self) -> None:
        counter = partial(Counter, registry=self.registry)
        self.records = counter("meltwatch_records", "Records.", ["service", "topic", "outcome"])
        self.furnaces_refused = counter(
            "meltwatch_furnaces_refused", "Records of furnaces that may not begin.", ["reason"]
        )
        self.records_missed = counter("meltwatch_records_missed", "Passed over.", ["topic"])
        self.records_passed_over = counter(
            "meltwatch_records_passed_over", "Never read by anybody.", ["topic", "cause"]
        )
        self.topics_replaced = counter("meltwatch_topics_replaced", "Made again.", ["topic"])
        self.late = counter("meltwatch_late", "Late records.", ["modality"])
        self.duplicates = counter("meltwatch_duplicates", "Events known already.", ["modality"])
        self.dead_letters = counter("meltwatch_dead_letters", "Records set aside.", ["error"])
        self.portraits_refused = counter("meltwatch_portraits_refused", "No portraits.", ["reason"])
        self.foreign_records = counter(
            "meltwatch_foreign_records",
            "Written by somebody else where the alarm manager alone may.",
            ["topic"],
        )
        self.irregularities = counter(
            "meltwatch_furnace_irregularities",
            "Late, duplicate or refused input, and windows of bad quality.",
            ["furnace", "modality", "kind"],
        )

    def _of_spools(self) -> None:
        gauge = partial(Gauge, registry=self.registry)
        self.spool_bytes = gauge(
            "meltwatch_spool_bytes", "Bytes that wait on disk for Kafka.", ["furnace"]
        )
        self.spool_oldest = gauge(
            "meltwatch_spool_oldest_seconds", "Age of the oldest record that waits on disk."
        )
        self.spool_dropped = Counter(
            "meltwatch_spool_dropped", "Records that had no room.", registry=self.registry
        )

    def _of_windows(self) -> None:
        gauge = partial(Gauge, registry=self.registry)
        self.sync_skew = gauge("meltwatch_sync_skew_seconds", "Video minus current.", ["furnace"])
        self.modality_behind = gauge(
            "meltwatch_modality_behind_seconds",
            "Newest event of the other modality minus newest event, 0 at least.",
            ["furnace", "modality"],
        )
        self.windows = Counter(
            "meltwatch_windows", "Windows by status.", ["status"], registry=self.registry
        )
        self.watermark_lag = gauge(
            "meltwatch_watermark_lag_seconds",
            "Wall clock minus watermark, 0 at least.",
            ["furnace"],
        )
        self.inflight_windows = gauge("meltwatch_inflight_windows", "Closed, not yet published.")
        self.portraits = gauge("meltwatch_portraits", "Furnaces whose portrait is known.")
        self.event_to_score = Histogram(
            "meltwatch_event_to_score_seconds",
            "From window end to published score, live windows alone.",
            buckets=_LATENCY_BUCKETS,
            registry=self.registry,
        )

    def _of_scoring(self) -> None:
        histogram = partial(Histogram, registry=self.registry)
        self.scoring_seconds = histogram(
            "meltwatch_scoring_seconds", "Duration of successful calls.", buckets=_SCORING_BUCKETS
        )
        self.scoring_failures = Counter(
            "meltwatch_scoring_failures", "Calls that failed.", ["endpoint", "code"],
            registry=self.registry,
        )  # fmt: skip
        self.scoring_endpoint_up = Gauge(
            "meltwatch_scoring_endpoint_up", "1 while an endpoint is asked, else 0.", ["endpoint"],
            registry=self.registry,
        )  # fmt: skip
        self.ensemble = Gauge(
            "meltwatch_ensemble_info", "Which ensemble scores here.", ["name", "version", "digest"],
            registry=self.registry,
        )  # fmt: skip
        self.member_disagreement = histogram(
            "meltwatch_member_disagreement", "Spread of member logits.", buckets=_LOGIT_BUCKETS
        )

    def _of_alarms(self) -> None:
        counter = partial(Counter, registry=self.registry)
        self.annunciations = counter(
            "meltwatch_alarm_annunciations", "Alarms announced.", ["priority"]
        )
        self.chattering = counter(
            "meltwatch_alarm_chattering", "Raises, the third or later within 60 s.", ["priority"]
        )
        self.fleeting = counter(
            "meltwatch_alarm_fleeting", "Gone within 10 s, unacknowledged.", ["priority"]
        )
        self.response = Histogram(
            "meltwatch_alarm_response_seconds", "From annunciation to acknowledgement.",
            ["priority"], buckets=_RESPONSE_BUCKETS, registry=self.registry,
        )  # fmt: skip
        self.announced_lately = Gauge(
            "meltwatch_alarm_annunciations_10_minutes", "Within the last 10 minutes.",
            registry=self.registry,
        )  # fmt: skip
        self.alarms_stale = Gauge(
            "meltwatch_alarms_stale", "Active and announced for more than 24 h.",
            registry=self.registry,
        )  # fmt: skip
        self.alarms_active = Gauge(
            "meltwatch_alarms_active", "Alarms by priority and state.", ["priority", "state"],
            registry=self.registry,
        )  # fmt: skip
        self.event_to_alarm = Histogram(
            "meltwatch_event_to_alarm_seconds",
            "From raise time to published alarm, live ones alone.",
            buckets=_LATENCY_BUCKETS,
            registry=self.registry,
        )

    def _of_notifications(self) -> None:
        gauge = partial(Gauge, registry=self.registry)
        self.notifications = Counter(
            "meltwatch_notifications", "Messages to people.", ["channel", "outcome"],
            registry=self.registry,
        )  # fmt: skip
        self.notify_mute = Gauge(
            "meltwatch_notify_mute", "1 while no channel takes messages.", registry=self.registry
        )
        self.channel_up = gauge(
            "meltwatch_notify_channel_up", "1 while a channel takes messages, else 0.", ["channel"]
        )
        self.calls_open = gauge(
            "meltwatch_notify_calls_open", "Told until acknowledged.", ["channel"]
        )
        self.receipts_lost = Counter(
            "meltwatch_notify_receipts_lost", "Never written.", registry=self.registry
        )

    def _of_opc_ua(self) -> None:
        gauge = partial(Gauge, registry=self.registry)
        self.opcua_sessions = gauge("meltwatch_opcua_sessions", "Sessions of clients.")
        self.opcua_conditions = gauge(
            "meltwatch_opcua_conditions", "Alarms that are shown, or refused.", ["outcome"]
        )
        self.scada_orders = Counter(
            "meltwatch_scada_orders", "Orders of people, by what was answered.",
            ["adapter", "command", "outcome"], registry=self.registry,
        )  # fmt: skip
        self.sparkplug_births = Counter(
            "meltwatch_sparkplug_births", "Births of the edge node.", registry=self.registry
        )
        self.sparkplug_refused = Counter(
            "meltwatch_sparkplug_refused", "Commands of hosts that mean nothing.",
            registry=self.registry,
        )  # fmt: skip

    def _of_the_console(self) -> None:
        self.console_bytes = Counter(
            "meltwatch_console_read_bytes", "Values of records that the console has read.",
            ["topic"], registry=self.registry,
        )  # fmt: skip
        self.console_refused = Counter(
            "meltwatch_console_refused", "Records that say nothing that could be shown.",
            ["topic", "reason"], registry=self.registry,
        )  # fmt: skip

    def _of_the_plant(self) -> None:
        gauge = partial(Gauge, registry=self.registry)
        self.furnaces_watched = gauge("meltwatch_furnaces_watched", "Furnaces to be judged.")
        self.furnaces_blind = gauge("meltwatch_furnaces_blind", "Of these, without a verdict.")
        self.verdict_age = gauge(
            "meltwatch_verdict_age_seconds", "Age of a furnace's last verdict.", ["furnace"]
        )

    def _of_sources(self) -> None:
        gauge = partial(Gauge, registry=self.registry)
        counter = partial(Counter, registry=self.registry)
        self.source_state = gauge(
            "meltwatch_source_state",
            "0 running, 1 silent, 2 waiting, 3 misconfigured, 4 not connected yet.",
            ["furnace", "modality"],
        )
        self.source_reconnects = counter(
            "meltwatch_source_reconnects", "Opened again.", ["furnace", "modality"]
        )
        self.source_frames = counter(
            "meltwatch_source_frames", "Frames of cameras.", ["furnace", "outcome"]
        )
        self.source_readings = counter(
            "meltwatch_source_readings", "Readings of meters.", ["furnace", "outcome"]
        )
        self.source_delay = gauge(
            "meltwatch_source_delay_seconds",
            "From event time to arrival of the newest.",
            ["furnace", "modality"],
        )
        self.source_clock_rung = gauge(
            "meltwatch_source_clock_rung",
            "1 hardware stamps, 2 the sender's clock, 3 arrival.",
            ["furnace"],
        )
        self.source_clock_offset = gauge(
            "meltwatch_source_clock_offset_seconds",
            "Sender's clock minus the time by arrival.",
            ["furnace", "modality"],
        )


@cache
def _version() -> str:
    """Return the version of what is installed: it is read from a file."""
    return version("meltwatch-chassis")
