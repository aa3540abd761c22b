"""The clocks of the furnaces of one partition: telemetry beside the join.

It changes no window. A restart loses it, and ten minutes later it knows the skew again.
"""

import math
from collections.abc import Iterable, Mapping

import numpy as np
import structlog
from meltwatch_schemas.embedding import EmbeddingChunk
from meltwatch_schemas.encoder import Encoder
from meltwatch_schemas.reasons import Reason
from meltwatch_schemas.score import Modality
from numpy.typing import NDArray

from meltwatch_core.join.buffers import Chunk
from meltwatch_core.join.features import FeatureExtractor
from meltwatch_core.join.synchrony import SYNC_SKEW, SkewLevel, Synchrony
from meltwatch_core.join.window import Outcome

_log = structlog.get_logger()


class SkewWatch:
    """Follows the skew of each furnace from the records handed on.

    Parameters
    ----------
    encoder
        Of the frames.
    offsets_s
        By how much brightness follows the current, per furnace where it was commissioned.
    """

    def __init__(self, encoder: Encoder, offsets_s: Mapping[str, float]) -> None:
        self._features = FeatureExtractor(encoder.basis)
        self._offsets_s = offsets_s
        self._furnaces: dict[str, Synchrony] = {}
        # One modality alone cannot show the difference of two clocks.
        self._alone: dict[str, Modality] = {}

    def take(self, chunk: Chunk, outcome: Outcome) -> None:
        """Take a record and its outcome; records of an earlier life are ignored."""
        if not outcome.history and outcome.refusal is None:
            self._note(chunk)

    def forget(self, furnace_ids: Iterable[str]) -> None:
        """Forget furnaces that are retired."""
        for furnace_id in furnace_ids:
            self._furnaces.pop(furnace_id, None)
            self._alone.pop(furnace_id, None)

    def reasons(self, furnace_id: str) -> tuple[Reason, ...]:
        """Return the reason for a furnace's scores while its clocks disagree too much."""
        furnace = self._furnaces.get(furnace_id)
        disagree = furnace is not None and furnace.level is SkewLevel.ALARM
        return (SYNC_SKEW,) if disagree else ()

    def skews_s(self) -> dict[str, float]:
        """Return video clock minus current clock, seconds, of each furnace where it is known."""
        skews_s = {name: furnace.skew_s for name, furnace in self._furnaces.items()}
        return {name: skew_s for name, skew_s in skews_s.items() if skew_s is not None}

    @property
    def size_bytes(self) -> int:
        """What the signals of all furnaces hold."""
        return sum(furnace.size_bytes for furnace in self._furnaces.values())

    def _note(self, chunk: Chunk) -> None:
        modality = chunk.modality
        furnace = self._followed(chunk.identity.furnace_id, modality)
        if furnace is None:
            return
        values = self._signal(chunk)
        for time_ns, value in zip(chunk.event_times_ns.tolist(), values.tolist(), strict=True):
            if not math.isnan(value):  # a sample with a missing phase has no sum
                furnace.note(modality, time_ns, value)
        before = furnace.level
        if furnace.update() and max(before, furnace.level) > SkewLevel.FINE:
            _tell(chunk.identity.furnace_id, furnace)

    def _followed(self, furnace_id: str, modality: Modality) -> Synchrony | None:
        """Return a furnace's clocks once both modalities have sent records."""
        furnace = self._furnaces.get(furnace_id)
        if furnace is None and self._alone.setdefault(furnace_id, modality) is not modality:
            del self._alone[furnace_id]
            offset_s = self._offsets_s.get(furnace_id, 0.0)
            furnace = self._furnaces[furnace_id] = Synchrony(offset_s)
        return furnace

    def _signal(self, chunk: Chunk) -> NDArray[np.float64]:
        """Return one value an event: the frame's mean grey, or the sum of the amperes."""
        if isinstance(chunk, EmbeddingChunk):
            greys: NDArray[np.float64] = self._features.greys(chunk.data).mean(axis=1)
            return greys
        amperes: NDArray[np.float64] = np.abs(chunk.data).sum(axis=1, dtype=np.float64)
        return amperes


def _tell(furnace_id: str, furnace: Synchrony) -> None:
    """Log that a skew worth a look began, changed its level or ended."""
    tell = _log.warning if furnace.level > SkewLevel.FINE else _log.info
    tell(
        "sync_skew_changed",
        furnace=furnace_id,
        skew_level=furnace.level.name.lower(),
        skew_s=None if furnace.skew_s is None else round(furnace.skew_s, 3),
    )
