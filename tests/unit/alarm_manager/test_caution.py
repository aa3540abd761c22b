"""What ends the manager again and again is set aside; what was only near by is judged."""

from collections.abc import Callable, Iterator, Sequence
from itertools import repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_alarm_manager import app
from meltwatch_alarm_manager.adapters.forked_trial import outlives
from meltwatch_core.alarms.caution import (
    CAREFUL_RECORDS,
    GIVEN_UP,
    MOST_READ,
    TRIED,
    Caution,
    Suspect,
)
from meltwatch_core.alarms.manager import scores
from meltwatch_core.alarms.manager.commands import CommandDesk
from meltwatch_core.alarms.ports import Place
from meltwatch_schemas.alarm_command import Command
from meltwatch_schemas.record import RawRecord, read_score
from meltwatch_schemas.score import WindowScore
from meltwatch_schemas.topics import Topic

from tests.support.examples import examples
from tests.unit.alarm_manager.test_app import Plant
from tests.unit.core.alarms.samples import command_fields, command_record, score, score_record
from tests.unit.core.alarms.topic_log import COMMANDS, SCORES, TopicLog

FURNACES = ("a/b/F1", "a/b/F2", "a/b/F3")
POISON = 5
MOST_DEATHS = 4


class Death(BaseException):
    """What no handler catches: the process is gone."""


def stream(windows: int = 4) -> list[RawRecord]:
    made = [score(number, 6.0, name) for number in range(windows) for name in FURNACES]
    return [score_record(each, offset) for offset, each in enumerate(made)]


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "_SHORTEST_PAUSE_S", 0.0)
    monkeypatch.setattr(app, "_LONGEST_PAUSE_S", 0.01)


async def lives_of(plant: Plant, holds: Callable[[], bool]) -> int:
    """Start the process again until something holds; return how often it died before."""
    for deaths in range(20):
        try:
            await plant.run_until(holds)
        except BaseExceptionGroup as group:
            if group.subgroup(Death) is None:
                raise
        else:
            return deaths
    raise AssertionError("it still dies")


def letters(log: TopicLog) -> list[str]:
    """Return offset and reason of each dead letter."""
    headers = [dict(letter.headers) for letter in log.of(Topic.DEAD_LETTERS)]
    return [f"{h['dlq.offset'].decode()}: {h['dlq.error'].decode()}" for h in headers]


def furnaces_raised(log: TopicLog) -> set[str]:
    return {record.equipment_path for record in log.alarms()}


def ends_life_at(offset: int) -> Callable[[RawRecord], WindowScore]:
    def read(record: RawRecord) -> WindowScore:
        if record.offset == offset:
            raise Death
        return read_score(record)

    return read


async def test_a_record_that_kills_the_process_is_set_aside(monkeypatch) -> None:
    monkeypatch.setattr(scores, "read_once", ends_life_at(POISON))
    plant = Plant()
    plant.scores = stream(5)
    deaths = await lives_of(plant, lambda: furnaces_raised(plant.log) == set(FURNACES))
    assert letters(plant.log) == [f"{POISON}: contract_violation"]
    assert deaths <= MOST_DEATHS


async def test_a_record_whose_writing_fails_for_good_is_set_aside_though_nothing_dies() -> None:
    plant = Plant()
    plant.scores = stream()
    write = plant.write

    async def refuse(records, settle):
        if any(out.topic is Topic.ALARMS and b"F2" in (out.key or b"") for out in records):
            raise AssertionError("the client asserts")
        await write(records, settle)

    plant.write = refuse
    await plant.run_until(lambda: furnaces_raised(plant.log) == {"a/b/F1", "a/b/F3"})
    assert letters(plant.log) == ["10: contract_violation"]


async def test_a_record_whose_dead_letter_cannot_be_written_either_leaves_one_without_bytes() -> (
    None
):
    plant = Plant()
    plant.scores = stream()
    plant.scores[POISON] = RawRecord(
        plant.scores[0].topic, 0, POISON, 0, b"k" * 9, b"v" * 9, (("h", b"h" * 9),)
    )
    write = plant.write

    async def refuse(records, settle):
        if any(out.value == b"v" * 9 for out in records):
            raise AssertionError("the broker refuses it")
        await write(records, settle)

    plant.write = refuse
    await plant.run_until(lambda: furnaces_raised(plant.log) == set(FURNACES))
    (letter,) = plant.log.of(Topic.DEAD_LETTERS)
    assert (letter.key, letter.value) == (None, b"")
    assert dict(letter.headers)["dlq.offset"] == str(POISON).encode()


def judged(
    log: TopicLog, records: list[RawRecord], dies: Iterator[bool], others: Sequence[RawRecord] = ()
) -> None:
    """Do as the manager's loop does; it dies between any two steps that outlive it.

    Four records are read at once; those of other topics are read last.
    """

    def step() -> None:
        if next(dies):
            raise Death

    pipeline = log.take_over()
    step()
    log.write([pipeline.heartbeat(0)], pipeline)
    step()
    written = []
    commit = log.commit(SCORES)
    unread = records[commit.offset :]
    for batch in (*(unread[start : start + 4] for start in range(0, len(unread), 4)), others):
        for record in batch:
            if pipeline.name(record, batch[-1].offset):
                log.write(written, pipeline)
                written = []
                step()
            written += pipeline.handle_record(record, 2**62)
            step()
    log.write(written, pipeline)


@examples(30)
@given(
    st.integers(0, 11),
    st.lists(st.integers(0, 2), min_size=12, max_size=12),
    st.lists(st.integers(0, 40), max_size=1),
)
def test_a_deadly_record_ends_three_lives_and_never_another_one(
    deadly: int, whose: list[int], fates: list[int]
) -> None:
    """Not even of those who read it again because the silence of a furnace holds offsets back."""
    made = [score(number, 6.0, FURNACES[which]) for number, which in enumerate(whose)]
    records = [score_record(each, offset) for offset, each in enumerate(made)]
    log, deaths = TopicLog(outlives=outlives), 0
    for life in range(12):
        fate = fates[life] if life < len(fates) else 10_000
        try:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(scores, "read_once", ends_life_at(deadly))
                judged(log, records, iter(number == fate for number in range(100)))
        except Death:
            deaths += 1
    assert letters(log) == [f"{deadly}: contract_violation"]
    assert deaths <= 3 + len(fates)
    undisturbed = TopicLog()
    undisturbed.judge([each for number, each in enumerate(made) if number != deadly])
    assert furnaces_raised(log) == furnaces_raised(undisturbed)


@pytest.mark.parametrize("before", [0, 1, 10, CAREFUL_RECORDS + 1])
def test_a_deadly_record_is_found_though_each_life_gets_on_elsewhere(
    before: int, monkeypatch
) -> None:
    def die(*_: object) -> None:
        raise Death

    monkeypatch.setattr(CommandDesk, "handle_command", die)
    command = command_record(command_fields(Command.ACK))
    log, deaths, lives = TopicLog(outlives=outlives), 0, 8
    records = [score_record(score(n, -6.0), n) for n in range(before * lives)]
    for life in range(lives):
        newer = records[: before * (life + 1)]
        others = [] if COMMANDS in done(log) else [command]
        try:
            judged(log, newer, repeat(False), others)
        except Death:
            deaths += 1
    assert letters(log) == ["0: contract_violation"]
    assert deaths == TRIED


def done(log: TopicLog) -> set[Place]:
    return {place for place, commit in log.commits.items() if commit and commit.position}


@examples(30)
@given(st.lists(st.integers(0, 40), max_size=GIVEN_UP - 1))
def test_deaths_wherever_they_come_cost_no_record(fates: list[int]) -> None:
    """Managers that are killed at their start, again and again, have met the same record."""
    log, records = TopicLog(outlives=outlives), stream()
    for fate in [*fates, 10_000]:
        try:
            judged(log, records, iter(number == fate for number in range(100)))
        except Death:
            continue
    assert letters(log) == []
    assert furnaces_raised(log) == set(FURNACES)


def test_a_record_is_tried_once_a_life_has_ended_over_it_alone() -> None:
    tried: list[bool] = []

    def survive(attempt: Callable[[], object]) -> bool:
        tried.append(outlives(attempt))
        return tried[-1]

    log, records = TopicLog(outlives=survive), stream()
    for _ in range(TRIED):
        with pytest.raises(Death):
            judged(log, records, iter(step == 2 for step in range(100)))
    assert tried == []
    judged(log, records, repeat(False))
    assert tried == [True]
    assert letters(log) == []


def test_a_trial_without_end_costs_no_record_until_lives_without_end_have_come_over_it() -> None:
    log, records = TopicLog(), stream()
    for deaths in range(1, GIVEN_UP + 1):
        assert letters(log) == []
        with pytest.raises(Death):
            judged(log, records, iter(step == 2 for step in range(100)))
        suspect = log.commit(SCORES).suspect
        assert suspect is not None
        assert suspect.times == deaths
    judged(log, records, repeat(False))
    assert letters(log) == ["0: contract_violation"]


def test_only_the_first_records_of_each_partition_are_named_and_all_that_were_read_at_once() -> (
    None
):
    caution: Caution[str] = Caution()
    for place in ("scores", "commands"):
        named = [
            caution.name(place, offset, offset // MOST_READ * MOST_READ + MOST_READ - 1)
            for offset in range(CAREFUL_RECORDS + MOST_READ)
        ]
        named_at = [offset for offset, is_named in enumerate(named) if is_named]
        assert named_at == [0, MOST_READ]
        assert caution.suspect(place) == Suspect(MOST_READ, 2 * MOST_READ - 1, 1)


def test_no_record_is_named_that_came_after_the_reign_had_begun() -> None:
    caution: Caution[str] = Caution()
    caution.begin_reign({"scores": 3})
    assert [caution.name("scores", offset, 9) for offset in range(10)] == [True, *9 * [False]]
    late: Caution[str] = Caution()
    late.begin_reign({"scores": 0})
    assert not any(late.name("scores", offset, 9) for offset in range(10))


async def test_a_record_that_kills_the_process_is_set_aside_though_it_came_while_that_ruled(
    monkeypatch,
) -> None:
    monkeypatch.setattr(scores, "read_once", ends_life_at(POISON))
    plant = Plant()
    records = stream(5)
    seek = plant.seek

    async def begun(offsets, judged):
        unread = await seek(offsets, judged)
        plant.scores = records  # after the ends were asked for
        return unread

    plant.seek = begun
    deaths = await lives_of(plant, lambda: furnaces_raised(plant.log) == set(FURNACES))
    assert letters(plant.log) == [f"{POISON}: contract_violation"]
    assert deaths == 3


def test_where_a_life_ended_each_record_is_named_alone() -> None:
    caution = Caution({"scores": Suspect(3, 5, 1)})
    assert [caution.name("scores", offset, 9) for offset in range(3, 10)] == 4 * [True] + 3 * [
        False
    ]
    assert caution.suspect("scores") == Suspect(6, 9, 1)


def test_what_somebody_else_has_committed_makes_no_reign_careful_for_ever() -> None:
    caution = Caution({"scores": Suspect(0, 2**62, 1)})
    assert sum(caution.name("scores", n, n) for n in range(2 * CAREFUL_RECORDS)) == CAREFUL_RECORDS
