"""The results of the join: one window of one furnace, and the outcome of one record."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.reasons import Reason
from meltwatch_schemas.score import Cut, Features, Modality, ScoreStatus, Sources, SourceState
from meltwatch_schemas.score_topics import NewestFrame
from numpy.typing import NDArray

NO_VIDEO: Final = Reason.NO_VIDEO
NO_CURRENT: Final = Reason.NO_CURRENT
LOW_VIDEO_COVERAGE: Final = Reason.LOW_VIDEO_COVERAGE
LOW_CURRENT_COVERAGE: Final = Reason.LOW_CURRENT_COVERAGE


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AlignedWindow:
    """Both modalities of one furnace on one window's instants.

    Attributes
    ----------
    furnace_id, window_end_ns, window_id
        Which window.
    embeddings
        Of the clip's frames, each of shape ``(64, d)``, float16, index 0 the oldest slot; None if
        unavailable. They are shared with other windows, and nobody writes into them.
    currents_a
        Shape ``(lookback_samples, 3)``, float32, amperes, no NaN, index 0 the oldest grid point;
        None if unavailable.
    video_coverage, current_coverage
        Shares of slots and of grid values with a frame or sample of their own, 0..1.
    encoder_id
        Of the clip; None without one.
    sources
        The source that the furnace has per modality when the window closes.
    last_event_ns
        The furnace's newest event time at or before the window's end, ns UTC.
    last_ingest_ns
        The newest ingest time of its records when the window closed, ns UTC.
    features
        Plain numbers of the available modalities.
    reasons
        Words that say why a modality is unavailable, or what else is wrong with it.
    cuts
        Per modality, the cut of its topic: the score's ``inputs``.
    irregularities
        Per modality, those of the reasons that lie with its source; absent without any.
    source_states
        Per modality with a source, the state that decides the quality of later windows.
    frames
        Where the frames of the last hop stand: the score's ``frames``.
    """

    furnace_id: str
    window_end_ns: int
    window_id: str
    embeddings: Sequence[NDArray[np.float16]] | None
    currents_a: NDArray[np.float32] | None
    video_coverage: float
    current_coverage: float
    encoder_id: str | None
    sources: Sources
    last_event_ns: int
    last_ingest_ns: int
    features: Features
    reasons: tuple[Reason, ...]
    cuts: Mapping[Modality, Cut]
    irregularities: Mapping[Modality, tuple[Reason, ...]] = field(default_factory=dict)
    source_states: Mapping[Modality, SourceState] = field(default_factory=dict)
    frames: tuple[NewestFrame, ...] = ()

    @property
    def clip(self) -> NDArray[np.float16] | None:
        """The embeddings in one array, ``(clip_frames, 64, d)``: a copy, made when asked for."""
        return None if self.embeddings is None else np.stack(self.embeddings)

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """The modalities that are available."""
        seen = {Modality.VIDEO: self.embeddings, Modality.CURRENT: self.currents_a}
        return tuple(modality for modality, values in seen.items() if values is not None)

    @property
    def attainable_status(self) -> ScoreStatus:
        """The status that a successful scoring call gives; ``unscored`` needs no call."""
        statuses = (ScoreStatus.UNSCORED, ScoreStatus.DEGRADED, ScoreStatus.SCORED)
        return statuses[len(self.modalities)]

    @property
    def size_bytes(self) -> int:
        """Memory of the window's arrays, bytes."""
        held = [*(self.embeddings or ()), *(() if self.currents_a is None else (self.currents_a,))]
        return sum([values.nbytes for values in held])


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The outcome of one record, or of the passing of time.

    Attributes
    ----------
    history
        The record was handed on in an earlier life: nothing about it is to be counted, copied or
        refused again.
    refusal
        Why the record is a dead letter (``unexpected_source``, ``unknown_encoder``), or None.
    late
        The record is to be counted once and copied once to the late topic.
    duplicates
        Frames or samples that were dropped because their instant was taken.
    windows
        Windows closed by it, in order per furnace.
    skipped
        Window numbers closed without an event in their look-back, or between two lives.
    retired
        Furnaces retired by it.
    """

    history: bool = False
    refusal: ContractViolation | None = None
    late: bool = False
    duplicates: int = 0
    windows: tuple[AlignedWindow, ...] = field(default=())
    skipped: int = 0
    retired: tuple[str, ...] = field(default=())


UNEVENTFUL: Final = Outcome()
"""Of most records: they are held for windows to come."""
