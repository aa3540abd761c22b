"""The verdict on alarms: what was written against what the scores and the commands make of it.

From the published scores alone it says which raises and clears there must be, and at which
windows. Every command must have one answer, every acknowledgement that was granted one record.
The topic must tell a story: each record goes on from the state of the one before it, and no two
have the same number. Alarms about the system itself are judged for sense only (``silences``).
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any, Final

from tests.chaos.alarm_oracle import CLEAR, RAISE, Change, changes
from tests.chaos.alarm_points import POINTS, Point, default_point
from tests.chaos.tape import CODES, Message, Score, Tape

Fields = Mapping[str, Any]
_NS_PER_US: Final = 1000
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_SILENT: Final = "FURNACE_SILENT"
# It is raised after 20 s; a window may be a few seconds on its way to whoever counts them.
_LEAST_SILENCE_US: Final = 14_000_000
_ON_THE_WAY_US: Final = 3_000_000
# A window that ended longer ago tells of the past: whose windows are all so is silent now.
_PRESENT_US: Final = 60_000_000


def judge_alarms(tape: Tape) -> list[str]:
    """Everything that is not as it must be, one line each."""
    return [
        *_wrong_changes(tape),
        *_wrong_numbers(tape.alarms),
        *_broken_stories(tape.alarms),
        *_wrong_answers(tape),
        *_phantom_silences(tape),
    ]


def unsettled(tape: Tape) -> int:
    """How many raises, clears and answers are still to come."""
    written = Counter(_id_and_cause(each) for each in tape.alarms)
    due = Counter(
        (point.alarm_id, change.cause)
        for point in points_on(tape)
        for change in expected(point, tape.scores)
    )
    answers = Counter(each.key for each in tape.results)
    asked = Counter(each.key for each in tape.commands)
    return (due - written).total() + (asked - answers).total()


def points_on(tape: Tape) -> list[Point]:
    """All alarm points that judge the scores: those that were sent, else the default."""
    known = {point.furnace for point in POINTS}
    others = {score.furnace for score in tape.scores} - known
    return [*POINTS, *map(default_point, sorted(others))]


def expected(point: Point, scores: Iterable[Score]) -> list[Change]:
    """What the published scores make of an alarm point."""
    newest, windows = 0, []
    for score in scores:
        logit = score.fields["logit"]
        if score.furnace == point.furnace and score.end > newest:
            newest = score.end
            if logit is not None:
                windows.append((score.end, logit))
    return list(changes(point, windows))


def judge_forgeries(tape: Tape, prefix: str) -> list[str]:
    """What forgeries have left: a reader that shows them, or no alarm about them."""
    shown: dict[str, Fields] = {}
    for key, fields in tape.alarms_as_read:
        if fields is None:
            shown.pop(key, None)
        elif key not in shown or _number(fields) > _number(shown[key]):
            shown[key] = fields
    truth = {message.key: message.fields for message in tape.alarms}
    wrong = sorted(key for key in shown.keys() | truth.keys() if shown.get(key) != truth.get(key))
    lines = [f"{key}: a reader shows {shown.get(key)}, not {truth.get(key)}" for key in wrong]
    raised = truth.get(f"{prefix}/FOREIGN_WRITER", {})
    return lines if raised.get("active") else [*lines, "FOREIGN_WRITER does not stand"]


def _number(fields: Fields) -> tuple[int, int]:
    return fields["epoch"], fields["seq"]


def _id_and_cause(message: Message) -> tuple[str, str]:
    return message.key, message.fields["transition"]["cause"]


def _wrong_changes(tape: Tape) -> Iterator[str]:
    written: dict[str, list[Fields]] = defaultdict(list)
    for message in tape.alarms:
        if message.fields["transition"]["cause"] in (RAISE, CLEAR):
            written[message.key].append(message.fields)
    for point in points_on(tape):
        due = [_due(change) for change in expected(point, tape.scores)]
        found = [_found(fields) for fields in written.pop(point.alarm_id, [])]
        if due != found:
            yield f"{point.alarm_id}: {_first_difference(due, found)}"
    for alarm_id, records in written.items():
        if records[0]["class"] == "process":
            yield f"{alarm_id}: no alarm point of this name, {len(records)} records"


Told = tuple[str, int | None, int, float]
"""Cause, first window of a raise, last window, logit."""


def _due(change: Change) -> Told:
    first = change.first // _NS_PER_US if change.cause == RAISE else None
    return change.cause, first, change.end // _NS_PER_US, change.logit


def _found(fields: Fields) -> Told:
    cause, evidence = fields["transition"]["cause"], fields["evidence"]
    first = us(fields["condition_time"]) if cause == RAISE else None
    return cause, first, us(evidence["window_end"]), evidence["score"]


def _first_difference(due: Sequence[Any], found: Sequence[Any]) -> str:
    pairs = zip((*due, None), (*found, None), strict=False)
    number, (ours, theirs) = next((i, pair) for i, pair in enumerate(pairs) if pair[0] != pair[1])
    return f"transition {number}: expected {ours}, got {theirs}"


def us(text: str) -> int:
    """An instant in µs since the epoch."""
    since = datetime.fromisoformat(text) - datetime.fromisoformat("1970-01-01T00:00:00Z")
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _wrong_numbers(alarms: Sequence[Message]) -> Iterator[str]:
    """Numbers that do not rise, and event ids that come twice."""
    numbers = [_number(each.fields) for each in alarms]
    for before, after in pairwise(numbers):
        if after <= before:
            yield f"(epoch, seq) {after} behind {before}"
    for event_id, count in Counter(each.fields["event_id"] for each in alarms).items():
        if count > 1:
            yield f"event {event_id} came {count} times"


def _broken_stories(alarms: Iterable[Message]) -> Iterator[str]:
    """Records that do not go on from where the one before them left the alarm."""
    states: dict[str, str] = defaultdict(lambda: "NORM")
    for message in alarms:
        transition = message.fields["transition"]
        if transition["from"] != states[message.key]:
            came = f"{transition['from']} -> {transition['to']} by {transition['cause']}"
            yield f"{message.key}: {came} where it was {states[message.key]}"
        states[message.key] = message.fields["state"]


def _wrong_answers(tape: Tape) -> Iterator[str]:
    """Commands without an answer or with several, and those obeyed without a record or twice."""
    asked = Counter(_addressed(each) for each in tape.commands)
    answered = Counter(_addressed(each) for each in tape.results)
    for address in asked.keys() | answered.keys():
        if asked[address] != answered[address]:
            yield f"command {address}: sent {asked[address]}, answered {answered[address]} times"
    by_event = {each.fields["event_id"]: each for each in tape.alarms}
    obeyed = [each.fields for each in tape.results if each.fields["code"] == "ok"]
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
    yield from _wrong_codes(tape)


def _wrong_codes(tape: Tape) -> Iterator[str]:
    """Answers that no reading of the command allows."""
    allowed: dict[tuple[str, str | None], set[str]] = defaultdict(set)
    for each in tape.commands:
        allowed[_addressed(each)] |= set(each.headers[CODES].split("|"))
    for each in tape.results:
        codes = allowed[_addressed(each)]
        if each.fields["code"] not in codes:
            yield f"command {_addressed(each)}: expected {codes}, got {each.fields}"


def _addressed(message: Message) -> tuple[str, str | None]:
    """Key and command id; None where it cannot be read."""
    command_id = message.fields.get("command_id")
    is_id = isinstance(command_id, str) and _UUID.fullmatch(command_id)
    return message.key, str(command_id).lower() if is_id else None


def _phantom_silences(tape: Tape) -> Iterator[str]:
    """Furnaces called silent that had just been heard."""
    heard: dict[str, list[int]] = defaultdict(list)
    for score in tape.scores:
        published = score.published // _NS_PER_US
        if published - score.end // _NS_PER_US <= _PRESENT_US:
            heard[score.furnace].append(published)
    for message in tape.alarms:
        furnace, _, condition = message.key.rpartition("/")
        if condition != _SILENT or message.fields["transition"]["cause"] != RAISE:
            continue
        at = us(message.fields["times"]["published"])
        last = max((time for time in heard[furnace] if time < at - _ON_THE_WAY_US), default=0)
        if at - last < _LEAST_SILENCE_US:
            yield f"{message.key}: raised {(at - last) / 1e6:.1f} s after its last window"
