"""How unlike their portraits furnaces are in a replay: by live's functions, from live's state."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import NamedTuple

from meltwatch_core.join.restore import Past
from meltwatch_core.join.window import AlignedWindow
from meltwatch_core.portraits import KnownPortrait, is_stale, novelty_of
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.novelty import Novelty
from meltwatch_schemas.portrait import decode_portrait, portrait_id
from meltwatch_schemas.reasons import Reason
from meltwatch_schemas.record import read_portrait
from meltwatch_schemas.score import ModelIdentity, WindowScore
from meltwatch_schemas.topics import Topic

from meltwatch_backtester.domain.novelty_comparison import (
    NOVELTY_TOLERANCE,
    novelty_difference,
    stale_words,
)
from meltwatch_backtester.domain.tally import Tally
from meltwatch_backtester.pipeline.scope import Scope
from meltwatch_backtester.ports import History, TopicPart

PORTRAITS = TopicPart(Topic.PORTRAITS, 0)


class PortraitName(NamedTuple):
    """A portrait of a furnace."""

    furnace_id: str
    portrait_id: str


class Portrayed(NamedTuple):
    """What a score says of a portrait: as in the score, and its words."""

    novelty: Novelty | None = None
    words: tuple[Reason, ...] = ()


_NOTHING = Portrayed()


def read_portraits(
    history: History, scope: Scope, wanted: Callable[[str], bool]
) -> dict[PortraitName, bytes]:
    """Return the portraits of some furnaces that history still holds, older ones among them.

    Parameters
    ----------
    history, scope
        What is replayed.
    wanted
        Tells of a furnace whether its portraits are.
    """
    found: dict[PortraitName, bytes] = {}
    for raw in history.read(PORTRAITS, *scope[PORTRAITS]):
        # The topic is open to strangers: live refuses what is no portrait, too.
        with suppress(ContractViolation):
            furnace_id = (raw.key or b"").decode(errors="replace")
            if raw.value is not None and wanted(furnace_id):
                read_portrait(raw)
                found[PortraitName(furnace_id, portrait_id(raw.value))] = raw.value
    return found


class ReplayedNovelty:
    """What the replayed scores of one partition say of portraits, window by window.

    A window takes the portrait that its live score names, or the one that is to be tried. Where
    live judged by the same portrait and the same model, each window goes on from what live's score
    before it says, as live did. So a difference is told once, where it is. Everywhere else it goes
    on from the replay's own.

    Parameters
    ----------
    portraits
        Those that history holds.
    tried
        By furnace, the bytes of a portrait in place of the one that live had.
    pasts
        By furnace, what its newest score before the span says of it.
    model
        That scores the replay.
    tally
        Where to count.
    """

    def __init__(
        self,
        portraits: Mapping[PortraitName, bytes],
        tried: Mapping[str, bytes],
        pasts: Mapping[str, Past],
        model: ModelIdentity,
        tally: Tally,
    ) -> None:
        self._tried = {name: PortraitName(name, portrait_id(tried[name])) for name in tried}
        self._values = {**portraits, **{self._tried[name]: tried[name] for name in tried}}
        self._unpacked: dict[str, KnownPortrait] = {}
        self._lives = {name: past.novelty for name, past in pasts.items()}
        self._own = dict(self._lives)
        self._model = model
        self._tally = tally

    def take(
        self, window: AlignedWindow, live: WindowScore | None, logit: float | None
    ) -> Portrayed:
        """Return what the next score of a furnace says of a portrait.

        Parameters
        ----------
        window
            Of the furnace, in order.
        live
            Live's score of it, or None.
        logit
            What the replay's model says of it; None if nothing.
        """
        furnace_id = window.furnace_id
        name = self._tried.get(furnace_id) or self._named(furnace_id, live)
        found = _told_by(live) if name is None else self._compared(name, window, live, logit)
        self._own[furnace_id] = found.novelty
        self._lives[furnace_id] = found.novelty if live is None else live.novelty
        return found

    def pass_over(self, live: WindowScore | None) -> None:
        """Take note of a live score whose window the replay does not have."""
        if live is not None:
            self._lives[live.furnace_id] = live.novelty

    def _named(self, furnace_id: str, live: WindowScore | None) -> PortraitName | None:
        """Return the portrait that live's score names, or without one that of the window before."""
        novelty = self._own.get(furnace_id) if live is None else live.novelty
        return None if novelty is None else PortraitName(furnace_id, novelty.portrait)

    def _compared(
        self,
        name: PortraitName,
        window: AlignedWindow,
        live: WindowScore | None,
        logit: float | None,
    ) -> Portrayed:
        counts = self._tally.portrayed[name.furnace_id]
        portrait = self._known(name)
        if portrait is None:
            counts.carried_over += 1
            return _told_by(live)
        before, is_known = self._own.get(name.furnace_id), True
        if live is not None and self._is_judged_alike(name, live):
            before = self._lives.get(name.furnace_id)
            is_known = name.furnace_id in self._lives
            # Another server's last digits are not to decide what ages a portrait.
            logit = logit if live.logit is None else live.logit
        novelty = novelty_of(window, logit, portrait, before)
        if not is_known and live is not None and not _is_same(novelty, live.novelty):
            counts.unknown_before += 1
            return _told_by(live)
        counts.computed += 1
        words = (Reason.PORTRAIT_STALE,) if is_stale(window, portrait, novelty) else ()
        return Portrayed(novelty, words)

    def _is_judged_alike(self, name: PortraitName, live: WindowScore) -> bool:
        is_of_it = live.novelty is not None and live.novelty.portrait == name.portrait_id
        return is_of_it and live.model == self._model

    def _known(self, name: PortraitName) -> KnownPortrait | None:
        known = self._unpacked.get(name.furnace_id)
        if known is not None and known.portrait_id == name.portrait_id:
            return known
        value = self._values.get(name)
        if value is None:
            return None
        found = KnownPortrait.of(decode_portrait(value), name.portrait_id)
        self._unpacked[name.furnace_id] = found
        return found


def _told_by(live: WindowScore | None) -> Portrayed:
    return _NOTHING if live is None else Portrayed(live.novelty, stale_words(live))


def _is_same(one: Novelty, other: Novelty | None) -> bool:
    return novelty_difference(one, other) <= NOVELTY_TOLERANCE
