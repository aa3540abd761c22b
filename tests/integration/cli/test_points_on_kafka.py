"""``meltwatch alarms points`` against a broker: what is applied is in force, recorded, exported."""

from contextlib import closing
from pathlib import Path

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from meltwatch_chassis.errors import BadUsage
from meltwatch_chassis.point_file import read_points
from meltwatch_cli.commands import points
from meltwatch_schemas.alarm_point import POINT_SCHEMA, AlarmPoint
from meltwatch_schemas.record import JSON, headers_for
from meltwatch_schemas.topics import Topic

pytestmark = pytest.mark.integration
FILE = """
alarm_classes:
  shell: {title: Shell, condition: OVERHEAT, priority: high, consequence_if_no_action: It melts.,
    operator_action: Cool it., time_to_respond_s: 300, setpoint: {logit_on: 3, logit_off: 1}}
alarm_points:
- {alarm_class: shell, equipment_path: a/F-1, setpoint_basis: backtest 1}
- {alarm_class: shell, equipment_path: a/F-2, title: "\u7194\u6c60"}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "points.yaml"


def _on_topic(kafka, topics) -> list[AlarmPoint]:
    with closing(KafkaConsumer(bootstrap_servers=kafka.address)) as consumer:
        partition = TopicPartition(topics.name(Topic.ALARM_POINTS), 0)
        consumer.assign([partition])
        consumer.seek_to_beginning(partition)
        end = consumer.end_offsets([partition])[partition]
        values = []
        while consumer.position(partition) < end:
            for records in consumer.poll(500).values():
                values += [record.value for record in records]
    return [AlarmPoint.from_json(value) for value in values if value]


def test_what_is_applied_is_in_force_recorded_and_exported(
    kafka, topics, addressed, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(FILE)
    assert points.apply(file, why="commissioning", user="li", yes=True) == 0
    assert "2 new, 0 changed" in capsys.readouterr().out

    file.write_text(FILE.replace("logit_on: 3", "logit_on: 4"))
    assert points.apply(file, why="winter lining", user="wang", yes=True) == 0
    said = capsys.readouterr()
    assert "  setpoint.logit_on: 3.0 -> 4.0" in said.out
    assert "a/F-2/OVERHEAT: a set-point without setpoint_basis" in said.err

    written = _on_topic(kafka, topics)
    assert [(p.change.by, p.change.why) for p in written if p.change] == [
        *[("li", "commissioning")] * 2,
        *[("wang", "winter lining")] * 2,
    ]
    newest = {point.alarm_id: point for point in written}["a/F-1/OVERHEAT"]
    assert newest.change.old.logit_on == 3.0
    assert newest.change.old_basis == newest.setpoint_basis == "backtest 1"

    for as_json in (False, True):
        assert points.export(as_json=as_json) == 0
        file.write_text(capsys.readouterr().out, encoding="utf-8")
        assert [p.title for p in read_points(file)] == ["Shell", "\u7194\u6c60"]
        assert points.apply(file, why="again", user="li", yes=True) == 0
        assert "0 new, 0 changed, 2 as they are" in capsys.readouterr().out
    assert len(_on_topic(kafka, topics)) == 4


def test_nothing_is_written_where_nobody_can_be_asked(kafka, topics, addressed, file: Path) -> None:
    file.write_text(FILE)

    with pytest.raises(BadUsage, match="--yes"):
        points.apply(file, why="so", user="li")

    assert _on_topic(kafka, topics) == []


def test_what_the_manager_would_refuse_and_what_was_taken_back_is_not_in_force(
    kafka, topics, addressed, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(FILE)
    points.apply(file, why="so", user="li", yes=True)
    headers = headers_for(POINT_SCHEMA, JSON)
    with closing(KafkaProducer(bootstrap_servers=kafka.address)) as producer:
        topic = topics.name(Topic.ALARM_POINTS)
        producer.send(topic, key=b"a/F-1/OVERHEAT", value=None, headers=headers).get(20)
        producer.send(topic, key=b"a/F-2/OVERHEAT", value=b"{", headers=headers).get(20)
    capsys.readouterr()

    plant = file.with_name("plant.yaml")
    plant.write_text("furnaces: [{id: a/F-3, name: three}]")
    assert points.export(plant=plant) == 0

    said = capsys.readouterr()
    file.write_text(said.out, encoding="utf-8")
    assert [p.alarm_id for p in read_points(file)] == [
        "a/F-2/OVERHEAT",
        "a/F-3/CURRENT_IMBALANCE",
        "a/F-3/OVERHEAT",
    ]
    assert "1 record could not be read" in said.err


def test_an_alarm_point_is_taken_back_with_by_whom_and_why(
    kafka, topics, addressed, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(FILE)
    points.apply(file, why="trial", user="li", yes=True)
    with pytest.raises(BadUsage, match="--yes"):
        points.take_back(["a/F-1/OVERHEAT"], why="so", user="li")
    with pytest.raises(BadUsage, match="a/F-9/OVERHEAT"):
        points.take_back(["a/F-9/OVERHEAT"], why="so", user="li", yes=True)
    assert points.take_back(["a/F-1/OVERHEAT"] * 2, why="trial is over", user="wang", yes=True) == 0
    assert "1 alarm points taken back by wang" in capsys.readouterr().out
    points.export()
    file.write_text(capsys.readouterr().out, encoding="utf-8")
    assert [point.alarm_id for point in read_points(file)] == ["a/F-2/OVERHEAT"]
