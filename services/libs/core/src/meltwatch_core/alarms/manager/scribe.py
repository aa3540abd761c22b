"""Numbers and counts alarm records: the one place where ``(epoch, seq)`` comes from."""

from functools import cache, partial

import structlog
from meltwatch_chassis.live import is_live
from meltwatch_chassis.metrics import Metrics
from meltwatch_schemas.alarm import AlarmRecord, AlarmState, Heartbeat
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.instants import ns_from_utc, utc_from_ns
from meltwatch_schemas.record import OutgoingRecord, RawRecord
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_S

from meltwatch_core.alarms.alarm import Alarm, followed
from meltwatch_core.alarms.authorship import MAX_EPOCH
from meltwatch_core.alarms.manager.figures import LiveFigures
from meltwatch_core.alarms.manager.outgoing import SERVICE, dead_letter, outgoing
from meltwatch_core.alarms.registry import AlarmRegistry
from meltwatch_core.alarms.snapshot import Stamp, restated
from meltwatch_core.alarms.watch import WatchSummary

_log = structlog.get_logger()


class Scribe:
    """Keeps alarms and turns their new records into outgoing ones.

    Parameters
    ----------
    registry
        The alarms.
    metrics
        What is counted.

    Attributes
    ----------
    registry
        The alarms.
    epoch
        Generation of the manager; set before the first record, then by ``outdo`` alone.
    """

    def __init__(self, registry: AlarmRegistry, metrics: Metrics) -> None:
        self.registry = registry
        self.epoch = 0
        self._seq = 0
        self._began_ns: int | None = None
        self._metrics = metrics
        self._figures = LiveFigures(metrics)
        # Asked for with each score: the client takes longer to find it than to count.
        self._counter = cache(partial(metrics.records.labels, SERVICE))

    def stamp(self, now_ns: int) -> Stamp:
        """Return number and time of the next record."""
        # Only ``keep`` uses the number up: most scores change nothing and need none.
        return Stamp(self.epoch, self._seq + 1, now_ns)

    def outdo(self, epoch: int) -> None:
        """Begin a reign above an epoch that somebody has claimed, and above the present one."""
        claimed = epoch if epoch <= MAX_EPOCH else 0
        self.epoch, self._seq = max(self.epoch, claimed) + 1, 0
        _log.info("reign_began", epoch=self.epoch)

    def restate(self, alarm: Alarm, now_ns: int) -> list[OutgoingRecord]:
        """Return what is true of an alarm that was raised once, as a new record."""
        return self.keep(alarm, followed(alarm, restated(alarm, self.stamp(now_ns))))

    def keep(self, before: Alarm, after: Alarm) -> list[OutgoingRecord]:
        """Keep an alarm; return its new record, if it has one, to be written."""
        self.registry.put(after)
        record = after.record
        if record is None or record is before.record:
            return []
        self._seq += 1
        self._measure(record)
        self._figures.note(before, after, record)
        _log.info(
            "alarm_changed",
            alarm_id=record.alarm_id,
            cause=record.transition.cause,
            state=record.state.value,
            epoch=record.epoch,
            seq=record.seq,
        )
        return [outgoing(Topic.ALARMS, record.alarm_id, record)]

    def set_aside(
        self, record: RawRecord, topic: Topic, refusal: ContractViolation
    ) -> OutgoingRecord:
        """Return the dead letter of a refused record."""
        self.count(topic, "dead_letter")
        self._metrics.dead_letters.labels(refusal.reason.value).inc()
        return dead_letter(record, refusal)

    def count(self, topic: Topic, outcome: str) -> None:
        """Count a record that was read."""
        self._counter(topic.value, outcome).inc()

    def count_foreign(self, topic: Topic) -> None:
        """Count a record that somebody else wrote where only the manager may."""
        self._metrics.foreign_records.labels(topic.value).inc()

    def heartbeat(self, now_ns: int, summary: WatchSummary | None) -> OutgoingRecord:
        """Return a sign of life, with what is watched where that is known.

        The first one is the beginning of the reign.
        """
        if self._began_ns is None:
            self._began_ns = now_ns
        records = list(self.registry.records())
        self._figures.show(records, now_ns)
        message = Heartbeat(
            service=SERVICE,
            epoch=self.epoch,
            seq=self._seq,
            active_alarms=sum(record.active for record in records),
            at=utc_from_ns(now_ns),
            watched=summary.watched if summary else None,
            blind=summary.blind if summary else None,
            oldest_verdict_age_s=summary.oldest_age_s if summary else None,
        )
        return outgoing(Topic.HEARTBEATS, SERVICE, message)

    def _measure(self, record: AlarmRecord) -> None:
        is_raised = (
            record.state is AlarmState.UNACK
            and record.transition.cause == "RAISE"
            and self._is_live(record)
        )
        if record.raise_time is not None and is_raised:
            waited_ns = ns_from_utc(record.times.published) - ns_from_utc(record.raise_time)
            self._metrics.event_to_alarm.observe(max(waited_ns, 0) / NS_PER_S)

    def _is_live(self, record: AlarmRecord) -> bool:
        ingest_ns, judged_ns = (
            ns_from_utc(t) for t in (record.times.ingest, record.times.watermark)
        )
        return self._began_ns is not None and is_live(judged_ns, ingest_ns, self._began_ns)
