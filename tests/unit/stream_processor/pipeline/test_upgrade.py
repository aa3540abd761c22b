"""A stream processor that takes over from version 0.1 goes on where that one stopped."""

from meltwatch_schemas.record import read_score
from meltwatch_stream_processor.ports import TopicPartition

from tests.support.input_records import live
from tests.support.released_tail import TAIL, records_of
from tests.unit.core.scoring.fakes import ENCODER, TOPICS, FakeScorer
from tests.unit.stream_processor.pipeline.fakes import Life, MemoryBroker, contents

FURNACES = ("melt/a", "known/furnace")


async def test_windows_go_on_where_version_0_1_stopped() -> None:
    given = live(FURNACES, 20.0, encoder=ENCODER)
    alone, taken_over = MemoryBroker(), MemoryBroker()
    tail = records_of("scores")
    taken_over.logs[TOPICS.scores] = list(tail)
    taken_over.offsets = {
        TopicPartition(topic, 0): offset for topic, offset in TAIL["inputs_committed"].items()
    }
    for broker in (alone, taken_over):
        broker.produce(*given)
        async with Life(broker, FakeScorer()) as life:
            await life.read_all()

    published = taken_over.scores()
    assert len(published) == len(alone.scores()) > len(tail) > 0
    assert contents(published) == contents(alone.scores())
    assert contents([read_score(record) for record in tail]).items() <= contents(published).items()
    assert taken_over.letters() == []
