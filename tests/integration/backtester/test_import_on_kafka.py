"""A historian's export in the topics of a replay: whole, once, and never beside live records."""

import json
import subprocess
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from meltwatch_backtester.adapters.kafka_history import open_kafka_history
from meltwatch_backtester.adapters.recording_history import open_recording
from meltwatch_backtester.commands.import_history import ImportTarget, TableOptions, import_history
from meltwatch_backtester.domain.question import Cuts
from meltwatch_backtester.ports import TopicPart
from meltwatch_chassis.errors import BadUsage, DependencyUnreachable
from meltwatch_chassis.kafka.admin import create_topics
from meltwatch_chassis.kafka.span import SpanReader
from meltwatch_local_cluster.servers import KafkaServer
from meltwatch_schemas.record import RawRecord, read_current
from meltwatch_schemas.topics import Topic, catalogue

from tests.support.murmur2 import partition_of
from tests.support.product import MELTWATCH
from tests.support.servers import Topics
from tests.support.waiting import LIMIT_S, until
from tests.unit.backtester.pipeline.past import replay

pytestmark = pytest.mark.integration

FURNACE = "plant/hall/F1"
BEGIN_S = 1_764_400_000
_NUMBERS = count()
Import = Callable[..., dict]


@pytest.fixture
def live(kafka: KafkaServer, topics: Topics, monkeypatch: pytest.MonkeyPatch) -> Topics:
    """Topics of a live system, of which the command is told."""
    monkeypatch.setenv("MELTWATCH_KAFKA", kafka.address)
    monkeypatch.setenv("MELTWATCH_TOPIC_PREFIX", topics.prefix)
    return topics


@pytest.fixture
def run(kafka: KafkaServer, live: Topics) -> Iterator[Topics]:
    """Topics of a replay, as ``meltwatch topics create`` makes them."""
    made = Topics(f"{live.prefix}.replay.r{next(_NUMBERS)}", live.partitions)
    specs = catalogue(made.prefix, made.partitions)
    create_topics(connection(kafka), specs)
    yield made
    with KafkaAdminClient(bootstrap_servers=kafka.address) as admin:
        admin.delete_topics([spec.name for spec in specs])


@pytest.fixture
def imported(run: Topics, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Import:
    """Write seconds as an export, import it into the replay and give the summary."""

    def bring(seconds: range, furnace: str = FURNACE, options: TableOptions | None = None) -> dict:
        told = ImportTarget(replay=name_of(run))
        file = export(tmp_path, seconds)
        options = options or TableOptions()
        code = import_history(
            f"csv:{file}", furnace=furnace, options=options, target=told, as_json=True
        )
        assert code == 0
        return json.loads(capsys.readouterr().out)

    return bring


def name_of(run: Topics) -> str:
    return run.prefix.rpartition(".")[2]


def connection(kafka: KafkaServer) -> dict:
    return {"bootstrap_servers": [kafka.address], "bootstrap_timeout_ms": 5_000}


def export(folder: Path, seconds: range) -> Path:
    file = folder / f"export{next(_NUMBERS)}.csv"
    rows = (f"{BEGIN_S + s},{5000 + s % 700},6000,7000\n" for s in seconds)
    file.write_text("time,a,b,c\n" + "".join(rows))
    return file


def records(kafka: KafkaServer, of: Topics) -> list[RawRecord]:
    """All currents that stand, partition by partition."""
    name = of.name(Topic.CURRENTS)
    with SpanReader.connected(connection(kafka)) as reader:
        ends = [reader.end(name, part) for part in range(of.partitions)]
        return [r for part, end in enumerate(ends) for r in reader.read(name, part, 0, end)]


def recorded(file: Path, folder: Path, partitions: int) -> list[RawRecord]:
    """What an import into a recording makes of the same file."""
    import_history(
        f"csv:{file}", furnace=FURNACE, target=ImportTarget(folder, partitions=partitions)
    )
    history = open_recording(folder)
    part = TopicPart(Topic.CURRENTS, partition_of(FURNACE.encode(), partitions))
    return list(history.read(part, *history.bounds(part)))


def samples(found: list[RawRecord]) -> list[tuple[int, int, bytes]]:
    chunks = [read_current(record) for record in found]
    return [(c.identity.seq, c.event_time_ns, c.data.tobytes()) for c in chunks]


async def test_it_is_what_a_recording_holds_and_is_replayed_alike(
    kafka, live, run, imported, tmp_path
):
    summary = imported(range(180))

    found = records(kafka, run)
    made = recorded(export(tmp_path, range(180)), tmp_path / "o", run.partitions)
    assert samples(found) == samples(made)
    assert [(r.key, r.timestamp_ms, r.headers) for r in found] == [
        (r.key, r.timestamp_ms, r.headers) for r in made
    ]
    assert {r.partition for r in found} == {partition_of(FURNACE.encode(), run.partitions)}
    assert {read_current(r).identity.run_id for r in found} == {name_of(run)}
    assert (summary["topic_prefix"], summary["records"]) == (run.prefix, len(found))
    assert records(kafka, live) == []

    history = open_recording(tmp_path / "o")
    span = history.saved.span
    windows = []
    with open_kafka_history(connection(kafka), run.prefix) as in_kafka:
        for each in (history, in_kafka):
            past = SimpleNamespace(history=lambda each=each: each)
            _, noted = await replay(past, span=span, cuts=Cuts.EVENT_TIME)
            windows.append([(s.window_end_ns, s.status, s.logit) for s in noted.scores])
    assert windows[0] == windows[1]
    assert len(windows[0]) >= 120


def test_a_second_time_nothing_is_written_and_it_says_so(kafka, run, imported):
    first = imported(range(60))
    once = records(kafka, run)

    second = imported(range(60))

    assert first["there_already"] == 0
    assert second["there_already"] == second["records"] == len(once)
    assert records(kafka, run) == once


def test_killed_in_the_midst_it_goes_on_behind_what_stands(kafka, run, imported, tmp_path):
    seconds = range(30_000)
    file = export(tmp_path, seconds)
    command = [
        MELTWATCH, "sources", "import", f"csv:{file}", f"--furnace={FURNACE}",
        f"--replay={name_of(run)}",
    ]  # fmt: skip
    name, part = run.name(Topic.CURRENTS), partition_of(FURNACE.encode(), run.partitions)
    with SpanReader.connected(connection(kafka)) as reader:
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
            until(lambda: reader.end(name, part), "the first records")
            process.kill()
            process.wait(LIMIT_S)
        stood = reader.end(name, part)

    summary = imported(seconds)

    found = records(kafka, run)
    assert 0 < stood <= summary["there_already"] < summary["records"]
    assert samples(found) == samples(recorded(file, tmp_path / "o", run.partitions))


def test_furnaces_that_share_a_partition_are_told_apart(kafka, run, imported):
    own = partition_of(FURNACE.encode(), run.partitions)
    names = (f"plant/hall/N{n}" for n in count())
    neighbour = next(n for n in names if partition_of(n.encode(), run.partitions) == own)
    first = imported(range(20))
    beside = imported(range(900), neighbour)

    again = imported(range(20))

    assert again["there_already"] == first["records"]
    assert len(records(kafka, run)) == first["records"] + beside["records"]


def test_other_currents_of_the_furnace_are_refused(kafka, run, imported):
    imported(range(20))
    once = records(kafka, run)

    for seconds, options in ((range(30), TableOptions()), (range(20), TableOptions(scale=1000))):
        with pytest.raises(BadUsage, match="expected no other currents of plant/hall/F1"):
            imported(seconds, options=options)
    assert records(kafka, run) == once


def test_what_no_import_has_written_is_refused(kafka, run, imported):
    with KafkaProducer(bootstrap_servers=kafka.address) as producer:
        producer.send(run.name(Topic.CURRENTS), key=FURNACE.encode(), value=b"\x1b[2J").get(LIMIT_S)

    with pytest.raises(BadUsage, match="expected no other currents") as refused:
        imported(range(20))
    assert str(refused.value).isprintable()


def test_a_time_ahead_is_refused(imported):
    ahead = range(2_000_000_000, 2_000_000_020)
    with pytest.raises(BadUsage, match="expected times of the past, got 20"):
        imported(ahead)


def test_topics_that_are_not_there_are_named_with_how_to_make_them(live, tmp_path):
    file = export(tmp_path, range(20))
    with pytest.raises(DependencyUnreachable) as refused:
        import_history(f"csv:{file}", furnace=FURNACE, target=ImportTarget(replay="nobody"))
    assert f"MELTWATCH_TOPIC_PREFIX={live.prefix}.replay.nobody" in str(refused.value)
