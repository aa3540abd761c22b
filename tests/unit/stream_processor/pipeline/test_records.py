from meltwatch_core.scoring.scores import make_score
from meltwatch_schemas.score import decode_score
from meltwatch_stream_processor.pipeline.delivery import score_record

from tests.unit.core.scoring.fakes import TOPICS
from tests.unit.core.scoring.test_scores import CONTEXT, END_NS, WINDOW, judged


def test_a_score_is_published_under_its_furnace_at_its_windows_end() -> None:
    score = make_score(WINDOW, judged(1.0), CONTEXT, 1, 2)
    record = score_record(score, TOPICS)
    assert (record.topic, record.key, record.partition) == ("meltwatch.scores.v1", b"melt/a", None)
    assert record.timestamp_ms == END_NS // 1_000_000
    assert dict(record.headers) == {
        "schema": b"score/1.1",
        "content-type": b"application/msgpack",
    }
    assert decode_score(record.value or b"").window_id == WINDOW.window_id
