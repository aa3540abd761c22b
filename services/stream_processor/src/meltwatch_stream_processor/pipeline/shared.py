"""What the partitions of a process share."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from meltwatch_chassis.clock import Clock
from meltwatch_chassis.dependencies import Dependencies
from meltwatch_chassis.metrics import Metrics
from meltwatch_core.join.merge import QueueLimits
from meltwatch_core.join.rules import JoinRules
from meltwatch_core.scoring.judge import Judge
from meltwatch_core.scoring.scores import ScoreContext
from meltwatch_schemas.encoder import Encoder

from meltwatch_stream_processor.pipeline.counts import Counts
from meltwatch_stream_processor.pipeline.delivery import Delivery
from meltwatch_stream_processor.pipeline.gate import FurnaceGate, Suspects
from meltwatch_stream_processor.pipeline.input_topics import InputTopics
from meltwatch_stream_processor.pipeline.progress import ReaderClock
from meltwatch_stream_processor.pipeline.publication import InFlightWindows
from meltwatch_stream_processor.pipeline.retry import Retry
from meltwatch_stream_processor.ports import InputRange, Inputs, PortraitFeed, ScoreHistory


@dataclass(frozen=True, slots=True)
class SharedParts:
    """What the partitions of a process share.

    Attributes
    ----------
    inputs, input_range, input_topics, history
        Kafka's reading side.
    portraits
        What scores are compared with.
    delivery, judge, in_flight
        Writing side, scoring, and the bound on windows under way.
    rules, encoder, limits
        The window rule, the ensemble's encoder, how much may wait before reading is paused.
    max_held_bytes
        How much of one modality may wait for the other, all partitions together.
    context, clock, reader_clock
        What scores have in common, the machine's clocks, the one by which the join waits.
    counts, metrics
        Counters of records and irregularities, all metrics.
    dependencies, retry
        What is known to be away; repeats what Kafka did not answer.
    gate
        Which furnaces may begin.
    suspects
        Records whose handling has failed.
    sync_offsets_s
        Per furnace, by how much brightness follows the current while both clocks are right.
    """

    inputs: Inputs
    input_range: InputRange
    input_topics: InputTopics
    history: ScoreHistory
    portraits: PortraitFeed
    delivery: Delivery
    judge: Judge
    in_flight: InFlightWindows
    rules: JoinRules
    encoder: Encoder
    limits: QueueLimits
    max_held_bytes: int
    context: ScoreContext
    clock: Clock
    reader_clock: ReaderClock
    counts: Counts
    metrics: Metrics
    dependencies: Dependencies
    retry: Retry
    gate: FurnaceGate
    suspects: Suspects = field(default_factory=Suspects)
    sync_offsets_s: Mapping[str, float] = field(default_factory=dict)
