"""The geometry of a window: which instants it stands on. No data, no clock."""

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from typing import Final

NS_PER_MS: Final = 1_000_000
NS_PER_S: Final = 1_000_000_000
INT64_MAX: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Grid:
    """The instants ``phase + m · step`` (m whole), ns since the Unix epoch."""

    phase_ns: int
    step_ns: int

    def first_after(self, time_ns: int) -> int:
        """Return the first instant strictly later than a time."""
        return time_ns + self.step_ns - (time_ns - self.phase_ns) % self.step_ns

    def between(self, after_ns: int, until_ns: int) -> range:
        """Return the instants within ``(after, until]``, ascending."""
        return range(self.first_after(after_ns), until_ns + 1, self.step_ns)


@dataclass(frozen=True)
class WindowSpec:
    """A clip of frames and a look-back of current samples, scored every hop.

    Attributes
    ----------
    clip_frames
        Slots of the clip; slot 0 is the newest and stands at the window's end.
    frame_stride_ns
        Distance of two slots.
    hop_ns
        Distance of two windows; a whole multiple of the stride.
    lookback_samples
        Points of the current grid; point 0 is the newest and stands at the window's end.
    sample_period_ns
        Distance of two grid points.
    """

    clip_frames: int = 10
    frame_stride_ns: int = 720_000_000
    hop_ns: int = 1_440_000_000
    lookback_samples: int = 240
    sample_period_ns: int = 500_000_000

    def __post_init__(self) -> None:
        if self.hop_ns % self.frame_stride_ns:
            raise ValueError(
                f"window spec: hop_ns must be a multiple of frame_stride_ns, "
                f"got {self.hop_ns} and {self.frame_stride_ns}"
            )

    @cached_property
    def spec_id(self) -> str:
        """First 12 hex digits of SHA-256 of the spec's canonical JSON."""
        text = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def lookback_ns(self) -> int:
        """Span of the current grid, ns."""
        return self.lookback_samples * self.sample_period_ns

    @property
    def clip_span_ns(self) -> int:
        """Reach of the clip into the past, ns: the oldest slot's own stride included."""
        return self.clip_frames * self.frame_stride_ns

    def phase_ns(self, furnace_id: str) -> int:
        """Return the furnace's offset of window ends, ns in ``[0, hop)``.

        Hashed from the id, so it depends on nothing that arrived, and furnaces do not all
        reach the scorer at one instant.
        """
        return _phase_ns(furnace_id, self.hop_ns)

    def window_end_ns(self, furnace_id: str, number: int) -> int:
        """Return ``T_k = phase + k · hop``, ns since the Unix epoch."""
        return self.phase_ns(furnace_id) + number * self.hop_ns

    def first_end_after(self, furnace_id: str, event_time_ns: int) -> int:
        """Return the first window end strictly later than an instant."""
        return Grid(self.phase_ns(furnace_id), self.hop_ns).first_after(event_time_ns)

    def frame_instants(self, furnace_id: str) -> Grid:
        """Return the instants at which a clip ever looks: every stride, window ends among them.

        A producer that sends the last frame before each of them has sent all that is ever used.
        """
        return Grid(self.phase_ns(furnace_id) % self.frame_stride_ns, self.frame_stride_ns)

    def window_id(self, furnace_id: str, window_end_ns: int) -> str:
        """Return the window's id: 32 hex digits that depend on nothing but its coordinates."""
        text = f"{furnace_id}|{window_end_ns}|{self.spec_id}"
        return hashlib.sha256(text.encode()).digest()[:16].hex()


@lru_cache(maxsize=4096)
def _phase_ns(furnace_id: str, hop_ns: int) -> int:
    digest = hashlib.sha256(furnace_id.encode()).digest()
    return int.from_bytes(digest[:8], "big") % hop_ns


PUBLISHED_SPEC: Final = WindowSpec()
"""The published FmFormer (clip 10 × 720 ms, look-back 240 × 500 ms), scored every 1.44 s."""
