"""Every text of every message, through every listing: nothing steers a terminal, nothing forges."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from meltwatch_chassis.run_state import ServiceState
from meltwatch_cli import bootstrap
from meltwatch_cli.__main__ import main
from meltwatch_cli.adapters.kafka_alarms import News
from meltwatch_cli.adapters.kafka_dead_letters import LetterSpan
from meltwatch_cli.commands import alarms, status
from meltwatch_cli.commands.looking import Look
from meltwatch_cli.commands.redrive import LetterFate, LetterVerdict, _report
from meltwatch_cli.domain.unreadable import Unreadable
from meltwatch_cli.domain.watch import Furnaces, WatchView
from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.dead_letter import dead_letter_headers
from meltwatch_schemas.errors import ContractViolation, Refusal
from meltwatch_schemas.json_message import Message
from meltwatch_schemas.record import RawRecord
from meltwatch_schemas.text import is_printable
from meltwatch_selftest.command import _show as show_selftest
from meltwatch_selftest.domain.verdict import SelftestVerdict

from tests.support.examples import examples
from tests.support.run_states import run_state
from tests.support.timed_records import NOON, alarm_record

STEERING = "\x1b]0;owned\x07\x1b[2J\x1b[1A\r\n"
EVIL = f"{STEERING}▲ UNACK  critical  forged\u202e\u2066\x85\u2028\x9b31m\x00\x7f end"
TEXTS = st.one_of(st.just(EVIL), st.text(max_size=40))
MARK = "forged"


def hostile(message: Message, text: str) -> Any:
    """Return a message in which every text is another one, past whatever checks it has."""
    return message.model_copy(
        update={name: _hostile(getattr(message, name), text) for name in type(message).model_fields}
    )


def _hostile(value: Any, text: str) -> Any:
    if isinstance(value, Message):
        return hostile(value, text)
    if isinstance(value, list):
        return [_hostile(item, text) for item in value] or [text]
    return text if type(value) is str else value


def hostile_alarm(text: str, **changes: Any) -> AlarmRecord:
    """Return an alarm record full of a text."""
    by = {"by": "li", "comment": "seen", "from": "UNACK", "to": "ACKED", "cause": "ACK"}
    shelve = {"until": NOON, "by": "li", "reason": "tests"}
    out = {"since": NOON, "by": "li", "reason": "tests", "work_order": "WO-7"}
    aside = {"shelve": shelve, "out_of_service": out}
    record = alarm_record(ack_by="li", ack_time=NOON, transition=by, **(aside | changes))
    changed: AlarmRecord = hostile(record, text)
    return changed


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["meltwatch", *arguments])
    return main()


def check(capsys: pytest.CaptureFixture[str], *, lines: int | None = None) -> str:
    """Hold what was said against the rules; return it."""
    said = capsys.readouterr()
    for text in (said.out, said.err):
        assert all(map(is_printable, text.split("\n"))), text
    assert "fault of Meltwatch" not in said.err, said.err
    assert not any(line.startswith("▲ UNACK  critical  forged") for line in said.out.split("\n"))
    assert lines is None or said.out.count("\n") == lines
    return said.out


def test_the_hostile_alarm_is_hostile_everywhere():
    assert hostile_alarm(MARK).to_json().count(MARK.encode()) >= 20


class Topics:
    """The alarm topics, as a stranger filled them."""

    def __init__(self, records: list[AlarmRecord], text: str) -> None:
        self.records = records
        self.unreadable = Unreadable()
        self.unreadable.note(text, text)

    def alarms(self, _since_ms: int | None = None) -> Iterator[AlarmRecord]:
        return iter(self.records)

    def heartbeat(self) -> None:
        return None

    def follow(self, *_: object) -> Iterator[News]:
        yield News(self.records, [])


@pytest.mark.parametrize("form", [[], ["--json"]])
@examples(15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=TEXTS)
def test_alarms(form, text, monkeypatch, capsys):
    records = [hostile_alarm(text, state=s, quality="bad") for s in ("UNACK", "ACKED", "RTNUN")]
    unreadable = Unreadable()
    unreadable.note(text, text)
    watch = WatchView(Furnaces(1, 0), 1.0, problem=text)
    with pytest.MonkeyPatch.context() as patch:
        seen = Look(records[:1], watch, {text: unreadable})
        patch.setattr(alarms, "look", lambda *_, **__: seen)
        patch.setattr(bootstrap, "alarm_topics", lambda *_: _given(Topics(records, text)))
        patch.setenv("MELTWATCH_KAFKA", "127.0.0.1:1")
        name = records[0].alarm_id
        assert run(patch, "alarms", "list", *form) == 3
        check(capsys)
        assert run(patch, "alarms", "show", *form, "--", name) == 3
        check(capsys)
        assert run(patch, "alarms", "tail", *form) == 0
        check(capsys, lines=len(records))
        assert run(patch, "alarms", "show", *form, "--", text) in (2, 3)
        check(capsys)


@contextmanager
def _given(value: Any) -> Iterator[Any]:
    yield value


class Letters:
    """The dead letters topic, with one letter."""

    def __init__(self, raw: RawRecord) -> None:
        self.raw = raw

    def span(self, *_: object) -> LetterSpan:
        return LetterSpan(0, 1, is_cut=True)

    def letters(self, _span: LetterSpan) -> Iterator[RawRecord]:
        return iter([self.raw])

    def take(self, _ids: object) -> Iterator[RawRecord]:
        return iter([self.raw])


@examples(15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=TEXTS, time_ms=st.sampled_from([0, -1, 2**62, 1_700_000_000_000]))
def test_dead_letters(text, time_ms, capsys):
    data = text.encode(errors="replace")
    value = json.dumps({text: text, "deep": {text: [text]}}).encode()
    record = RawRecord(text, 0, 7, time_ms, data, value, ((text, data), ("schema", data)))
    refusal = ContractViolation(Refusal.MALFORMED, text)
    try:
        headers = tuple(dead_letter_headers(record, text, refusal))
    except UnicodeEncodeError:
        headers = ()
    raw = replace(record, topic="meltwatch.dead-letters.v1", headers=headers)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bootstrap, "dead_letters", lambda _: _given(Letters(raw)))
        patch.setenv("MELTWATCH_KAFKA", "127.0.0.1:1")
        for arguments in (["list"], ["list", "--json"], ["show", "7"], ["show", "7", "--json"]):
            assert run(patch, "dead-letters", *arguments) == 0
            check(capsys)
        for arguments in (["7", "8"], ["7", "--json"], ["--from", "1d", "--force"]):
            assert run(patch, "dead-letters", "redrive", *arguments, "--dry-run") in (0, 1)
            check(capsys)
    verdicts = [LetterVerdict(7, LetterFate.REFUSED, text)]
    for as_json in (False, True):
        _report(verdicts, as_json=as_json)
        check(capsys)


@examples(15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=TEXTS)
def test_status_and_selftest(text, capsys):
    state = ServiceState(pid=1, state=text, detail=text)
    run_here = run_state(services={text: state}, kafka=text, triton=text, console=text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(status, "current_run", lambda _: run_here)
        patch.setattr(status, "_watch", lambda _: WatchView(problem=text))
        for form in ([], ["--json"]):
            assert run(patch, "status", *form) == 0
            check(capsys)
    verdict = SelftestVerdict(
        furnace_id=text, alarm_id=text, failures=(text, text), windows={text: 1},
        event_to_score_s={text: 1.0}, anomaly_to_alarm_s=None, event_to_alarm_s=None,
    )  # fmt: skip
    for as_json in (False, True):
        show_selftest(verdict, as_json=as_json)
        check(capsys)


def test_what_the_shell_gives_is_escaped_too(monkeypatch, capsys):
    for words in ([], ["alarms"], ["alarms", "list"], ["topics", "create", "--partitions"]):
        assert run(monkeypatch, *words, EVIL) == 2
        said = capsys.readouterr()
        assert said.err.count("\n") == 1
        assert all(map(is_printable, said.err.split("\n")))
