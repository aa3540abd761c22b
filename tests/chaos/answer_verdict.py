"""The verdict on answers: one for each command, and right at a moment when it may have been read.

Commands are read one after the other, between alarm records. When a refused one was read stands
nowhere. But each that was obeyed left a record, so those before and behind it in the order of the
answers tell between which records it was. At one of the moments there its answer must be right.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tests.chaos.life_oracle import NOTHING, Life, is_done, told
from tests.chaos.tape import BY_STATE, CODES, Message, Tape

Fields = Mapping[str, Any]
Address = tuple[str, str | None]
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_OK: Final = "ok"


def wrong_answers(tape: Tape) -> list[str]:
    """Commands without an answer or with several, and those obeyed without a record or twice."""
    lines = [*_wrong_counts(tape), *_wrong_records(tape)]
    # Who is not answered once each cannot be put in order.
    return lines or list(_wrong_codes(tape))


def _wrong_counts(tape: Tape) -> Iterator[str]:
    asked = Counter(_addressed(each) for each in tape.commands)
    answered = Counter(_addressed(each) for each in tape.results)
    for address in asked.keys() | answered.keys():
        if asked[address] != answered[address]:
            yield f"command {address}: sent {asked[address]}, answered {answered[address]} times"


def _wrong_records(tape: Tape) -> Iterator[str]:
    by_event = {each.fields["event_id"]: each for each in tape.alarms}
    obeyed = [each.fields for each in tape.results if each.fields["code"] == _OK]
    for command_id, count in Counter(fields["command_id"] for fields in obeyed).items():
        if count > 1:
            yield f"command {command_id} was obeyed {count} times"
    for fields in obeyed:
        if fields["event_id"] not in by_event:
            yield f"command {fields['command_id']}: its record is missing"
    granted = {fields["event_id"] for fields in obeyed}
    for event_id, message in by_event.items():
        if message.fields["transition"]["by"] is not None and event_id not in granted:
            yield f"{message.key}: event {event_id} was caused by no command"


def _addressed(message: Message) -> Address:
    """Key and command id; None where it cannot be read."""
    command_id = message.fields.get("command_id")
    is_id = isinstance(command_id, str) and _UUID.fullmatch(command_id)
    return message.key, str(command_id).lower() if is_id else None


@dataclass(frozen=True)
class _Moment:
    """An alarm from one of its records on.

    Attributes
    ----------
    since
        Number of that record among all of the topic.
    life
        What is true of it.
    seen
        Event ids by which it can be acknowledged or reset.
    acknowledgement
        Of what is acknowledged, if somebody has done it.
    """

    since: int
    life: Life = NOTHING
    seen: frozenset[str] = frozenset()
    acknowledgement: str | None = None


def _moments(alarms: Sequence[Message]) -> dict[str, list[_Moment]]:
    found: dict[str, list[_Moment]] = defaultdict(lambda: [_Moment(0)])
    occurrences: dict[str, str] = {}
    for number, message in enumerate(alarms, 1):
        key, fields = message.key, message.fields
        before, event_id = found[key][-1], fields["event_id"]
        transition = fields["transition"]
        if transition["cause"] == "DECOMMISSION":
            found[key].append(_Moment(number))
            continue
        is_anew = transition["from"] != "UNACK" or transition["cause"] in ("RAISE", "REALARM")
        is_call = transition["to"] == "UNACK" and is_anew
        is_other = occurrences.get(key) != fields["occurrence_id"]
        kept = _Moment(0) if is_call or is_other else before
        occurrences[key] = fields["occurrence_id"]
        done = event_id if transition["cause"] == "ACK" else kept.acknowledgement
        found[key].append(_Moment(number, told(fields), kept.seen | {event_id}, done))
    return found


def _wrong_codes(tape: Tape) -> Iterator[str]:
    """Answers that are right at no moment when the command may have been read."""
    asked: dict[Address, list[Message]] = defaultdict(list)
    for each in tape.commands:
        asked[_addressed(each)].append(each)
    moments, now = _moments(tape.alarms), 0
    numbers = {each.fields["event_id"]: n for n, each in enumerate(tape.alarms, 1)}
    for result, (own, latest) in zip(tape.results, _bounds(tape), strict=True):
        command, code = asked[_addressed(result)].pop(0), result.fields["code"]
        codes = command.headers[CODES]
        if code not in codes.split("|"):
            yield f"command {_addressed(result)}: expected {codes}, got {result.fields}"
        elif own is not None:
            now = own
            yield from _wrong_record(command, tape.alarms[own - 1])
        elif codes == BY_STATE:
            # Who names an event has seen it.
            now = max(now, numbers.get(command.fields.get("expected_event_id"), 0))
            fitting = _first_fitting(command, result.fields, moments[command.key], now, latest)
            if fitting is None:
                yield f"command {dict(command.fields)}: at no moment {result.fields}"
            now = now if fitting is None else fitting


def _bounds(tape: Tape) -> list[tuple[int | None, int]]:
    """For each answer the number of its own record, if any, and of the last it may have seen."""
    numbers = {each.fields["event_id"]: n for n, each in enumerate(tape.alarms, 1)}
    owns: dict[str, int] = {}
    for index, result in enumerate(tape.results):
        event_id = result.fields["event_id"]
        if result.fields["code"] == _OK and _is_by_person(tape.alarms[numbers[event_id] - 1]):
            # Who acknowledges once more is told the record of the acknowledgement.
            owns.setdefault(event_id, index)
    own_of = {index: numbers[event_id] for event_id, index in owns.items()}
    latest, found = len(tape.alarms), []
    for index in reversed(range(len(tape.results))):
        own = own_of.get(index)
        found.append((own, latest))
        latest = latest if own is None else min(latest, own - 1)
    return found[::-1]


def _is_by_person(message: Message) -> bool:
    return message.fields["transition"]["by"] is not None


def _first_fitting(
    command: Message, answer: Fields, moments: Sequence[_Moment], now: int, latest: int
) -> int | None:
    """The first number, from one to another, behind which an answer is right."""
    ends = [*(moment.since - 1 for moment in moments[1:]), latest]
    for moment, end in zip(moments, ends, strict=True):
        is_possible = end >= now and moment.since <= latest
        if is_possible and _is_right(command, answer, moment):
            return max(moment.since, now)
    return None


def _is_right(command: Message, answer: Fields, moment: _Moment) -> bool:
    word, expected = command.fields["command"], command.fields.get("expected_event_id")
    if expected is not None and expected not in moment.seen:
        return bool(answer["code"] == "stale")
    if not is_done(word, moment.life):
        return bool(answer["code"] == "wrong_state")
    is_again = word == "ack" and moment.life.acked
    return bool(is_again and answer["code"] == _OK and answer["event_id"] == moment.acknowledgement)


def _wrong_record(command: Message, record: Message) -> Iterator[str]:
    transition = record.fields["transition"]
    wanted = command.key, command.fields["command"].upper(), command.fields["user"]
    if wanted != (found := (record.key, transition["cause"], transition["by"])):
        yield f"command {wanted}: its record is of {found}"
