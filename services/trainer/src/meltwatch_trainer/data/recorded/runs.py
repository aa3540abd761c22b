"""Runs and windows to learn from, cut out of labelled recordings."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC
from numpy.typing import NDArray

from meltwatch_trainer.data.furnace_run import FurnaceRun
from meltwatch_trainer.data.recorded.enough import RecordingSize
from meltwatch_trainer.data.recorded.labels import LabelledSpan, LabelledTime
from meltwatch_trainer.data.recorded.store import RecordedFurnace
from meltwatch_trainer.data.windows import NORMAL, UNKNOWN_MASK, Split, TimesNs, window_ends

FEWEST_WINDOWS: Final = 20
"""A shorter run could hardly raise an alarm."""
DRAWN_PER_HOUR: Final = 1000
_WITHOUT_FAULTS: Final = {"anomalous": 0.0, "near": 0.0}


@dataclass(frozen=True, slots=True)
class LabelledFault:
    """A labelled fault: nothing is known of how hard it was to see."""

    start_ns: int
    end_ns: int
    heavy_mist: bool = False
    veiled: bool = False
    silent: bool = False


@dataclass(frozen=True, slots=True)
class LabelledRecording:
    """A recording with what is known of it.

    Attributes
    ----------
    labels
        ``(n,)``, int8, of each window: 1 anomalous, 0 normal, -1 unclear.
    """

    furnace: RecordedFurnace
    time: LabelledTime
    labels: NDArray[np.int8]

    def runs(self, every: int) -> Iterator[FurnaceRun]:
        """Yield its runs, through each n-th window."""
        return (self._run(windows, every) for windows in self.stretches())

    def stretches(self) -> list[NDArray[np.int64]]:
        """Return which windows stand on end without one missing or in doubt, long enough."""
        ends_ns = self.furnace.ends_ns
        clear = np.flatnonzero(~self.time.doubtful(ends_ns)).astype(np.int64)
        breaks = np.flatnonzero(np.diff(ends_ns[clear]) != PUBLISHED_SPEC.hop_ns) + 1
        return [part for part in np.split(clear, breaks) if len(part) >= FEWEST_WINDOWS]

    def size(self) -> RecordingSize:
        """Return how much it holds."""
        hop_s = PUBLISHED_SPEC.hop_ns / NS_PER_S
        ends_ns = self.furnace.ends_ns
        shown = [((ends_ns > a) & (ends_ns <= b)).any() for a, b in self.time.faults]
        normal_s = float((self.labels == NORMAL).sum() * hop_s)
        return RecordingSize(self.furnace.name, sum(map(bool, shown)), normal_s)

    def _run(self, windows: NDArray[np.int64], every: int) -> FurnaceRun:
        ends_ns = self.furnace.ends_ns[windows]
        origin_ns = int(ends_ns[0]) - PUBLISHED_SPEC.hop_ns
        windows = windows[every - 1 :: every]
        span = LabelledSpan(origin_ns, int(ends_ns[-1]))
        return FurnaceRun(
            furnace_id=self.furnace.furnace_id,
            origin_ns=origin_ns,
            duration_s=(span.end_ns - span.start_ns) / NS_PER_S,
            seen=self.furnace.observed(windows),
            labels=self.labels[windows],
            masks=np.array(self.furnace.masks[windows]) if self.furnace.has_masks else None,
            faults=_faults_within(self.time.faults, span),
        )

    def drawn(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw the windows to learn from, with the shares of the simulated study.

        A part ends within a fault, a part close to one, a part where an alarm was false; the
        others anywhere. Where a recording has no such time, more end anywhere.
        """
        ends_ns = self.furnace.ends_ns
        hours = len(ends_ns) * PUBLISHED_SPEC.hop_ns / NS_PER_S / 3600
        count = min(len(ends_ns), max(1, round(DRAWN_PER_HOUR * hours)))
        faults_ns = np.array(self.time.faults, dtype=np.int64).reshape(-1, 2)
        shares = {} if len(faults_ns) else _WITHOUT_FAULTS
        split = Split(self.furnace.name, 1, count, **shares)
        span_ns = int(ends_ns[0]), int(ends_ns[-1]) + 1
        wanted = window_ends(rng, split, span_ns, faults_ns, _seconds_of(self.time.look_alikes))
        known = np.flatnonzero(~self.time.doubtful(ends_ns))
        after = np.searchsorted(ends_ns[known], wanted).clip(max=len(known) - 1)
        return known[after].astype(np.int64)


class RecordedWindows:
    """Windows of several recordings by number, read from their maps when asked for.

    Parameters
    ----------
    recordings
        With the windows of each, as ``LabelledRecording.drawn`` gives them.
    """

    def __init__(self, recordings: Sequence[tuple[LabelledRecording, NDArray[np.int64]]]) -> None:
        self._recordings = [recording for recording, _ in recordings]
        self._of = np.concatenate(
            [np.full(len(rows), i, dtype=np.int64) for i, (_, rows) in enumerate(recordings)]
        )
        self._rows = np.concatenate([rows for _, rows in recordings])

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self._rows)

    @property
    def nbytes(self) -> int:
        """What all of them take in memory."""
        return len(self) * (10 * 64 * 64 * 3 + 240 * 3 * 4 + 64 * 64 + 1)

    def take(self, name: str, index: NDArray[np.int64]) -> NDArray[Any]:
        """Return one field of the windows of these numbers."""
        return np.stack([self._one(name, int(number)) for number in index])

    def _one(self, name: str, number: int) -> NDArray[Any]:
        recording, row = self._recordings[self._of[number]], int(self._rows[number])
        furnace, label = recording.furnace, recording.labels[row]
        if name == "clips":
            return furnace.frames[furnace.frame_of[row]]
        if name == "currents":
            return furnace.samples[row]
        if name == "labels":
            return np.asarray(label)
        if furnace.has_masks:
            return np.unpackbits(furnace.masks[row], axis=-1)
        return np.full((64, 64), 0 if label == NORMAL else UNKNOWN_MASK, dtype=np.uint8)


def _faults_within(faults: Sequence[LabelledSpan], span: LabelledSpan) -> tuple[LabelledFault, ...]:
    cut = ((max(start_ns, span.start_ns), min(end_ns, span.end_ns)) for start_ns, end_ns in faults)
    return tuple(LabelledFault(*pair) for pair in cut if pair[0] < pair[1])


def _seconds_of(stretches: Sequence[LabelledSpan]) -> TimesNs:
    """Return the whole seconds of stretches."""
    times = [np.arange(start_ns, end_ns, NS_PER_S) for start_ns, end_ns in stretches]
    return np.concatenate([np.empty(0, dtype=np.int64), *times])
