"""Whether the sources of one furnace can be trusted: what a window may use, and why not all.

A function of the sequence handed on: clocks follow the records, proof of live data the windows.
Each score carries ``source_states``; a furnace that is restored goes on from its last published
ones.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from meltwatch_schemas.chunk import ChunkIdentity
from meltwatch_schemas.reasons import Reason
from meltwatch_schemas.score import Features, Modality, SourceState
from numpy.typing import NDArray

from meltwatch_core.join.features import FeatureExtractor
from meltwatch_core.join.frames import Clip
from meltwatch_core.join.quality import Finding, QualityCheck
from meltwatch_core.join.rules import JoinRules
from meltwatch_core.join.samples import CurrentGrid
from meltwatch_core.join.source_clock import clock_words, followed, is_set_back


@dataclass(frozen=True, slots=True, eq=False)
class Usable:
    """The parts of a window that may be used.

    Attributes
    ----------
    clip, currents_a
        Embeddings and grid; None where unavailable.
    features
        Of what is available.
    irregularities
        Words for what is wrong with a source, usable or not; a modality without any is absent.
    """

    clip: NDArray[np.float16] | None
    currents_a: NDArray[np.float32] | None
    features: Features
    irregularities: Mapping[Modality, tuple[Reason, ...]]


class SourceWatch:
    """Camera and meter of one furnace in one life.

    Parameters
    ----------
    rules
        The window rule's numbers.
    features
        Computes a window's features.
    states
        Those that an earlier life's last published score tells.
    """

    def __init__(
        self,
        rules: JoinRules,
        features: FeatureExtractor,
        states: Mapping[Modality, SourceState] | None = None,
    ) -> None:
        self._rules = rules
        self._features = features
        self._check = QualityCheck(rules.quality, features)
        self._states = dict(states or {})

    @property
    def states(self) -> dict[Modality, SourceState]:
        """Per modality with a source, the state that decides the quality of later windows."""
        return dict(self._states)

    def is_set_back(self, modality: Modality) -> bool:
        """Tell whether a source's clock went back and has not reached its old time yet."""
        return is_set_back(self._states.get(modality))

    def follow(self, modality: Modality, identity: ChunkIdentity, span_ns: tuple[int, int]) -> None:
        """Take the next record: who sent it, and its first and last event time."""
        state = self._states.get(modality)
        self._states[modality] = followed(
            state, identity, span_ns, self._rules.quality, self._rules.reach_ns(modality)
        )

    def forget_proof(self) -> None:
        """Forget what is proven of the sources: nothing came for a whole look-back."""
        self._states = {m: replace(state, proven=False) for m, state in self._states.items()}

    def inspect(self, end_ns: int, clip: Clip, grid: CurrentGrid) -> Usable:
        """Return what a window may use of its clip and grid; windows come in order."""
        embeddings, currents_a, check = clip.embeddings, grid.values_a, self._check
        features = self._features.features(embeddings, currents_a)
        video, current = [], check.current(grid)
        if embeddings is not None:
            video = check.video(embeddings, features)
            if not self._trusts(Modality.VIDEO, video, partial(check.is_live_video, embeddings)):
                embeddings = None
                features = replace(features, video_mean=None, video_motion=None)
        if currents_a is not None:
            is_live = partial(check.is_live_current, currents_a)
            if not self._trusts(Modality.CURRENT, current, is_live):
                currents_a = None
                features = replace(
                    features, current_mean_a=None, current_std_a=None, imbalance=None
                )
        found = {Modality.VIDEO: video, Modality.CURRENT: current}
        return Usable(embeddings, currents_a, features, self._words(found, end_ns))

    def _trusts(
        self, modality: Modality, findings: list[Finding], is_live: Callable[[], bool]
    ) -> bool:
        """Tell whether a modality may be used; only a source that was live can have stopped."""
        state = self._states.get(modality)
        if state is None:  # a published score without states: nothing is proven
            return True
        if not state.proven and not findings and is_live():
            self._states[modality] = replace(state, proven=True)
        return not (state.proven and any(finding.unusable for finding in findings))

    def _words(
        self, found: Mapping[Modality, list[Finding]], end_ns: int
    ) -> dict[Modality, tuple[Reason, ...]]:
        words = {}
        for modality, state in self._states.items():
            content, clock = found[modality], clock_words(state, modality, end_ns, self._rules)
            if content or clock:
                words[modality] = (*(finding.word for finding in content), *clock)
        # A fixed order, whichever source spoke first.
        return {modality: words[modality] for modality in Modality if modality in words}
