"""What the pipeline asks of the outside world; adapters answer, tests use fakes."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from meltwatch_schemas.record import RawRecord
from meltwatch_schemas.score import ModelIdentity, WindowScore
from numpy.typing import NDArray

from meltwatch_stream_processor.domain.aligned_window import AlignedWindow


class TopicPartition(NamedTuple):
    """One partition of one topic."""

    topic: str
    partition: int


@dataclass(frozen=True, slots=True)
class OutgoingRecord:
    """A Kafka record to be published.

    Attributes
    ----------
    topic, key, value, headers
        As they will stand in Kafka.
    timestamp_ms
        Event time where the topic keeps event time, else None: the wall clock at sending.
    partition
        None leaves the choice to the key.
    """

    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    timestamp_ms: int | None = None
    partition: int | None = None


class Delivered(NamedTuple):
    """Where a published record stands."""

    partition: int
    offset: int
    timestamp_ms: int


@dataclass(frozen=True, slots=True)
class EnsembleIdentity:
    """What an ensemble says of itself.

    Attributes
    ----------
    model
        Name, version and digest, as every score names them.
    encoder_id
        The only encoder whose embeddings it takes.
    tensors
        Name, type and shape of each input and output, as text.
    """

    model: ModelIdentity
    encoder_id: str
    tensors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """An ensemble's answer on one window.

    Attributes
    ----------
    logit
        Calibrated and fused.
    member_logits, disagreement
        One logit per member, and their standard deviation.
    anomaly_map
        Shape ``(64, 64)``, float32, 0..1, row and column of the newest frame.
    """

    logit: float
    member_logits: tuple[float, ...]
    disagreement: float
    anomaly_map: NDArray[np.float32]


class Committed(NamedTuple):
    """What the group has committed for a partition.

    Attributes
    ----------
    offset
        The next one to be read.
    is_ours
        A stream processor committed it; else somebody moved it there, or version 0.1 wrote it.
    topic_id
        Of the topic that it is an offset of; None where nobody said.
    """

    offset: int
    is_ours: bool = True
    topic_id: str | None = None


class Inputs(Protocol):
    """Consumer of both input topics: its flow and its committed offsets, not its records."""

    def pause(self, partition: TopicPartition) -> None:
        """Fetch no more of a partition; what was already fetched still arrives."""
        ...

    def resume(self, partition: TopicPartition) -> None:
        """Fetch a paused partition again."""
        ...

    def rejoin(self) -> None:
        """Have the group share out the partitions anew, by the topics as they are now."""
        ...

    async def committed(
        self, partitions: Iterable[TopicPartition]
    ) -> Mapping[TopicPartition, Committed]:
        """Return what is committed; a partition for which nothing is has no entry.

        Raises
        ------
        TransientError
            If the broker does not answer.
        """
        ...

    async def commit(self, offsets: Mapping[TopicPartition, Committed]) -> None:
        """Commit the next offset to be read per partition.

        Raises
        ------
        TransientError
            If the broker does not answer or the group has moved on.
        """
        ...


class InputRange(Protocol):
    """What the broker has of the input partitions, asked without the consumer."""

    async def beginning_offsets(
        self, partitions: Iterable[TopicPartition]
    ) -> Mapping[TopicPartition, int]:
        """Return the oldest offsets that Kafka still has.

        Raises
        ------
        TransientError
            If the broker does not answer.
        """
        ...

    async def end_offsets(
        self, partitions: Iterable[TopicPartition]
    ) -> Mapping[TopicPartition, int]:
        """Return the end offsets as they are at the time of the call, never from a cache.

        Raises
        ------
        TransientError
            If the broker does not answer.
        """
        ...

    async def records(self, partition: TopicPartition, offsets: range) -> Sequence[RawRecord]:
        """Return the records that stand at these offsets, in their order.

        Raises
        ------
        TransientError
            If the broker does not answer.
        """
        ...


class TopicFacts(NamedTuple):
    """A topic as the broker has it.

    Attributes
    ----------
    id
        New each time a topic is made, whatever its name; None where the broker gives none.
    partitions
        How many.
    """

    id: str | None
    partitions: int


@dataclass(frozen=True, slots=True)
class Census:
    """The topics that concern us and who reads them, as the broker knows it.

    Attributes
    ----------
    topics
        By full name, those that exist.
    owned
        Partitions that some member of the group has; None while the group has not settled.
    """

    topics: Mapping[str, TopicFacts]
    owned: frozenset[TopicPartition] | None


class Group(Protocol):
    """The consumer group and its topics, as the broker knows them."""

    async def census(self) -> Census:
        """Return the topics as they are now, and who reads them.

        Raises
        ------
        TransientError
            If the broker does not answer.
        """
        ...


class ScoreHistory(Protocol):
    """What was published before this process was assigned a partition."""

    def since(self, partition: int, time_ns: int) -> AsyncIterator[WindowScore]:
        """Read a scores partition from an event time to its present end.

        Raises
        ------
        TransientError
            If the broker does not answer.
        """
        ...

    def newest(self, partition: int) -> AsyncIterator[WindowScore]:
        """Read the last hundreds of records of a scores partition.

        Raises
        ------
        TransientError
            If the broker does not answer.
        """
        ...


class ScoringEndpoint(Protocol):
    """One server that may serve the ensemble."""

    @property
    def name(self) -> str:
        """Its address, as logs and metrics name it."""
        ...

    async def identify(self) -> EnsembleIdentity:
        """Ask the ensemble who it is and check its form against the contract.

        Raises
        ------
        EndpointError
            If it does not answer or is not loaded.
        FatalError
            If its tensors or parameters are not those of the contract.
        """
        ...

    async def beat(self) -> None:
        """Ask for a sign of life, within seconds.

        Raises
        ------
        EndpointError
            If it does not answer or the ensemble is not loaded.
        FatalError
            If we may not ask at all.
        """
        ...

    async def score(self, window: AlignedWindow) -> Verdict:
        """Return the verdict on a window that has at least one modality.

        Raises
        ------
        DeadStubError
            If the process behind one of the models is dead.
        EndpointError
            If the ensemble does not answer in time or fails.
        ContractViolation
            ``scoring_rejected`` if it refuses this window whatever the circumstances.
        FatalError
            If we may not ask at all.
        """
        ...

    async def reload(self, model: str) -> None:
        """Replace a model of the ensemble by a new instance of itself.

        Raises
        ------
        ReloadRefusedError
            If the server does not let us.
        EndpointError
            If it does not answer or the model does not load.
        """
        ...


class Scorer(Protocol):
    """The ensemble."""

    @property
    def outage(self) -> str | None:
        """One line while nobody would answer, as far as known without a window; else None."""
        ...

    async def identify(self) -> EnsembleIdentity:
        """Ask, before the first window, who the ensemble is that all verdicts will come from.

        Raises
        ------
        TransientError
            If it does not answer or is not loaded.
        FatalError
            If its tensors or parameters are not those of the contract.
        """
        ...

    async def score(self, window: AlignedWindow) -> Verdict:
        """Return the verdict on a window that has at least one modality.

        Raises
        ------
        TransientError
            If the ensemble does not answer in time or fails.
        ContractViolation
            ``scoring_rejected`` if it refuses this window whatever the circumstances.
        FatalError
            If another ensemble is served now: a restart takes it up.
        """
        ...

    async def watch(self) -> None:
        """Look after the connection to the ensemble; runs until cancelled."""
        ...


class Publisher(Protocol):
    """Writes to the output topics."""

    async def publish(self, record: OutgoingRecord) -> Delivered:
        """Return once every in-sync replica has the record.

        Raises
        ------
        TransientError
            If it may succeed later.
        FatalError
            If it never will.
        """
        ...

    async def flush(self) -> None:
        """Wait until no record is on its way any more."""
        ...
