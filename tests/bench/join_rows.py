"""The join, and the messages that go in and come out: rows that need no server."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, partial
from typing import Any, Final

import msgpack
import numpy as np
from meltwatch_core.join.entry import read
from meltwatch_core.join.quality import FeatureExtractor
from meltwatch_core.join.topics import TopicNames
from meltwatch_core.join.window import AlignedWindow
from meltwatch_core.scoring.judge import Judgement
from meltwatch_core.scoring.ports import Verdict
from meltwatch_core.scoring.scores import ScoreContext, make_score
from meltwatch_schemas.current import decode_current, encode_current
from meltwatch_schemas.embedding import decode_embedding, encode_embedding
from meltwatch_schemas.encoder import default_encoder
from meltwatch_schemas.score import Modality, ModelIdentity, decode_score, encode_score
from meltwatch_schemas.window import PUBLISHED_SPEC

from tests.bench.comparison import Comparison, Size
from tests.bench.figure import US, Goal
from tests.bench.measure import Cost, Stopwatch, Subject
from tests.bench.streams import Join, Placed, Stream, stream, windows
from tests.support.builders import current_chunk, embedding_chunk, window_score

FURNACES: Final = 3
SECONDS: Final = 60
REPEATS: Final = 2_000
BARE: Final = "bare msgpack and frombuffer"
STACKED: Final = "bare np.stack"
_VERDICT: Final = Verdict(-3.0, (-3.1, -2.9), 0.1, np.zeros((64, 64), np.float32))
_CONTEXT: Final = ScoreContext(
    TopicNames("bench"),
    ModelIdentity("fmformer", "1", "0" * 64),
    PUBLISHED_SPEC.spec_id,
    0.2,
    set(),
)


@cache
def _stream(seconds: int) -> Stream:
    return stream(FURNACES, seconds)


def _for_each(do: Callable[[Any], object], given: Sequence[Any]) -> Cost:
    with Stopwatch() as watch:
        for each in given:
            do(each)
    return watch.cost(len(given))


def _bare_decode(placed: Placed) -> object:
    raw, modality = placed
    fields = msgpack.unpackb(raw.value)
    return np.frombuffer(fields["data"], "<f2" if modality is Modality.VIDEO else "<f4")


def _join(given: Stream) -> Cost:
    join = Join()
    join.fill(given.before)
    with Stopwatch() as watch:
        join.fill(given.records)
    return watch.cost(len(given.records))


def _record_subjects(size: Size) -> Mapping[str, Subject]:
    given = _stream(size.of(SECONDS))
    return {
        "ours": partial(_join, given),
        BARE: partial(_for_each, _bare_decode, given.records),
        "our checked decode": partial(_for_each, lambda each: read(*each), given.records),
    }


def _closing(given: Stream) -> Cost:
    """What a closed window costs beyond a record that closes none."""
    join = Join()
    join.fill(given.before)
    plain: list[float] = []
    closing_s, closed = 0.0, 0
    begun_s = time.thread_time()
    for outcome in join.take(given.records):
        took_s = time.thread_time() - begun_s
        if outcome.windows:
            closing_s, closed = closing_s + took_s, closed + len(outcome.windows)
        else:
            plain.append(took_s)
        begun_s = time.thread_time()
    extra_s = closing_s / closed - sum(plain) / len(plain)
    return Cost(extra_s, extra_s)


def _bare_window(window: AlignedWindow) -> object:
    """The least that a window needs: its arrays put together from what records held."""
    assert window.clip is not None
    assert window.currents_a is not None
    return np.stack(list(window.clip)), np.concatenate(list(window.currents_a))


def _window_subjects(size: Size) -> Mapping[str, Subject]:
    given = _stream(size.of(SECONDS))
    return {
        "ours": partial(_closing, given),
        STACKED: partial(_for_each, _bare_window, windows(given)),
    }


def _feature_subjects(size: Size) -> Mapping[str, Subject]:
    extractor = FeatureExtractor(default_encoder().basis)
    given = windows(_stream(size.of(SECONDS)))
    return {
        "ours": partial(
            _for_each,
            lambda each: extractor.features(extractor.greys(each.clip), each.currents_a),
            given,
        ),
        STACKED: partial(_for_each, _bare_window, given),
    }


def _repeated(size: Size, ours: Callable[[], object], bare: Callable[[], object]) -> dict[str, Any]:
    times = range(size.of(REPEATS))
    return {
        "ours": partial(_for_each, lambda _: ours(), times),
        BARE: partial(_for_each, lambda _: bare(), times),
    }


def _decoding(
    encoded: bytes, decode: Callable[[bytes], object], dtype: str
) -> Callable[[Size], Mapping[str, Subject]]:
    def bare() -> object:
        fields = msgpack.unpackb(encoded)
        return np.frombuffer(fields["data"], dtype) if dtype else fields

    return lambda size: _repeated(size, lambda: decode(encoded), bare)


def _encoding(
    message: Any, encode: Callable[[Any], bytes]
) -> Callable[[Size], Mapping[str, Subject]]:
    fields = msgpack.unpackb(encode(message))
    return lambda size: _repeated(size, lambda: encode(message), lambda: msgpack.packb(fields))


def _score_subjects(size: Size) -> Mapping[str, Subject]:
    given = windows(_stream(size.of(SECONDS)))
    judgement = Judgement(_VERDICT, 0, None)

    def encoded(window: AlignedWindow) -> bytes:
        return encode_score(
            make_score(window, judgement, _CONTEXT, window.window_end_ns, window.window_end_ns)
        )

    fields: Iterable[Any] = [msgpack.unpackb(encoded(window)) for window in given]
    return {
        "ours": partial(_for_each, encoded, given),
        "bare msgpack": partial(_for_each, msgpack.packb, [*fields]),
    }


def comparisons() -> list[Comparison]:
    """Return the rows."""
    frame, samples, score = embedding_chunk(), current_chunk(), window_score()
    return [
        Comparison(
            "join.record",
            "a record through the join: decoded, merged, handed on, windows made",
            US,
            _record_subjects,
            Goal(50.0),
        ),
        Comparison(
            "join.window",
            "a window of 10 frames and 240 samples, when it closes",
            US,
            _window_subjects,
            Goal(150.0),
        ),
        Comparison("join.features", "the features of a window", US, _feature_subjects),
        Comparison(
            "message.embedding.decode",
            "an embedding decoded and checked",
            US,
            _decoding(encode_embedding(frame), decode_embedding, "<f2"),
        ),
        Comparison(
            "message.current.decode",
            "a current chunk decoded and checked",
            US,
            _decoding(encode_current(samples), decode_current, "<f4"),
        ),
        Comparison(
            "message.score.decode",
            "a score decoded and checked",
            US,
            _decoding(encode_score(score), decode_score, ""),
        ),
        Comparison(
            "message.embedding.encode",
            "an embedding encoded",
            US,
            _encoding(frame, encode_embedding),
        ),
        Comparison(
            "message.current.encode",
            "a current chunk encoded",
            US,
            _encoding(samples, encode_current),
        ),
        Comparison("score.publish", "a verdict made a score and encoded", US, _score_subjects),
    ]
