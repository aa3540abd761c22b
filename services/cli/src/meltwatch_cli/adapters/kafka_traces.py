"""The traces that scores and alarms carry, read from their topics."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from meltwatch_chassis.kafka.access import explained
from meltwatch_chassis.kafka.follow import Follower
from meltwatch_schemas.access import Principal, rights_of
from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.record import RawRecord, header, read_json, read_score
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.trace_ids import TRACEPARENT, ids_of

from meltwatch_cli.domain.trace_spans import TraceSpan, is_chosen, spans_of_alarm, spans_of_score
from meltwatch_cli.domain.unreadable import Unreadable

_POLL_MS: Final = 200


class TraceTopics:
    """Reads scores and alarms.

    Parameters
    ----------
    follower
        Of a broker.
    prefix
        First part of the topic names.
    share
        Of all traces, 0..1.

    Attributes
    ----------
    unreadable
        Records that were left out.
    """

    def __init__(self, follower: Follower, prefix: str, share: float) -> None:
        self._follower = follower
        self._alarms = Topic.ALARMS.under(prefix)
        self._scores = Topic.SCORES.under(prefix)
        self._share = share
        self.unreadable = Unreadable()

    def follow(
        self, since_ms: int | None, is_over: Callable[[], bool], *, once: bool
    ) -> Iterator[list[TraceSpan]]:
        """Yield the spans of what comes, a few times a second, until it is over.

        Parameters
        ----------
        since_ms
            Wall-clock ms UTC to read from; None starts with what comes next.
        is_over
            Is asked before each look.
        once
            End where the topics end now.
        """
        self._follower.read_from(
            {
                (topic, number): since_ms
                for topic in (self._scores, self._alarms)
                for number in self._follower.partitions(topic)
            }
        )
        left = self._follower.lag() if once else 1
        while left > 0 and not is_over():
            records = self._follower.poll(_POLL_MS)
            yield [span for record in records for span in self._spans(record)]
            left = self._follower.lag() if once else 1

    def _spans(self, record: RawRecord) -> list[TraceSpan]:
        try:
            return (
                self._of_alarm(record) if record.topic == self._alarms else self._of_score(record)
            )
        except ContractViolation as error:
            self.unreadable.note(f"{record.topic}/{record.partition}/{record.offset}", str(error))
            return []

    def _of_score(self, record: RawRecord) -> list[TraceSpan]:
        # Most scores carry no trace, or are not of the share: those are not read at all.
        ids = ids_of(header(record.headers, TRACEPARENT))
        if ids is None or not ids.is_sampled or not is_chosen(ids, self._share):
            return []
        return spans_of_score(read_score(record), ids)

    def _of_alarm(self, record: RawRecord) -> list[TraceSpan]:
        if record.value is None and record.key is not None:
            return []
        alarm = read_json(record, AlarmRecord)
        ids = ids_of(alarm.traceparent)
        if alarm.run_id is not None or ids is None or not is_chosen(ids, self._share):
            return []
        return spans_of_alarm(alarm, ids)


@contextmanager
def open_trace_topics(
    connection: Mapping[str, Any], prefix: str, share: float
) -> Iterator[TraceTopics]:
    """Give access to the topics, with the client's errors in one line.

    Parameters
    ----------
    connection
        Arguments of the Kafka clients.
    prefix
        First part of the topic names.
    share
        Of all traces, 0..1.

    Raises
    ------
    DependencyUnreachable
        If the broker does not answer or a topic is missing.
    """
    with (
        explained(connection, rights_of(Principal.TRACER, prefix)),
        Follower.connected(connection) as follower,
    ):
        yield TraceTopics(follower, prefix, share)
