from meltwatch_cli.domain.redrive_journal import HOLD_MS, RedriveJournal
from meltwatch_schemas.alarm import utc_from_ns
from meltwatch_schemas.redrive import RedriveNote, Step

from tests.support.builders import NOON_NS

NOON_MS = NOON_NS // 10**6


def note(run: str, step: Step = Step.CLAIMED, after_ms: int = 0) -> RedriveNote:
    return RedriveNote(
        origin="t/0/1",
        letter="d/0/2",
        step=step,
        run=run,
        by=run,
        at=utc_from_ns(NOON_NS + after_ms * 10**6),
        topic="t",
        partition=0,
        offset=7,
    )


def journal(*notes: RedriveNote) -> RedriveJournal:
    folded = RedriveJournal()
    for item in notes:
        folded.add(item)
    return folded


def holder(folded: RedriveJournal) -> str | None:
    found = folded.holder("t/0/1")
    return None if found is None else found.run


def test_the_first_claim_holds_until_its_time_is_over():
    assert holder(journal(note("a"), note("b", after_ms=HOLD_MS - 1))) == "a"
    assert holder(journal(note("a"), note("b", after_ms=HOLD_MS))) == "b"
    held = journal(note("a"))
    assert held.is_held("t/0/1", NOON_MS + HOLD_MS - 1)
    assert not held.is_held("t/0/1", NOON_MS + HOLD_MS)


def test_a_claim_that_was_never_in_force_leaves_no_doubt():
    folded = journal(note("a"), note("b", after_ms=1), note("a", Step.RELEASED))

    assert holder(folded) is None
    assert folded.doubtful("t/0/1", "c") == ()


def test_an_owner_who_said_nothing_stays_in_doubt_until_he_says_something():
    overtaken = [note("a"), note("b", after_ms=HOLD_MS)]

    assert journal(*overtaken).doubtful("t/0/1", "b") == (overtaken[0],)
    assert journal(*overtaken).doubtful("t/0/1", "c") == tuple(overtaken)
    assert journal(*overtaken, note("a", Step.RELEASED)).doubtful("t/0/1", "b") == ()
    assert journal(*overtaken, note("b", Step.RELEASED)).doubtful("t/0/1", "c") == (overtaken[0],)


def test_nobody_but_the_owner_can_release():
    assert holder(journal(note("a"), note("b", Step.RELEASED))) == "a"


def test_what_was_sent_stays_sent():
    folded = journal(note("a"), note("a", Step.SENT), note("b", Step.SENT), note("c"))

    assert folded.sent("t/0/1") == note("a", Step.SENT)
    assert folded.sent("t/0/2") is None
