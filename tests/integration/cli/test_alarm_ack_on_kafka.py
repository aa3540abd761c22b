"""``meltwatch alarms ack`` sends a command and prints what the alarm manager answers."""

import json
import sys
import threading
from contextlib import closing
from datetime import UTC, datetime
from io import StringIO

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from meltwatch_schemas.alarm_command import RESULT_SCHEMA, AlarmCommand, CommandResult
from meltwatch_schemas.record import JSON, headers_for
from meltwatch_schemas.topics import Topic

from tests.integration.cli.alarm_samples import RAISED
from tests.support.timed_records import alarm_record
from tests.support.waiting import LIMIT_S

pytestmark = pytest.mark.integration


ANNOUNCED = RAISED.model_copy(
    update={"annunciation_id": RAISED.event_id, "event_id": "c" * 32, "seq": RAISED.seq + 5}
)


@pytest.fixture
def terminal(monkeypatch):
    """Sits at the terminal and says something; None is Ctrl-D."""

    def say(word: str | None) -> None:
        monkeypatch.setattr(sys, "stdin", StringIO("" if word is None else f"{word}\n"))
        monkeypatch.setattr(sys.stdin, "isatty", lambda: True)

    return say


@pytest.fixture
def manager(kafka, topics):
    """Answers one command with a result code, as the alarm manager would; keeps the command."""
    commands: list[AlarmCommand] = []
    threads = []

    def answer(code: str) -> None:
        consumer = KafkaConsumer(bootstrap_servers=kafka.address, enable_auto_commit=False)
        partition = TopicPartition(topics.name(Topic.ALARM_COMMANDS), 0)
        consumer.assign([partition])
        consumer.seek_to_end(partition)
        consumer.position(partition)
        thread = threading.Thread(
            target=_answer_next, args=(kafka, topics, consumer, commands, code)
        )
        threads.append(thread)
        thread.start()

    yield answer, commands
    for thread in threads:
        thread.join(LIMIT_S)


def _answer_next(kafka, topics, consumer, commands, code):
    with closing(consumer), closing(KafkaProducer(bootstrap_servers=kafka.address)) as producer:
        record = next(iter(consumer))
        commands.append(AlarmCommand.from_json(record.value))
        for command_id in ("of-somebody-else", commands[-1].command_id):
            result = CommandResult(
                command_id=command_id,
                alarm_id=record.key.decode(),
                result="done" if code == "ok" else "refused",
                code=code,
                detail="as told",
                at=datetime(2026, 11, 22, tzinfo=UTC),
            )
            producer.send(
                topics.name(Topic.ALARM_RESULTS),
                key=record.key,
                value=result.to_json(),
                headers=headers_for(RESULT_SCHEMA, JSON),
            )


@pytest.mark.usefixtures("addressed")
@pytest.mark.parametrize(("result", "exit_code"), [("ok", 0), ("stale", 1)])
def test_ack_at_a_terminal_shows_the_alarm_and_names_its_annunciation(
    command, show, manager, terminal, result, exit_code
):
    answer, commands = manager
    show(RAISED)
    answer(result)
    terminal("y")

    show(alarm_record("plant/area/f/OVERHEAT"), ANNOUNCED)
    code, out, err = command("alarms", "ack", "f/OVERHEAT", "--comment", "seen", "--user", "li")

    assert code == exit_code
    assert ANNOUNCED.message in err
    assert "acknowledge this? y or n:" in err
    assert f"({result}) as told" in out
    (sent,) = commands
    assert sent.expected_event_id == ANNOUNCED.annunciation_id
    assert (sent.command, sent.user, sent.role, sent.comment) == ("ack", "li", "operator", "seen")


@pytest.mark.usefixtures("addressed")
def test_ack_with_an_event_needs_no_redis(command, manager, monkeypatch):
    answer, commands = manager
    monkeypatch.setenv("MELTWATCH_REDIS", "redis://127.0.0.1:9")
    answer("ok")

    code, out, _ = command("alarms", "ack", "f/OVERHEAT", "--event-id", "e" * 32, "--json")

    assert (code, json.loads(out)["code"]) == (0, "ok")
    assert commands[0].expected_event_id == "e" * 32


@pytest.mark.usefixtures("addressed")
def test_without_an_answer_ack_says_that_it_may_still_happen(command, show):
    show(RAISED)

    options = ("--event-id", RAISED.event_id, "--timeout-s", "0.5")
    code, out, err = command("alarms", "ack", "f/OVERHEAT", *options)

    assert (code, out) == (3, "")
    assert "may still be carried out" in err


@pytest.mark.usefixtures("addressed")
@pytest.mark.parametrize("said", ["n", "", None])
def test_what_nobody_agrees_to_is_not_acknowledged(command, show, manager, terminal, said):
    _, commands = manager
    show(ANNOUNCED)
    terminal(said)

    code, out, _ = command("alarms", "ack", "f/OVERHEAT")

    assert (code, out, commands) == (1, "", [])


@pytest.mark.usefixtures("addressed")
def test_an_alarm_that_nobody_knows_is_bad_usage(command, show, terminal):
    show()
    terminal("y")

    code, _, err = command("alarms", "ack", "f/UNDERHEAT")

    assert code == 2
    assert "f/UNDERHEAT" in err


@pytest.mark.usefixtures("addressed")
def test_a_verdict_and_the_end_of_an_alarm_go_out_as_commands(command, manager, show):
    answer, commands = manager
    show(RAISED)
    answer("ok")
    missed = ("--missed", "2h/1h", "--cause", "arc", "--user", "li")
    assert command("alarms", "judge", "f/OVERHEAT", *missed)[0] == 0
    answer("not_permitted")
    reason = ("--reason", "torn down", "--user", "li")
    assert command("alarms", "decommission", "f/OVERHEAT", *reason)[0] == 1

    answer("ok")
    assert command("alarms", "reset", "f/OVERHEAT", "--event-id", "e" * 32, "--user", "li")[0] == 0
    answer("wrong_state")
    assert command("alarms", "comment", "f/OVERHEAT", "seen, 炉 3", "--user", "li")[0] == 1

    judged, ended, reset, comment = commands
    assert (reset.command, reset.role, reset.expected_event_id) == ("reset", "operator", "e" * 32)
    assert (comment.command, comment.comment, comment.via) == ("comment", "seen, 炉 3", "cli")
    assert (judged.command, judged.role, judged.via) == ("judge", "operator", "cli")
    assert judged.arguments["cause"] == "arc"
    assert judged.arguments["missed"]["from"] < judged.arguments["missed"]["to"]
    assert (ended.command, ended.role, ended.user) == ("decommission", "engineer", "li")
    assert ended.arguments == {"reason": "torn down"}
