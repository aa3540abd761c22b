"""A furnace whose brightness and currents come from the same arcs, seen by two clocks."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from meltwatch_schemas import current, embedding
from meltwatch_schemas.current import CurrentChunk, encode_current
from meltwatch_schemas.embedding import EmbeddingChunk, encode_embedding
from meltwatch_schemas.encoder import Encoder
from meltwatch_schemas.record import headers_for
from meltwatch_schemas.topics import Topic, timestamp_ms
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC
from numpy.typing import NDArray

from tests.support.input_records import ORIGIN_NS, PERIOD_NS, STRIDE_NS, InputRecord, identity

Floats = NDArray[np.float64]
FRAME_S: Final = STRIDE_NS / NS_PER_S
SAMPLE_S: Final = PERIOD_NS / NS_PER_S
_RATE_HZ: Final = 25.0
_MARGIN_S: Final = 10.0


class Arcs:
    """The unsteadiness of the arcs: Gaussian, of deviation 1, without anything above 0.8 Hz.

    Parameters
    ----------
    seed
        Equal seeds give equal arcs.
    seconds
        They burn from 0 until then, and 10 s before and after.
    """

    def __init__(self, seed: int, seconds: float) -> None:
        count = round((seconds + 2 * _MARGIN_S) * _RATE_HZ)
        spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(count))
        frequencies_hz = np.fft.rfftfreq(count, 1 / _RATE_HZ)
        spectrum[(frequencies_hz > 0.8) | (frequencies_hz < 0.01)] = 0
        values = np.fft.irfft(spectrum, count)
        self._values = values / values.std()

    def at(self, times_s: Floats) -> Floats:
        """Return the arcs at some true times."""
        instants_s = np.arange(self._values.size) / _RATE_HZ - _MARGIN_S
        values: Floats = np.interp(times_s, instants_s, self._values)
        return values


@dataclass(frozen=True, kw_only=True)
class Observer:
    """A camera or a meter.

    Attributes
    ----------
    period_s
        Seconds from one event to the next.
    snr
        Variance of the arcs over that of white noise.
    ahead_s
        By how much its clock is ahead.
    drift
        How much faster its clock goes, as a share.
    jitter_s
        Its stamps err by up to so much, uniformly.
    """

    period_s: float
    snr: float = np.inf
    ahead_s: float = 0.0
    drift: float = 0.0
    jitter_s: float = 0.0

    def see(self, arcs: Arcs, seconds: float, seed: int) -> tuple[Floats, Floats]:
        """Return stamps by its own clock, increasing, and values, ``(n,)`` each."""
        rng = np.random.default_rng(seed)
        times_s = np.arange(rng.uniform(0, self.period_s), seconds, self.period_s)
        noise = rng.standard_normal(times_s.size) / np.sqrt(self.snr)
        stamps_s = times_s * (1 + self.drift) + self.ahead_s
        stamps_s += rng.uniform(-self.jitter_s, self.jitter_s, times_s.size)
        order = np.argsort(stamps_s)
        return stamps_s[order], (arcs.at(times_s) + noise)[order]


def arc_records(
    furnace_id: str,
    seconds: float,
    *,
    video_ahead_s: float,
    encoder: Encoder,
    start_ns: int = ORIGIN_NS,
) -> list[InputRecord]:
    """Return what producers of one furnace send, by event time, nothing late."""
    arcs, end_ns = Arcs(start_ns % 2**32, seconds), start_ns + round(seconds * NS_PER_S)

    def at(*times_ns: int) -> Floats:
        return arcs.at((np.array(times_ns) - start_ns) / NS_PER_S)

    ahead_ns = round(video_ahead_s * NS_PER_S)
    phase_ns = PUBLISHED_SPEC.phase_ns(furnace_id) % STRIDE_NS
    first_ns = start_ns - (start_ns - phase_ns) % STRIDE_NS + STRIDE_NS
    frames = [
        _frame(furnace_id, event_ns, at(event_ns - ahead_ns), encoder)
        for event_ns in range(first_ns, end_ns, STRIDE_NS)
    ]
    samples = [
        _samples(furnace_id, event_ns, at(event_ns, event_ns + PERIOD_NS))
        for event_ns in range(start_ns, end_ns - PERIOD_NS, 2 * PERIOD_NS)
    ]
    return sorted([*frames, *samples], key=lambda r: (r.timestamp_ms, r.topic.value))


def _frame(furnace_id: str, event_ns: int, arcs: Floats, encoder: Encoder) -> InputRecord:
    seq = (event_ns - ORIGIN_NS) // STRIDE_NS
    picture = np.random.default_rng(seq).integers(60, 120, (1, 64, 64, 3))
    lit = np.clip(picture + np.rint(20 * arcs), 0, 255).astype(np.uint8)
    chunk = EmbeddingChunk(
        identity(furnace_id, "camera", seq, event_ns),
        np.array([event_ns], np.int64),
        encoder.encoder_id,
        encoder.encode(lit),
    )
    return InputRecord(
        Topic.EMBEDDINGS, furnace_id.encode(), encode_embedding(chunk),
        tuple(headers_for(embedding.SCHEMA)), timestamp_ms(event_ns),
    )  # fmt: skip


def _samples(furnace_id: str, event_ns: int, arcs: Floats) -> InputRecord:
    seq = (event_ns - ORIGIN_NS) // PERIOD_NS
    noise = np.random.default_rng(seq).normal(0, 200, (arcs.size, 3))
    chunk = CurrentChunk(
        identity(furnace_id, "meter", seq, event_ns + PERIOD_NS),
        event_ns,
        PERIOD_NS,
        (40_000 + 2_000 * arcs[:, None] + noise).astype(np.float32),
    )
    return InputRecord(
        Topic.CURRENTS, furnace_id.encode(), encode_current(chunk),
        tuple(headers_for(current.SCHEMA)), timestamp_ms(event_ns + PERIOD_NS),
    )  # fmt: skip
