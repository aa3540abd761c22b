"""Scores whose truth is known: log-odds of normal operation are a stationary AR(1) process."""

import numpy as np
from meltwatch_trainer.judge.scores import Scores, score_key
from scipy.signal import lfilter

HOP_S = 1.44
DURATION_S = 3600.0
SLOT_S = 600.0
MEMORY = 0.9
"""Correlation of one window with the next."""


def ar1(rng: np.random.Generator, size: int, memory: float = MEMORY) -> np.ndarray:
    """Return a stationary Gaussian series of unit variance."""
    innovations = rng.normal(0, np.sqrt(1 - memory**2), size)
    innovations[0] = rng.normal()
    return np.asarray(lfilter([1.0], [1.0, -memory], innovations))


def synthetic_scores(
    seed: int, quality: dict[str, float], furnaces: int = 20, states: tuple[str, ...] = ("both",)
) -> Scores:
    """Return scores of networks whose log-odds rise by ``quality`` during faults.

    Noise is half each network's own, half shared by all; a fault begins 200 s into each slot.
    """
    rng = np.random.default_rng(seed)
    ends_s = np.arange(-10.0, DURATION_S, HOP_S)
    run = np.repeat(np.arange(furnaces, dtype=np.int32), len(ends_s))
    end_s = np.tile(ends_s, furnaces)
    starts_s = np.arange(200.0, DURATION_S, SLOT_S)
    lengths_s = rng.uniform(30, 180, (furnaces, len(starts_s)))
    phase = np.floor((end_s - 200) / SLOT_S).astype(int).clip(0, len(starts_s) - 1)
    age = end_s - starts_s[phase]
    label = ((age >= 0) & (age < lengths_s[run, phase])).astype(np.int8)
    kinds = rng.random((3, furnaces * len(starts_s))) < np.array([[0.3], [0.06], [0.25]])
    logits = {}
    for state in states:
        shared = _noise(rng, furnaces, len(ends_s))
        for name, rise in quality.items():
            own = _noise(rng, furnaces, len(ends_s))
            noise = (shared + own) / np.sqrt(2)
            logits[score_key(name, state)] = (noise + rise * label - 2).astype(np.float32)
    return Scores(
        furnaces=tuple(f"synthetic/furnace-{number}" for number in range(furnaces)),
        durations_s=np.full(furnaces, DURATION_S),
        hop_s=HOP_S,
        run=run,
        end_s=end_s,
        label=label,
        logits=logits,
        pixels={key: rng.integers(1, 1000, (furnaces, 3)) for key in logits},
        fault_run=np.repeat(np.arange(furnaces, dtype=np.int32), len(starts_s)),
        fault_start_s=np.tile(starts_s, furnaces),
        fault_end_s=(starts_s + lengths_s).ravel(),
        fault_misty=kinds[0],
        fault_veiled=kinds[1],
        fault_silent=kinds[2] & ~kinds[1],
    )


def _noise(rng: np.random.Generator, furnaces: int, windows: int) -> np.ndarray:
    return np.concatenate([ar1(rng, windows) for _ in range(furnaces)])
