"""Hours of one furnace as live left them behind: drawn embeddings and currents, and its scores.

Frames are drawn as embeddings, not simulated: what a portrait makes of real pictures is not tried
here. Windows are joined by event time, so that each score bears the cut that live's would.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from meltwatch_core.join.event_time import EventTimeJoiner
from meltwatch_core.join.topics import TopicNames
from meltwatch_core.join.window import AlignedWindow
from meltwatch_core.scoring.judge import Judgement
from meltwatch_core.scoring.ports import Verdict
from meltwatch_core.scoring.scores import ScoreContext, make_score
from meltwatch_schemas import current, embedding, score
from meltwatch_schemas.chunk import ChunkIdentity
from meltwatch_schemas.current import CurrentChunk, encode_current
from meltwatch_schemas.embedding import EmbeddingChunk, encode_embedding
from meltwatch_schemas.encoder import PATCHES, Encoder, dct_basis
from meltwatch_schemas.record import headers_for
from meltwatch_schemas.score import ModelIdentity, WindowScore, encode_score
from meltwatch_schemas.topics import Topic, timestamp_ms
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC

from tests.support.input_records import BOOT_ID, ORIGIN_NS, InputRecord

FURNACE = "plant/hall/FMF-01"
ENCODER = Encoder("dct", dct_basis(24))
HOUR_NS = 3600 * NS_PER_S
_MODEL = ModelIdentity("fmformer", "1", "0" * 64)
_SAMPLES = 4
_SHADE = 1600.0
"""First coefficient of a patch: a grey of 115."""

Chunk = EmbeddingChunk | CurrentChunk
Logit = Callable[[int], float | None]
"""The log-odds of the window that ends at an instant; None if it is not scored."""


@dataclass(frozen=True)
class Lived:
    """What a furnace left behind.

    Attributes
    ----------
    inputs
        Records of both topics, by topic in the order of their offsets.
    scores
        Of its windows, in order.
    """

    inputs: dict[Topic, list[InputRecord]]
    scores: list[WindowScore]

    def score_records(self) -> Iterator[InputRecord]:
        """Give the records of the scores."""
        for each in self.scores:
            yield InputRecord(
                Topic.SCORES,
                each.furnace_id.encode(),
                encode_score(each),
                tuple(headers_for(score.SCHEMA)),
                timestamp_ms(each.window_end_ns),
            )


def lived(
    hours: float,
    logit: Logit = lambda _: -5.0,
    furnace_id: str = FURNACE,
    prefix: str = "meltwatch",
    partition: int = 0,
) -> Lived:
    """Let a furnace live from ``ORIGIN_NS`` on."""
    end_ns = ORIGIN_NS + round(hours * HOUR_NS)
    chunks = sorted(
        [*_frames(furnace_id, end_ns), *_currents(furnace_id, end_ns)],
        key=lambda chunk: chunk.last_event_ns,
    )
    joiner = EventTimeJoiner(partition, ENCODER)
    inputs: dict[Topic, list[InputRecord]] = {Topic.EMBEDDINGS: [], Topic.CURRENTS: []}
    context = ScoreContext(
        TopicNames(prefix), _MODEL, PUBLISHED_SPEC.spec_id, 0.2, frozenset({furnace_id})
    )
    scores: list[WindowScore] = []
    for chunk in chunks:
        record = _record(chunk)
        log = inputs[record.topic]
        log.append(record)
        windows = joiner.admit(chunk, len(log) - 1).windows
        scores += [_score(each, logit(each.window_end_ns), context) for each in windows]
    return Lived(inputs, scores)


def _score(window: AlignedWindow, logit: float | None, context: ScoreContext) -> WindowScore:
    at_ns = window.window_end_ns + NS_PER_S
    judgement = Judgement()
    if logit is not None and window.modalities:
        map_ = np.zeros((64, 64), np.float32)
        judgement = Judgement(Verdict(logit, (logit, logit), 0.0, map_), at_ns)
    made = make_score(window, judgement, context, at_ns, at_ns)
    return replace(made, anomaly_map=None)


def _frames(furnace_id: str, end_ns: int) -> Iterator[EmbeddingChunk]:
    """Two frames a record: patches of a shade of their own, and noise; restless now and then."""
    draws = np.random.default_rng(1)
    stride_ns = PUBLISHED_SPEC.frame_stride_ns
    first_ns = PUBLISHED_SPEC.frame_instants(furnace_id).first_after(ORIGIN_NS)
    usual = np.zeros((PATCHES, ENCODER.dims))
    usual[:, 0] = _SHADE + 40 * draws.normal(size=PATCHES)
    for seq, event_ns in enumerate(range(first_ns, end_ns - stride_ns, 2 * stride_ns)):
        is_restless = event_ns // (600 * NS_PER_S) % 3 == 0
        noise = draws.normal(0, 24 if is_restless else 8, (2, PATCHES, ENCODER.dims))
        yield EmbeddingChunk(
            _identity(furnace_id, "camera", 2 * seq, event_ns + stride_ns),
            np.array([event_ns, event_ns + stride_ns], np.int64),
            ENCODER.encoder_id,
            (usual + noise).astype(np.float16),
        )


def _currents(furnace_id: str, end_ns: int) -> Iterator[CurrentChunk]:
    draws = np.random.default_rng(2)
    period_ns = PUBLISHED_SPEC.sample_period_ns
    for seq, event_ns in enumerate(range(ORIGIN_NS, end_ns, _SAMPLES * period_ns)):
        last_ns = event_ns + (_SAMPLES - 1) * period_ns
        amperes = draws.normal(40_000, 800, (_SAMPLES, 3)).astype(np.float32)
        yield CurrentChunk(
            _identity(furnace_id, "meter", _SAMPLES * seq, last_ns), event_ns, period_ns, amperes
        )


def _identity(furnace_id: str, source_id: str, seq: int, sent_ns: int) -> ChunkIdentity:
    return ChunkIdentity(
        furnace_id=furnace_id,
        source_id=source_id,
        boot_id=BOOT_ID,
        seq=seq,
        ingest_time_ns=sent_ns,
    )


def _record(chunk: Chunk) -> InputRecord:
    key = chunk.identity.furnace_id.encode()
    at_ms = timestamp_ms(chunk.last_event_ns)
    if isinstance(chunk, EmbeddingChunk):
        value, schema, topic = encode_embedding(chunk), embedding.SCHEMA, Topic.EMBEDDINGS
    else:
        value, schema, topic = encode_current(chunk), current.SCHEMA, Topic.CURRENTS
    return InputRecord(topic, key, value, tuple(headers_for(schema)), at_ms)
