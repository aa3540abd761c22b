"""Which windows a model learns from, and what their labels are."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from meltwatch_schemas.window import NS_PER_MS, NS_PER_S, WindowSpec
from numpy.typing import NDArray

TimesNs = NDArray[np.int64]

NORMAL: Final = 0
ANOMALOUS: Final = 1
UNCLEAR: Final = -1

UNKNOWN_MASK: Final = 255
"""In all pixels of a mask that nobody drew."""

NEAR_NS: Final = 60 * NS_PER_S
"""How far from a fault a window that is close to one ends."""

FRAME_PERIOD_NS: Final = 40 * NS_PER_MS
"""A camera's 25 frames a second: a slot's frame is up to this much older than its slot."""

DETECTABLE: Final = 0.5
"""Development of a fault (0..1) from which a window counts as anomalous.

A spot reaches it 2.5 to 10 s after its first warmth. Below it, and while a spot cools, nobody could
say: such windows teach no class, or the model would learn to see what is not there yet.
"""


@dataclass(frozen=True, slots=True)
class Split:
    """A set of furnaces that no other set contains, and how many windows of each.

    Parameters
    ----------
    name
        Part of the furnaces' ids; also the name of the cache's folder.
    furnaces, windows
        Number of furnaces, and of windows from each.
    anomalous
        Share of windows that end within a fault on purpose; by chance, others do too.
    near
        Share that end within a minute before a fault's start or after its end on purpose.
    alike
        Share that end while a splash or a reflection glows on purpose: they take up a hundredth of
        the time, and networks that met no more of them took them for faults.
    """

    name: str
    furnaces: int
    windows: int
    anomalous: float = 0.3
    near: float = 0.15
    alike: float = 0.15

    @property
    def size(self) -> int:
        """Number of windows."""
        return self.furnaces * self.windows

    def furnace_id(self, number: int) -> str:
        """Return the id of one of the set's furnaces."""
        return f"{self.name}/furnace-{number:04d}"

    def scaled(self, scale: float) -> "Split":
        """Return the same with fewer furnaces, for a trial."""
        return replace(self, furnaces=max(FEWEST_FURNACES, round(self.furnaces * scale)))


FEWEST_FURNACES: Final = 2
TRAINING: Final = Split("training", furnaces=2000, windows=50)


def window_ends(
    rng: np.random.Generator,
    split: Split,
    span_ns: tuple[int, int],
    faults_ns: TimesNs,
    alike_ns: TimesNs,
) -> TimesNs:
    """Draw where a furnace's windows end.

    Parameters
    ----------
    span_ns
        Begin and end of the time that the furnace was watched.
    faults_ns
        Shape ``(m, 2)``, start and end of its faults, at least one.
    alike_ns
        Shape ``(k,)``, instants at which something glows that resembles one; without any, as many
        more windows end anywhere.

    Returns
    -------
    Shape ``(split.windows,)``: those within faults, close to one, within what glows, anywhere.
    """
    within = rng.choice(faults_ns, size=round(split.windows * split.anomalous))
    inside = within[:, 0] + (rng.random(len(within)) * np.diff(within)[:, 0]).astype(np.int64)
    close = rng.choice(faults_ns, size=round(split.windows * split.near))
    off_ns = (rng.random(len(close)) * NEAR_NS).astype(np.int64)
    beside = np.where(rng.random(len(close)) < 0.5, close[:, 0] - off_ns, close[:, 1] + off_ns)
    alike = rng.choice(alike_ns, size=round(split.windows * split.alike) if len(alike_ns) else 0)
    rest = split.windows - len(inside) - len(beside) - len(alike)
    return np.concatenate([inside, beside, alike, rng.integers(*span_ns, size=rest)])


def frame_times(spec: WindowSpec, ends_ns: TimesNs, lag_ns: TimesNs) -> TimesNs:
    """Return the event times of the frames of windows, oldest first.

    Parameters
    ----------
    ends_ns
        Shape ``(n,)``, window ends.
    lag_ns
        Shape ``(n,)``: how much older a frame is than its slot.

    Returns
    -------
    Shape ``(n, clip_frames)``.
    """
    back = np.arange(spec.clip_frames - 1, -1, -1, dtype=np.int64) * spec.frame_stride_ns
    return ends_ns[:, None] - back - lag_ns[:, None]


def sample_times(spec: WindowSpec, ends_ns: TimesNs, lag_ns: TimesNs) -> TimesNs:
    """Return the event times of the current samples of windows ``(n, lookback)``, oldest first."""
    back = np.arange(spec.lookback_samples - 1, -1, -1, dtype=np.int64) * spec.sample_period_ns
    return ends_ns[:, None] - back - lag_ns[:, None]


def labels_of(strength: NDArray[np.float64], burning: NDArray[np.bool_]) -> NDArray[np.int8]:
    """Return the classes of windows from the faults' development at their newest frames.

    Parameters
    ----------
    strength
        ``(n,)``: 0 (no fault) to 1 (fully developed).
    burning
        ``(n,)``: whether a fault still burns, as opposed to cools.
    """
    anomalous = burning & (strength >= DETECTABLE)
    unclear = ~anomalous & (strength > 0)
    return np.select([anomalous, unclear], [ANOMALOUS, UNCLEAR], NORMAL).astype(np.int8)


def seconds(value: float) -> int:
    """Return seconds as whole nanoseconds."""
    return round(value * NS_PER_S)
