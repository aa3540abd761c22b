"""Randomness without state: every value is a hash of a key and a counter.

Every result is exact to the last bit: only sums, products, quotients, square roots and shifts touch
arrays, all of them rounded as IEEE 754 says. So a value depends neither on the batch in which it
was asked for nor on the processor or the release of NumPy (``exp`` and the like differ in the last
bit between them, and between a loop's body and its tail; sums of arrays depend on their order).
"""

import hashlib
import math
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
TimesNs = NDArray[np.int64]

_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_MIX_1: Final = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2: Final = np.uint64(0x94D049BB133111EB)
_U16: Final = np.uint64(0xFFFF)


@lru_cache(maxsize=8192, typed=True)
def key_of(*parts: object) -> int:
    """Return a 64-bit key of the parts' text; equal parts give equal keys on every machine."""
    text = "|".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def _hash(key: int, counter: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return splitmix64 of key and counter (Steele et al. 2014), any shape."""
    mixed = counter.astype(np.uint64) * _GOLDEN + np.uint64(key)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * _MIX_1
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _MIX_2
    return mixed ^ (mixed >> np.uint64(31))


def uniform(key: int, counter: NDArray[np.int64]) -> FloatArray:
    """Return values in [0, 1) of the counter's shape."""
    return (_hash(key, counter) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def normal(key: int, counter: NDArray[np.int64]) -> FloatArray:
    """Return values of mean 0 and standard deviation 1, limited to ±3.5 (sum of four uniforms)."""
    bits = _hash(key, counter)
    total: FloatArray = np.zeros(bits.shape)
    for shift in (0, 16, 32, 48):
        total += (bits >> np.uint64(shift)) & _U16
    deviates: FloatArray = (total / 65536.0 - 2.0) * math.sqrt(3.0)
    return deviates


def smoothstep(x: FloatArray) -> FloatArray:
    """Return the cubic ramp from 0 (x <= 0) to 1 (x >= 1)."""
    x = np.clip(x, 0.0, 1.0)
    return x * x * (3.0 - 2.0 * x)


def fade(x: FloatArray) -> FloatArray:
    """Return ``(1 - x/8)**8``, 0 from 8 on: like ``exp(-x)``, with the same bits everywhere.

    ``x`` is at least 0; float32 stays float32.
    """
    fading = np.clip(1 - x * 0.125, 0.0, 1.0)
    for _ in range(3):
        fading = fading * fading
    return fading


def wander(key: int, times_ns: TimesNs, period_ns: int) -> FloatArray:
    """Return a smooth random walk in place: mean 0, deviation about 0.9, new value each period."""
    step, rest = np.divmod(times_ns, np.int64(period_ns))
    weight = smoothstep(rest / period_ns)
    return normal(key, step) * (1.0 - weight) + normal(key, step + 1) * weight


def texture(key: int, size: int, cell: int) -> FloatArray:
    """Return a tileable smooth noise image, shape ``(size, size)``, mean 0, deviation about 1.

    Parameters
    ----------
    cell
        Pixels between independent values; divides ``size``.
    """
    count = size // cell
    nodes = normal(key, np.arange(count * count, dtype=np.int64)).reshape(count, count)
    step, rest = np.divmod(np.arange(size), cell)
    weight = smoothstep(rest / cell)
    rows = nodes[step] * (1 - weight[:, None]) + nodes[(step + 1) % count] * weight[:, None]
    image = rows[:, step] * (1 - weight) + rows[:, (step + 1) % count] * weight
    return standardised(image)


def standardised(image: FloatArray) -> FloatArray:
    """Return an image with mean 0 and deviation 1."""
    centred = image - math.fsum(image.ravel().tolist()) / image.size
    variance = math.fsum((centred * centred).ravel().tolist()) / image.size
    return centred / math.sqrt(variance)
