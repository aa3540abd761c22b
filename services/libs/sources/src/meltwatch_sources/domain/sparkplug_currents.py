"""Currents in Sparkplug B: births give names their aliases, deaths end all values."""

import math
from dataclasses import dataclass, field
from typing import Final

from meltwatch_schemas.sparkplug import (
    DataType,
    Metric,
    Payload,
    PayloadError,
    QualityCode,
    decode,
    encode,
    signed,
)

from meltwatch_sources.domain.messages import TopicMessage
from meltwatch_sources.domain.reading import MeterReading, Wiring, nothing

LONGEST: Final = 262_144
"""Bytes of a message: a birth names all metrics of a gateway."""
MOST_METRICS: Final = 5_000
REBIRTH: Final = "Node Control/Rebirth"
_BIRTH_NUMBER: Final = "bdSeq"
_NAMESPACE: Final = "spBv1.0"
_NS_PER_MS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class SparkplugPlaces:
    """Where an edge node tells the currents.

    Attributes
    ----------
    group, edge
        Ids of its group and of itself.
    device
        Id of the device; None if the metrics are the node's own.
    metrics
        Name of each value, in the meter's order.
    """

    group: str
    edge: str
    device: str | None
    metrics: tuple[str, str, str]

    def topic(self, kind: str) -> str:
        """Return the topic of a kind of message: ``NBIRTH``, ``DDATA`` and so on."""
        device = f"/{self.device}" if kind.startswith("D") else ""
        return f"{_NAMESPACE}/{self.group}/{kind}/{self.edge}{device}"


@dataclass(slots=True)
class SparkplugCurrents:
    """Reads messages of one edge node or device.

    Attributes
    ----------
    places
        Where it tells what.
    wiring
        What the values mean.
    why
        Why the newest message held no value; empty if it held one.
    """

    places: SparkplugPlaces
    wiring: Wiring = field(default_factory=Wiring)
    why: str = "no birth and no data yet"
    _is_born: bool | None = None
    """None: no birth and no death was heard. Names are as good as a birth, aliases are not."""
    _birth_number: object = None
    _wants_birth: bool = False
    _names: dict[int, str] = field(default_factory=dict)
    _kinds: dict[str, DataType | None] = field(default_factory=dict)

    @property
    def topics(self) -> tuple[str, ...]:
        """What to listen to."""
        own = ("NBIRTH", "NDEATH")
        kinds = (*own, "NDATA") if self.places.device is None else (*own, *_OF_DEVICE)
        return tuple(self.places.topic(kind) for kind in kinds)

    @property
    def is_alive(self) -> bool:
        """Whether it was born: the broker would tell its death."""
        return self._is_born is True

    def request(self) -> tuple[str, bytes] | None:
        """Return the command that asks for births anew, once, if names are not known."""
        if not self._wants_birth:
            return None
        self._wants_birth = False
        wanted = Metric(REBIRTH, DataType.BOOLEAN, value=True)
        return self.places.topic("NCMD"), encode(Payload(None, (wanted,)))

    def take(self, message: TopicMessage) -> list[MeterReading]:
        """Return what a message says: a reading for each value of ours in it."""
        if message.is_retained:
            self.why = "expected messages of now, got a retained one"
            return []
        kind = message.topic.split("/")[2]
        try:
            payload = _payload(message.payload)
        except PayloadError as error:
            self.why = str(error)
            return self._died(message, self.why) if kind.endswith("DEATH") else []
        if kind.endswith("DEATH"):
            number = _birth_number(payload)
            is_old = kind == "NDEATH" and None not in (number, self._birth_number)
            if is_old and number != self._birth_number:
                return []
            return self._died(message, "it died: the broker or its gateway has lost it")
        if kind.endswith("BIRTH"):
            self._learn(kind, payload)
        elif not self._may_tell(payload):
            return []
        return self._readings(message, payload, is_birth=kind.endswith("BIRTH"))

    def _learn(self, kind: str, payload: Payload) -> None:
        if kind == "NBIRTH":
            self._birth_number = _birth_number(payload)
            self._is_born = None
            self._names.clear()
            self._kinds.clear()
        if (kind == "NBIRTH") is not (self.places.device is None):
            return
        self._is_born, self._wants_birth = True, False
        for metric in payload.metrics:
            if metric.name in self.places.metrics:
                self._kinds[metric.name] = metric.kind
                if metric.alias is not None:
                    self._names[metric.alias] = metric.name
        missing = [name for name in self.places.metrics if name not in self._kinds]
        if missing:
            self.why = f"expected metric {missing[0]!r}, the birth has none of that name"

    def _may_tell(self, payload: Payload) -> bool:
        """Tell whether data can be understood; a birth is asked for if not."""
        has_aliases = any(not metric.name for metric in payload.metrics)
        if self._is_born is False or (self._is_born is None and has_aliases):
            self._wants_birth = True
            self.why = "expected a birth before its data, and have asked for one"
            return False
        return True

    def _readings(
        self, message: TopicMessage, payload: Payload, *, is_birth: bool
    ) -> list[MeterReading]:
        found = []
        for metric in payload.metrics:
            name = metric.name or self._names.get(metric.alias if metric.alias is not None else -1)
            if name not in self.places.metrics or metric.is_historical:
                continue
            # A birth says what holds now, whenever it was measured last.
            own_ms = None if is_birth else metric.timestamp_ms
            stamp_ms = payload.timestamp_ms if own_ms is None else own_ms
            place = self.places.metrics.index(name)
            found.append(self._reading(message, metric, self.wiring.phases[place], stamp_ms))
        if found:
            self.why = found[-1].quality
        return found

    def _reading(
        self, message: TopicMessage, metric: Metric, phase: int, stamp_ms: int | None
    ) -> MeterReading:
        name = metric.name or self._names.get(metric.alias or 0, "")
        kind = metric.kind if metric.kind is not None else self._kinds.get(name)
        value, values = signed(metric.value, kind), nothing()
        if metric.quality not in {None, QualityCode.GOOD}:
            quality = "its quality is not good"
        elif isinstance(value, bool) or not isinstance(value, int | float):
            quality = f"expected a number of {name!r}, got {type(value).__name__}"
        else:
            values[phase] = self.wiring.ampere(float(value))
            quality = "" if math.isfinite(values[phase]) else f"no amperes at {name!r}"
        stamp_ns = None if stamp_ms is None else stamp_ms * _NS_PER_MS
        arrival_ns = message.arrival_ns
        return MeterReading(values, stamp_ns, arrival_ns, arrival_ns, quality, (phase,))

    def _died(self, message: TopicMessage, why: str) -> list[MeterReading]:
        """Return that no phase has a value from now on."""
        self._is_born, self.why = False, why
        return [MeterReading(nothing(), None, message.arrival_ns, message.arrival_ns, why)]


_OF_DEVICE: Final = ("DBIRTH", "DDATA", "DDEATH")


def _payload(data: bytes) -> Payload:
    if len(data) > LONGEST:
        raise PayloadError(f"expected at most {LONGEST} bytes, got {len(data)}")
    return decode(data, MOST_METRICS)


def _birth_number(payload: Payload) -> object:
    return next((each.value for each in payload.metrics if each.name == _BIRTH_NUMBER), None)
