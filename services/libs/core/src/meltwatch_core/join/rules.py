"""The numbers of the window rule in one value: geometry, bounds, availability, retirement."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from meltwatch_schemas.current import PHASES
from meltwatch_schemas.score import Modality
from meltwatch_schemas.window import NS_PER_MS, NS_PER_S, PUBLISHED_SPEC, WindowSpec


@dataclass(frozen=True, kw_only=True)
class QualityLimits:
    """Limits from which content or clock of a source counts as wrong; see ADR 0010.

    Attributes
    ----------
    dark_grey, full_grey
        A patch whose mean grey is below is dark, at or above it saturated. A capped camera gives
        its sensor's noise, 1 to 3 greys; the darkest wall of a lit hall has 5 or more. White
        noise cut off at 255 keeps a saturated patch above 251.
    patch_share
        Share of the patches, in each frame, that make a frame black or saturated: a time stamp
        written into the picture covers up to three of 64.
    off_a
        A phase below it carries nothing, amperes: a current transformer for 10 kA and more shows
        up to some tens of amperes at rest, no furnace melts with a hundred.
    lost_ratio
        A phase is lost below this share of the largest one: electrodes out of balance or burning
        badly keep 30 % and more.
    marked_share
        Share of the look-back from which a lost or clipped phase is named; 10 s of 120 s, longer
        than arcs go out.
    unusable_share
        Share of the look-back from which currents so affected are not used; 30 s of 120 s. A
        phase that does not change for so long is stuck: live ones differ from sample to sample.
    clipped_levels
        Fewest different values beside the extreme one that tell a clipped meter from a coarse
        one.
    clock_step_ns
        Event time jumps by more than this, ns; producers may be ahead by 2 s.
    clock_stall_ns
        Event time stands still while ingest time goes on for more than this, ns.
    """

    dark_grey: float = 4.0
    full_grey: float = 251.0
    patch_share: float = 0.95
    off_a: float = 100.0
    lost_ratio: float = 0.02
    marked_share: float = 1 / 12
    unusable_share: float = 1 / 4
    clipped_levels: int = 12
    clock_step_ns: int = 2 * NS_PER_S
    clock_stall_ns: int = 2 * NS_PER_S


@dataclass(frozen=True)
class JoinRules:
    """How two streams of one furnace become windows.

    Attributes
    ----------
    spec
        Geometry of clip, look-back and hop.
    video_bound_ns, current_bound_ns
        How far a modality's watermark stays behind its newest event, ns.
    idle_gap_ns
        A modality that is waited for longer by the reader's clock is idle, ns.
    max_skew_ns
        A modality that is further behind the other one, in event time, for longer than this, by
        the reader's clock, is left out, ns.
    pause_cap_ns
        A pause between two records counts at most this much as waiting, ns.
    sample_reach_ns
        A sample is held for a grid point at most this long, ns.
    min_frames
        Filled slots from which video is available.
    min_values
        Present grid values (points x phases) from which current is available.
    quality
        Limits from which an available modality is not trusted.
    """

    spec: WindowSpec = PUBLISHED_SPEC
    video_bound_ns: int = 200 * NS_PER_MS
    current_bound_ns: int = 500 * NS_PER_MS
    idle_gap_ns: int = 5 * NS_PER_S
    max_skew_ns: int = 60 * NS_PER_S
    pause_cap_ns: int = NS_PER_S
    sample_reach_ns: int = 750 * NS_PER_MS
    min_frames: int = 9
    min_values: int = 684
    quality: QualityLimits = QualityLimits()

    def __post_init__(self) -> None:
        if self.spec.hop_ns > min(self.spec.clip_span_ns, self.spec.lookback_ns):
            raise ValueError(
                f"join rules: hop_ns must not exceed the clip's span and the look-back, or events "
                f"between two windows would be judged by neither; got {self.spec.hop_ns}"
            )
        if not 2 <= self.min_frames <= self.spec.clip_frames:
            raise ValueError(
                f"join rules: min_frames must lie within 2..{self.spec.clip_frames}, "
                f"got {self.min_frames}"
            )
        points = self.spec.lookback_samples
        if not (PHASES - 1) * points < self.min_values <= PHASES * points:
            raise ValueError(
                f"join rules: min_values must exceed {(PHASES - 1) * points} and not "
                f"{PHASES * points}, so that every phase has a value; got {self.min_values}"
            )

    @property
    def retire_after_ns(self) -> int:
        """A furnace is retired after more than this without a record, by the reader's clock, ns."""
        return self.spec.lookback_ns + self.idle_gap_ns

    def bound_ns(self, modality: Modality) -> int:
        """Return how far a modality's watermark stays behind its newest event, ns."""
        return self.video_bound_ns if modality is Modality.VIDEO else self.current_bound_ns

    def reach_ns(self, modality: Modality) -> int:
        """Return how far back from its end a window can use events of a modality, ns."""
        return self._reaches_ns[modality]

    @cached_property
    def _reaches_ns(self) -> Mapping[Modality, int]:
        grid_ns = (self.spec.lookback_samples - 1) * self.spec.sample_period_ns
        return {
            Modality.VIDEO: self.spec.clip_span_ns,
            Modality.CURRENT: grid_ns + self.sample_reach_ns,
        }


PUBLISHED_RULES: Final = JoinRules()
"""The published FmFormer's geometry with the product's bounds."""
