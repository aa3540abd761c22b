"""What of the live journal belongs to a span, and where it stood among the scores."""

from meltwatch_backtester.domain.journal import Journal, JournalEntry, JournalMoment
from meltwatch_backtester.domain.span import Span
from meltwatch_schemas.alarm import AlarmRecord, Transition
from meltwatch_schemas.instants import ns_from_utc, utc_from_ns
from meltwatch_schemas.window import NS_PER_S

from tests.support.builders import ALARM, alarm_command, alarm_record, raw_record

SPAN = Span(1_000 * NS_PER_S, 1_100 * NS_PER_S)


def entry(
    offset: int, cause: str, window_s: float, judged_s: float, **told: object
) -> JournalEntry:
    """A record of the journal: what caused it, on which window, and when it was written."""
    record = alarm_record(ALARM, seq=offset + 1)
    times = record.times.model_copy(
        update={
            "watermark": utc_from_ns(int(window_s * NS_PER_S)),
            "published": utc_from_ns(int(judged_s * NS_PER_S)),
        }
    )
    transition = Transition(from_="NORM", to="UNACK", cause=cause, **told)
    changed = record.model_copy(update={"times": times, "transition": transition})
    return JournalEntry(raw_record(b"", offset=offset), changed)


def journal(*entries: JournalEntry) -> Journal:
    return Journal(entries, SPAN)


def causes(records: list[AlarmRecord]) -> list[str]:
    return [record.transition.cause for record in records]


def test_scores_belong_to_the_span_by_their_windows():
    found = journal(
        entry(0, "RAISE", 990, 1001),
        entry(1, "CLEAR", 1000, 1002),
        entry(2, "RAISE", 1099, 1101),
        entry(3, "CLEAR", 1100, 1102),
    )
    assert [raw.offset for raw in found.before] == [0]
    assert causes(found.within[ALARM]) == ["CLEAR", "RAISE"]


def test_a_command_before_a_record_that_is_restored_is_restored_with_it():
    found = journal(
        entry(0, "RAISE", 990, 991),
        entry(1, "ACK", 990, 1000.5, by="ann"),
        entry(2, "CLEAR", 999, 1001),
        entry(3, "RAISE", 1010, 1011),
    )
    assert [raw.offset for raw in found.before] == [0, 1, 2]
    assert causes(found.within[ALARM]) == ["RAISE"]


def test_a_command_behind_the_restored_belongs_to_the_span_by_the_clock():
    first = entry(0, "RAISE", 990, 991)
    early, late = entry(1, "ACK", 990, 999, by="ann"), entry(1, "ACK", 990, 1000, by="ann")
    assert journal(first, early).within == {}
    assert causes(journal(first, late).within[ALARM]) == ["ACK"]


def test_what_people_caused_after_the_end_is_left_out():
    found = journal(entry(0, "RAISE", 1090, 1092), entry(1, "ACK", 1090, 1105, by="ann"))
    assert causes(found.until(1106 * NS_PER_S)[ALARM]) == ["RAISE", "ACK"]
    assert causes(found.until(1104 * NS_PER_S)[ALARM]) == ["RAISE"]


def test_a_score_was_judged_when_its_first_record_was_written():
    found = journal(entry(4, "RAISE", 1010, 1012), entry(5, "QUALITY", 1010, 1012))
    furnace = found.within[ALARM][0].equipment_path
    assert found.judged(furnace, 1010 * NS_PER_S) == JournalMoment(1012 * NS_PER_S, 5)
    assert found.judged(furnace, 1011 * NS_PER_S) is None


def test_a_command_finds_the_record_that_it_caused_once():
    command = alarm_command("ack", user="ann", comment=None)
    told = {"by": "ann", "comment": None}
    found = journal(
        entry(0, "RAISE", 1010, 1011),
        entry(1, "ACK", 1010, 1013, by="bob"),
        entry(2, "ACK", 1010, 1014, **told),
        entry(3, "ACK", 1010, 1020, **told),
    )
    answers = [found.answered(command, 1012 * NS_PER_S) for _ in range(3)]
    times = [answer and ns_from_utc(answer.times.published) // NS_PER_S for answer in answers]
    assert times == [1014, 1020, None]
    assert found.answered(command, 0) is None
    assert all(found.is_within(answer) for answer in answers if answer)
