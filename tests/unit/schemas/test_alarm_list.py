from hypothesis import given
from hypothesis import strategies as st
from meltwatch_schemas.alarm_list import listed, newest

from tests.support.timed_records import alarm_record

VERSIONS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3), st.integers(0, 5)))


@given(VERSIONS, st.randoms())
def test_folding_does_not_depend_on_order_or_repetition(versions, random):
    records = [alarm_record(f"f/{name}", epoch=e, seq=s) for name, e, s in versions]
    shuffled = records * 2
    random.shuffle(shuffled)

    folded = newest(shuffled)

    assert folded == newest(records)
    for alarm_id, record in folded.items():
        mine = [r for r in records if r.alarm_id == alarm_id]
        assert (record.epoch, record.seq) == max((r.epoch, r.seq) for r in mine)


def test_a_list_reads_unacknowledged_first_then_priority_then_newest():
    wanted = [
        alarm_record("f/1", "UNACK", priority="critical", raised_s=5),
        alarm_record("f/2", "RTNUN", priority="high", raised_s=9),
        alarm_record("f/3", "UNACK", priority="high", raised_s=1),
        alarm_record("f/4", "ACKED", priority="critical", raised_s=3),
        alarm_record("f/5", "SHLVD", priority="low", raised_s=99),
    ]

    shown = listed(reversed([*wanted, alarm_record("f/6", "NORM")]), everything=False)

    assert [record.alarm_id for record in shown] == ["f/1", "f/2", "f/3", "f/4", "f/5"]


def test_everything_includes_normal_alarms_at_the_end():
    shown = listed([alarm_record("f/a", "NORM"), alarm_record("f/b", "ACKED")], everything=True)

    assert [record.alarm_id for record in shown] == ["f/b", "f/a"]
