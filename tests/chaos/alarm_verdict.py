"""The verdict on alarms: what was written against what the scores and the commands make of it.

From the published scores alone it says which raises and clears there must be, and at which
windows. Every command must have one answer, every acknowledgement that was granted one record.
The topic must tell a story: each record goes on from the state of the one before it, and no two
have the same number. Of a process alarm each fact is judged, suppressed or not (``life_oracle``).
A decommissioned one begins anew. Alarms about the system itself are judged for sense only.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice, pairwise
from typing import Any, Final

from tests.chaos.alarm_oracle import CLEAR, RAISE, Change, Judged, changes
from tests.chaos.alarm_points import POINTS, Point, default_point
from tests.chaos.answer_verdict import wrong_answers
from tests.chaos.life_oracle import NOTHING, follows, told
from tests.chaos.tape import Message, Score, Tape

Fields = Mapping[str, Any]
_NS_PER_US: Final = 1000
_END: Final = "DECOMMISSION"
# Whoever leads unshelves within seconds; somebody led again soon, whatever befell the managers.
_LONGEST_OVERDUE_US: Final = 60_000_000
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
        *_overdue(tape, _newest_us(tape) - _LONGEST_OVERDUE_US),
        *wrong_answers(tape),
        *_phantom_silences(tape),
    ]


def unsettled(tape: Tape) -> int:
    """How many alarms lack raises, clears or a release, and how many answers are to come."""
    answers = Counter(each.key for each in tape.results)
    asked = Counter(each.key for each in tape.commands)
    overdue = list(_overdue(tape, time.time_ns() // _NS_PER_US))
    return len([*_wrong_changes(tape), *overdue]) + (asked - answers).total()


def points_on(tape: Tape) -> list[Point]:
    """All alarm points that judge the scores: those that were sent, else the default."""
    known = {point.furnace for point in POINTS}
    others = {score.furnace for score in tape.scores} - known
    ours = (point.with_prepared(tape.points.get(point.alarm_id)) for point in POINTS)
    return [*ours, *map(default_point, sorted(others))]


def expected(point: Point, scores: Iterable[Score]) -> list[Change]:
    """What the published scores make of an alarm point that nobody decommissions."""
    return list(changes(point, judged(point, scores)))


def judged(point: Point, scores: Iterable[Score]) -> list[Judged]:
    """The windows of an alarm point's furnace that have a verdict."""
    newest, windows = 0, list[Judged]()
    for score in scores:
        logit = score.fields["logit"]
        if score.furnace == point.furnace and score.end > newest:
            newest = score.end
            if logit is not None:
                windows.append(Judged(score.end, logit, score.digest))
    return windows


def judge_forgeries(tape: Tape, prefix: str) -> list[str]:
    """What forgeries have left: a reader that shows them, or no alarm about them."""
    shown: dict[str, Fields] = {}
    for key, fields in tape.alarms_as_read:
        if fields is None:
            shown.pop(key, None)
        elif key not in shown or _number(fields) > _number(shown[key]):
            shown[key] = fields
    truth = newest_records(tape.alarms)
    wrong = sorted(key for key in shown.keys() | truth.keys() if shown.get(key) != truth.get(key))
    lines = [f"{key}: a reader shows {shown.get(key)}, not {truth.get(key)}" for key in wrong]
    raised = truth.get(f"{prefix}/FOREIGN_WRITER", {})
    return lines if raised.get("active") else [*lines, "FOREIGN_WRITER does not stand"]


def _number(fields: Fields) -> tuple[int, int]:
    return fields["epoch"], fields["seq"]


def newest_records(alarms: Iterable[Message]) -> dict[str, Fields]:
    """The last record of each alarm that has one: not of a decommissioned one."""
    newest = {message.key: message.fields for message in alarms}
    return {key: each for key, each in newest.items() if each["transition"]["cause"] != _END}


def _wrong_changes(tape: Tape) -> Iterator[str]:
    lives: dict[str, list[list[Told]]] = defaultdict(lambda: [[]])
    process: dict[str, None] = {}
    for message in tape.alarms:
        cause = message.fields["transition"]["cause"]
        if cause == _END:
            lives[message.key].append([])
        elif cause in (RAISE, CLEAR):
            lives[message.key][-1].append(_found(message.fields))
            if message.fields["class"] == "process":
                process.setdefault(message.key)
    for point in points_on(tape):
        process.pop(point.alarm_id, None)
        wrong = _wrong_lives(point, judged(point, tape.scores), lives[point.alarm_id])
        if wrong is not None:
            yield f"{point.alarm_id}: {wrong}"
    for alarm_id in process:
        yield f"{alarm_id}: no alarm point of this name"


Told = tuple[str, int | None, int, float]
"""Cause, first window of a raise, last window, logit."""


def _wrong_lives(
    point: Point, windows: Sequence[Judged], lives: Sequence[Sequence[Told]]
) -> str | None:
    """How the lives of an alarm differ from what its windows make of it, if they do.

    Before which window it was decommissioned nobody has written down: one must fit them all.
    """
    ends = [window.end for window in windows]
    starts = {0}
    for number, life in enumerate(lives):
        is_last = number == len(lives) - 1
        found, wrong = set[int](), None
        for start in sorted(starts):
            made = list(islice(changes(point, windows[start:]), len(life) + 1))
            due = [_due(change) for change in made]
            if due[: len(life)] != life or (is_last and len(due) > len(life)):
                wrong = wrong or _first_difference(due, life)
                continue
            first = ends.index(made[len(life) - 1].end) + 1 if life else start
            last = ends.index(made[len(life)].end) if len(made) > len(life) else len(ends)
            found.update(range(first, last + 1))
        if not found:
            return f"life {number}, {wrong}"
        starts = found
    return None


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


def _broken_stories(alarms: Sequence[Message]) -> Iterator[str]:
    """Records that do not go on from where the one before them left the alarm."""
    states: dict[str, str] = defaultdict(lambda: "NORM")
    lives = dict.fromkeys((message.key for message in alarms), NOTHING)
    resets = {point.alarm_id for point in POINTS if point.needs_reset}
    for message in alarms:
        key, fields = message.key, message.fields
        if fields["class"] == "process":
            wrong = follows(lives[key], fields, needs_reset=key in resets)
            if wrong:
                yield f"{key}: {wrong}"
            is_end = fields["transition"]["cause"] == _END
            lives[key] = NOTHING if is_end else told(fields)
        transition = message.fields["transition"]
        if transition["from"] != states[message.key]:
            came = f"{transition['from']} -> {transition['to']} by {transition['cause']}"
            yield f"{message.key}: {came} where it was {states[message.key]}"
        states[message.key] = message.fields["state"]


def _overdue(tape: Tape, by_us: int) -> Iterator[str]:
    """Shelvings that nobody has ended although they ran out before an instant."""
    for key, fields in newest_records(tape.alarms).items():
        if fields["shelve"] and us(fields["shelve"]["until"]) < by_us:
            yield f"{key}: still shelved, though only until {fields['shelve']['until']}"


def _newest_us(tape: Tape) -> int:
    return max((us(each.fields["times"]["published"]) for each in tape.alarms), default=0)


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
