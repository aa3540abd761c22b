"""Closes windows by event time alone, as live does when nothing is late.

The reader's clock is not recorded, and would mean nothing in a replay. Records come merged by the
event time of their last frame or sample. A modality of which nothing has come that late is idle: a
record that began in time would have come, as none spans more than two seconds.
"""

from collections.abc import Mapping

from meltwatch_schemas.chunk import MAX_SPAN_NS
from meltwatch_schemas.encoder import Encoder
from meltwatch_schemas.score import Modality

from meltwatch_core.join.buffers import Chunk
from meltwatch_core.join.frames import GreysOf
from meltwatch_core.join.furnace import Closing, Furnace, JoinContext, refusal_of
from meltwatch_core.join.quality import FeatureExtractor
from meltwatch_core.join.rules import PUBLISHED_RULES, JoinRules
from meltwatch_core.join.window import Outcome


class EventTimeJoiner:
    """Joins one partition pair by event time.

    Parameters
    ----------
    partition
        Number of the partition.
    encoder
        The encoder that the ensemble serves.
    rules
        The window rule's numbers.
    """

    def __init__(
        self, partition: int, encoder: Encoder, rules: JoinRules = PUBLISHED_RULES
    ) -> None:
        features = FeatureExtractor(encoder.basis)
        self._context = JoinContext(partition, encoder.encoder_id, features, rules)
        self._bounds_ns = {modality: rules.bound_ns(modality) for modality in Modality}
        self._idle_ns = max(self._bounds_ns.values()) + MAX_SPAN_NS
        self._furnaces: dict[str, Furnace] = {}
        self._closed_ns: dict[str, int | None] = {}
        self._newest_ns: dict[str, dict[Modality, int]] = {}
        self._handed_on: dict[Modality, int] = {}

    @property
    def greys_of(self) -> GreysOf:
        """Gives the greys of frames; those of the record handed on last are known already."""
        return self._context.features.greys

    def admit(self, chunk: Chunk, offset: int) -> Outcome:
        """Take the next record, in the order of event time over both topics."""
        name = chunk.identity.furnace_id
        self._handed_on[chunk.modality] = offset
        last = self._retire_if_away(name, chunk)
        retired = () if last is None else (name,)
        last = last or Closing()
        furnace = self._furnaces.get(name)
        sources: Mapping[Modality, str] = furnace.sources if furnace else {}
        refusal = refusal_of(chunk, sources, self._context.encoder_id)
        if refusal is not None:
            return Outcome(
                refusal=refusal, windows=tuple(last.windows), skipped=last.skipped, retired=retired
            )
        if furnace is None:
            furnace = Furnace(self._context, name, self._closed_ns.get(name))
            self._furnaces[name] = furnace
        late = furnace.is_late(chunk)
        duplicates = furnace.admit(chunk, offset)
        closing = furnace.close_until(self._watermark_ns(name, chunk), self._handed_on)
        return Outcome(
            late=late,
            duplicates=duplicates,
            windows=(*last.windows, *closing.windows),
            skipped=last.skipped + closing.skipped,
            retired=retired,
        )

    def _watermark_ns(self, name: str, chunk: Chunk) -> int:
        """Return up to where nothing more of a furnace is waited for, once a record has come."""
        newest_ns = self._newest_ns.setdefault(name, {})
        newest_ns[chunk.modality] = max(newest_ns.get(chunk.modality, 0), chunk.last_event_ns)
        idle_ns = max(newest_ns.values()) - self._idle_ns
        if len(newest_ns) < len(self._bounds_ns):
            return idle_ns
        return max(idle_ns, min(newest_ns[m] - bound for m, bound in self._bounds_ns.items()))

    def _retire_if_away(self, name: str, chunk: Chunk) -> Closing | None:
        """Retire a furnace whose next record is too far away; close its last windows."""
        furnace = self._furnaces.get(name)
        limit_ns = self._context.rules.retire_after_ns
        if furnace is None or chunk.last_event_ns - furnace.newest_ns <= limit_ns:
            return None
        closing = furnace.close_until(furnace.last_end_ns, self._handed_on)
        self._closed_ns[name] = furnace.closed_ns
        del self._furnaces[name], self._newest_ns[name]
        return closing
