"""How unlike their portraits furnaces are: the portraits that stand, and what scores said last."""

from collections.abc import Mapping
from typing import Final

import structlog
from meltwatch_chassis.metrics import Metrics
from meltwatch_core.join.restore import Past
from meltwatch_core.join.window import AlignedWindow
from meltwatch_core.portraits import KnownPortrait, is_stale, novelty_of
from meltwatch_schemas.errors import ContractViolation, violation
from meltwatch_schemas.novelty import Novelty
from meltwatch_schemas.portrait import portrait_id
from meltwatch_schemas.reasons import Reason
from meltwatch_schemas.record import RawRecord, read_portrait
from meltwatch_schemas.text import escaped

from meltwatch_stream_processor.ports import PortraitFeed

_STALE: Final = (Reason.PORTRAIT_STALE,)
_log = structlog.get_logger()


class PortraitBook:
    """The newest portrait of each furnace, as its record says.

    A newest record that is none of ours leaves its furnace without a portrait: what stood before
    it is gone once Kafka compacts the topic, and a restart must not change what is judged.

    Parameters
    ----------
    most
        Portraits that are held; of further furnaces they are refused.
    metrics
        Portraits that are held and records that are refused are counted.
    """

    def __init__(self, most: int, metrics: Metrics) -> None:
        self._most = most
        self._metrics = metrics
        self._known: dict[str, KnownPortrait] = {}
        self._anew: dict[str, KnownPortrait] | None = None

    def of(self, furnace_id: str) -> KnownPortrait | None:
        """Return the portrait of a furnace, if it has one."""
        return self._known.get(furnace_id)

    def begin_anew(self) -> None:
        """Expect every record of the topic from its beginning; until ``settle`` the old count."""
        self._anew = {}

    def settle(self) -> None:
        """Take note that every record has come that stood there."""
        if self._anew is not None:
            self._known, self._anew = self._anew, None
            self._metrics.portraits.set(len(self._known))
            _log.info("portraits_read", portraits=len(self._known))

    def take(self, raw: RawRecord) -> None:
        """Take a record of the topic: a portrait, its retirement, or what is neither."""
        known = self._known if self._anew is None else self._anew
        furnace_id = (raw.key or b"").decode(errors="replace")
        known.pop(furnace_id, None)
        if raw.value is None:
            self._tell("portrait_retired", furnace_id)
        else:
            try:
                found = self._read(raw, len(known))
            except ContractViolation as refusal:
                self._refused(raw, refusal)
            else:
                known[furnace_id] = found
                self._tell("portrait_taken", furnace_id, portrait=found.portrait_id)
        if self._anew is None:
            self._metrics.portraits.set(len(known))

    def _read(self, raw: RawRecord, held: int) -> KnownPortrait:
        portrait = read_portrait(raw)
        if held >= self._most:
            raise violation(f"expected portraits of at most {self._most} furnaces")
        return KnownPortrait.of(portrait, portrait_id(raw.value or b""))

    def _refused(self, raw: RawRecord, refusal: ContractViolation) -> None:
        self._metrics.portraits_refused.labels(refusal.reason.value).inc()
        _log.error(
            "portrait_refused", topic=raw.topic, offset=raw.offset, error=refusal.reason.value,
            furnace=escaped((raw.key or b"").decode(errors="replace"))[:200],
            detail=escaped(refusal.detail),
        )  # fmt: skip

    def _tell(self, event: str, furnace_id: str, **more: str) -> None:
        if self._anew is None:  # at the start one line tells of all
            _log.info(event, furnace=escaped(furnace_id)[:200], **more)


class NoveltyWatch:
    """What the scores of one partition say of portraits, window by window.

    Parameters
    ----------
    portraits
        Those that stand.
    """

    def __init__(self, portraits: PortraitFeed) -> None:
        self._portraits = portraits
        self._before: dict[str, Novelty] = {}

    def restore(self, furnaces: Mapping[str, Past]) -> None:
        """Go on from what was published; what is known here is newer."""
        for furnace_id, past in furnaces.items():
            if past.novelty is not None and self._portraits.of(furnace_id) is not None:
                self._before.setdefault(furnace_id, past.novelty)

    def take(
        self, window: AlignedWindow, logit: float | None
    ) -> tuple[Novelty | None, tuple[Reason, ...]]:
        """Return what the next score of a furnace says of its portrait, and its words for it.

        Parameters
        ----------
        window
            Of the furnace, in order.
        logit
            What the ensemble says of it; None if nothing.
        """
        furnace_id = window.furnace_id
        portrait = self._portraits.of(furnace_id)
        if portrait is None:
            self._before.pop(furnace_id, None)
            return None, ()
        novelty = novelty_of(window, logit, portrait, self._before.get(furnace_id))
        self._before[furnace_id] = novelty
        return novelty, _STALE if is_stale(window, portrait, novelty) else ()
