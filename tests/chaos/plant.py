"""The furnaces of a plant with a bad network, as they send in real time; see ``weather``.

Each is always on time but for what its name says. What the campaign changes while it runs, it
changes in ``Sky``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice, takewhile
from typing import Final

from meltwatch_schemas.score import Modality
from meltwatch_schemas.window import NS_PER_MS, NS_PER_S

from tests.chaos.load import PARTITIONS
from tests.chaos.tape import MARK
from tests.chaos.wind import Due, parted
from tests.integration.stream_processor.weather import Source
from tests.support.input_records import InputRecord, frame_record, sample_record
from tests.support.murmur2 import partition_of

_HOUR_NS: Final = 3600 * NS_PER_S
_LOOK_BACK_S: Final = 130
_PAST_NS: Final = 15 * NS_PER_S
_FOR_EVER: Final = 2**62
_REFUSED: Final = (MARK, b"future_event_time")


def named(stem: str, partition: int = 0, number: int = 0) -> str:
    """The id of a furnace that Kafka puts into a partition."""
    names = (f"weather/{stem}/F{index}" for index in range(10_000))
    fitting = (n for n in names if partition_of(n.encode(), PARTITIONS) == partition)
    return next(islice(fitting, number, None))


PLAIN, SIX, FORTY, COARSE = named("plain"), named("six"), named("forty"), named("coarse")
DEAD, BACK, ELSEWHERE = named("dead"), named("back"), named("elsewhere", partition=1)
_BEFORE_S: Final = {
    PLAIN: _LOOK_BACK_S, BACK: _LOOK_BACK_S, SIX: 60, FORTY: 60, DEAD: 10, COARSE: 10, ELSEWHERE: 10
}  # fmt: skip
"""So many seconds of each meter go before; those whose look-back is full have both modalities."""
JOINED: Final = (PLAIN, SIX, FORTY, COARSE, ELSEWHERE)
"""Those that are as in fair weather, whatever happens to others."""


@dataclass
class Sky:
    """What befalls sources at this moment.

    Attributes
    ----------
    camera_is_dead
        That of ``DEAD``.
    back_ns
        By how much the camera of ``BACK`` is set back.
    is_crowded
        Whether many furnaces more share the partition.
    """

    camera_is_dead: bool = False
    back_ns: int = 0
    is_crowded: bool = False

    def worsens(self) -> None:
        """A camera dies, a clock goes back an hour."""
        self.camera_is_dead, self.back_ns = True, _HOUR_NS

    def clears(self) -> None:
        """Both are right again, and the crowd goes."""
        self.camera_is_dead, self.back_ns, self.is_crowded = False, 0, False


@dataclass
class Outage:
    """A furnace whose gateway was away: a backlog of either modality, then it is live.

    Attributes
    ----------
    name
        Furnace id.
    bursts
        The backlogs, in the order of their delivery.
    rest
        What follows, of both.
    is_over
        Whether it sends no more.
    """

    name: str
    bursts: tuple[list[InputRecord], list[InputRecord]]
    rest: tuple[Iterator[Due], Iterator[Due]]
    is_over: bool = False

    def live(self) -> Iterator[Iterator[Due]]:
        """What follows, until it is over."""
        for stream in self.rest:
            yield takewhile(lambda _: not self.is_over, stream)


def outage(name: str, first: Modality, length_s: float, until_ns: int) -> Outage:
    """One that lasted so long, up to an instant."""
    begun_ns = until_ns - round(length_s * NS_PER_S)
    halves = []
    for modality in sorted(Modality, key=lambda modality: modality is not first):
        source = Source(name, modality, begun_ns, _FOR_EVER, partial(max, until_ns))
        halves.append(parted(source.records(), until_ns))
    (one, one_rest), (other, other_rest) = halves
    return Outage(name, (one, other), (one_rest, other_rest))


def live(sky: Sky, began_ns: int) -> Iterator[Iterator[Due]]:
    """What those send who are there from the beginning, some with what went before."""
    for name, before_s in _BEFORE_S.items():
        behind_s = {SIX: 6, FORTY: 40}.get(name, 0)
        camera_since_s = before_s if behind_s else 0
        camera = _source(name, Modality.VIDEO, began_ns, camera_since_s, behind_s)
        if name == BACK:
            camera = replace(camera, shown_ns=lambda event_ns: event_ns - sky.back_ns)
        yield _until_dead(sky, camera.records()) if name == DEAD else camera.records()
        meter = _source(name, Modality.CURRENT, began_ns, before_s)
        yield replace(meter, samples=4 if name == COARSE else 2).records()


def _until_dead(sky: Sky, stream: Iterator[Due]) -> Iterator[Due]:
    for sent_ns, record in stream:
        yield sent_ns, None if sky.camera_is_dead else record


def crowd(names: Sequence[str], sky: Sky, began_ns: int) -> Iterator[Iterator[Due]]:
    """What many send in one partition, while they are there."""
    for name in names:
        for modality in Modality:
            source = Source(name, modality, began_ns, _FOR_EVER)
            yield takewhile(lambda _: sky.is_crowded, source.records())


def strangers(number: int, now_ns: int) -> Iterator[InputRecord]:
    """Who has never been seen, and has another clock; an hour ahead also under a known name."""
    for seconds, name in enumerate((named("future", number=number), PLAIN, DEAD)):
        ahead_ns = now_ns + _HOUR_NS + seconds * NS_PER_S
        for ingest_ns in (ahead_ns, now_ns):
            frame = frame_record(name, ahead_ns, seq=2**40 + number, sent_ns=ingest_ns)
            samples = sample_record(name, ahead_ns, seq=2**40 + number, sent_ns=ingest_ns)
            for record in (frame, samples):
                headers = (*record.headers, _REFUSED)
                yield replace(record, headers=headers, timestamp_ms=now_ns // NS_PER_MS)
    for days, stem in enumerate(("past", "long-past", "longer-past")):
        then_ns = now_ns - 2 * _HOUR_NS - days * 24 * _HOUR_NS
        for modality in Modality:
            name, until_ns = named(stem, number=number), then_ns + _PAST_NS
            source = Source(name, modality, then_ns, until_ns, lambda _: now_ns)
            yield from (record for _, record in source.records())


def intruder(name: str, now_ns: int) -> InputRecord:
    """A record of a camera that is not the furnace's."""
    frame = frame_record(name, now_ns, source_id="intruder", seq=now_ns // NS_PER_MS)
    return replace(frame, timestamp_ms=now_ns // NS_PER_MS)


def _source(
    name: str, modality: Modality, began_ns: int, before_s: int, behind_s: int = 0
) -> Source:
    """One that is so far behind, with what went before the beginning."""
    from_ns, behind_ns = began_ns - before_s * NS_PER_S, behind_s * NS_PER_S
    sent_ns = partial(_sent_ns, began_ns, behind_ns)
    return Source(name, modality, from_ns, _FOR_EVER, sent_ns)


def _sent_ns(began_ns: int, behind_ns: int, event_ns: int) -> int:
    return max(event_ns + behind_ns, began_ns)
