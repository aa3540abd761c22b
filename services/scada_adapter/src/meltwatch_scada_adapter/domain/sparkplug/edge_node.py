"""The edge node: births, data and deaths in their order; what to publish, not how."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from meltwatch_schemas.identifiers import split_alarm_id
from meltwatch_schemas.sparkplug import (
    Metric,
    Payload,
    QualityCode,
    Value,
    encode,
)

from meltwatch_scada_adapter.domain.condition import PIPELINE_DOWN, ScadaCondition
from meltwatch_scada_adapter.domain.sparkplug.commands import (
    ACK_RESULT,
    NOTHING_ASKED,
    AckAnswer,
)
from meltwatch_scada_adapter.domain.sparkplug.metrics import (
    Figures,
    alarm_metrics,
    birth_number,
    full_name,
    is_blind,
    node_metrics,
    rebirth_switch,
)
from meltwatch_scada_adapter.domain.sparkplug.names import NodeNames

NUMBERS: Final = 256
"""``seq`` and ``bdSeq`` are counted modulo this."""
_Seen = tuple[Value, QualityCode | None]


@dataclass(frozen=True, slots=True)
class EdgeMessage:
    """One message to the broker, never retained.

    Attributes
    ----------
    topic, payload
        Where, and what.
    qos
        1 for a death alone.
    """

    topic: str
    payload: bytes
    qos: int = 0


class EdgeNode:
    """Keeps what hosts are to know, and makes the messages that tell them.

    Each message that it returns counts as published: whoever cannot publish it ends the session.

    Parameters
    ----------
    names
        Who it is.
    most
        How many alarms are shown.
    """

    def __init__(self, names: NodeNames, most: int) -> None:
        self.names = names
        self._most = most
        self._alarms: dict[str, ScadaCondition] = {}
        self._devices: dict[str, dict[str, ScadaCondition]] = {}
        self._answers: dict[str, AckAnswer] = {}
        self._seen: dict[str | None, dict[str, _Seen]] = {}
        self._figures = Figures()
        self._is_live = False
        self._birth_number: int | None = None
        self._seq = 0

    @property
    def alarms(self) -> Mapping[str, ScadaCondition]:
        """The alarms that are shown."""
        return MappingProxyType(self._alarms)

    def death(self, number: int, now_ms: int) -> EdgeMessage:
        """Return the message that ends a session: its will, and what is sent before it is left."""
        payload = Payload(now_ms, (birth_number(number, now_ms),))
        return EdgeMessage(self.names.topic("NDEATH"), encode(payload), qos=1)

    def births(self, number: int, now_ms: int) -> Iterator[EdgeMessage]:
        """Begin a session, or tell everything anew in it: births of the node and of all devices.

        Parameters
        ----------
        number
            Of the session, as its death has it.
        now_ms
            Wall clock.
        """
        self._birth_number, self._seq = number, 0
        changing = tuple(node_metrics(self._figures, now_ms))
        self._changed(None, changing)
        fixed = (birth_number(number, now_ms), rebirth_switch(now_ms))
        yield self._message("NBIRTH", None, (*fixed, *changing), now_ms)
        for device in list(self._devices):
            yield from self._device_birth(device, now_ms)

    def end(self) -> None:
        """End the session: from now on there is nothing to publish."""
        self._birth_number = None

    @property
    def is_born(self) -> bool:
        """Whether a session goes on, so that hosts are told."""
        return self._birth_number is not None

    def prepare(self, conditions: Iterable[ScadaCondition], now_ms: int) -> Iterator[EdgeMessage]:
        """Show alarms that have not been shown yet: their devices are born anew."""
        added = [
            each for each in conditions if each.alarm_id not in self._alarms and self._put(each)
        ]
        devices = dict.fromkeys(_device_of(each) for each in added)
        return (one for each in devices for one in self._device_birth(each, now_ms))

    def show(self, condition: ScadaCondition, now_ms: int) -> Iterator[EdgeMessage]:
        """Show how an alarm is now."""
        if condition.alarm_id not in self._alarms:
            return self.prepare([condition], now_ms)
        device = _device_of(condition)
        was_blind = is_blind(self._devices[device])
        self._put(condition)
        if was_blind != is_blind(self._devices[device]):
            return self._device_data(device, now_ms)
        return self._data(device, self._metrics(condition, now_ms), now_ms)

    def answer(self, alarm_id: str, answer: AckAnswer, now_ms: int) -> Iterator[EdgeMessage]:
        """Tell what became of an acknowledgement, also if the same was said before."""
        condition = self._alarms[alarm_id]
        device = _device_of(condition)
        self._answers[alarm_id] = answer
        self._seen.get(device, {}).pop(full_name(condition, ACK_RESULT), None)
        return self._data(device, self._metrics(condition, now_ms), now_ms)

    def trust(self, *, is_live: bool, now_ms: int) -> Iterator[EdgeMessage]:
        """Mark all values as good, or as the last that were known."""
        self._is_live = is_live
        devices = list(self._devices)
        return (one for each in devices for one in self._device_data(each, now_ms))

    def count(self, link: str, watchdog: int, now_ms: int) -> Iterator[EdgeMessage]:
        """Tell the figures of the plant as a whole."""
        shown = self._alarms.values()
        active = sum(each.active for each in shown)
        waiting = sum(each.is_waiting for each in shown)
        self._figures = Figures(link, watchdog, active, waiting)
        return self._data(None, node_metrics(self._figures, now_ms), now_ms)

    def _put(self, condition: ScadaCondition) -> bool:
        """Keep an alarm; return False if it is one too many."""
        if condition.alarm_id not in self._alarms and len(self._alarms) >= self._most:
            return False
        self._alarms[condition.alarm_id] = condition
        self._devices.setdefault(_device_of(condition), {})[condition.alarm_id] = condition
        return True

    def _device_birth(self, device: str, now_ms: int) -> Iterator[EdgeMessage]:
        if self.is_born:
            self._seen.pop(device, None)
            metrics = self._changed(device, self._device(device, now_ms))
            yield self._message("DBIRTH", device, metrics, now_ms)

    def _device_data(self, device: str, now_ms: int) -> Iterator[EdgeMessage]:
        return self._data(device, self._device(device, now_ms), now_ms)

    def _data(
        self, device: str | None, metrics: Iterable[Metric], now_ms: int
    ) -> Iterator[EdgeMessage]:
        """Yield the message with those metrics that differ from what hosts were told."""
        if self.is_born and (changed := self._changed(device, metrics)):
            yield self._message("NDATA" if device is None else "DDATA", device, changed, now_ms)

    def _changed(self, device: str | None, metrics: Iterable[Metric]) -> tuple[Metric, ...]:
        seen = self._seen.setdefault(device, {})
        changed = tuple(m for m in metrics if seen.get(m.name) != (m.value, m.quality))
        seen |= {metric.name: (metric.value, metric.quality) for metric in changed}
        return changed

    def _device(self, device: str, now_ms: int) -> Iterator[Metric]:
        for condition in self._devices[device].values():
            yield from self._metrics(condition, now_ms)

    def _metrics(self, condition: ScadaCondition, now_ms: int) -> Iterator[Metric]:
        answer = self._answers.get(condition.alarm_id, NOTHING_ASKED)
        return alarm_metrics(condition, answer, self._trust_in(condition), now_ms)

    def _trust_in(self, condition: ScadaCondition) -> QualityCode:
        if condition.name == PIPELINE_DOWN:
            return QualityCode.GOOD  # it is ours, and says why all others are stale
        is_judged = condition.is_system or not is_blind(self._devices[_device_of(condition)])
        return QualityCode.GOOD if self._is_live and is_judged else QualityCode.STALE

    def _message(
        self, kind: str, device: str | None, metrics: tuple[Metric, ...], now_ms: int
    ) -> EdgeMessage:
        seq, self._seq = self._seq, (self._seq + 1) % NUMBERS
        payload = encode(Payload(now_ms, metrics, seq))
        return EdgeMessage(self.names.topic(kind, device), payload)


def _device_of(condition: ScadaCondition) -> str:
    return split_alarm_id(condition.alarm_id)[0]
