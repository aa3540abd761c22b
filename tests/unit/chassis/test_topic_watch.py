"""A topic that was made again is another one; a broker that says nothing changes nothing."""

import pytest
from meltwatch_chassis.errors import TransientError
from meltwatch_chassis.kafka.topic_watch import TopicWatch

IDS = {"p.alarms.v1": "one", "p.scores.v1": "two"}


def after(*looks: dict[str, str]) -> TopicWatch:
    watch = TopicWatch(IDS)
    for found in looks:
        watch.take(found)
    return watch


@pytest.mark.parametrize(
    "looks",
    [(), (IDS,), (IDS | {"p.other.v1": "three"},), ({"p.alarms.v1": "one"}, IDS), ({}, IDS, {})],
)
def test_the_same_topics_are_read_on_also_if_one_is_missing_for_a_moment(looks) -> None:
    after(*looks).require_same()


@pytest.mark.parametrize(
    ("looks", "said"),
    [
        ((IDS | {"p.alarms.v1": "new"},), r"p\.alarms\.v1 was deleted and made again"),
        (({}, IDS | {"p.scores.v1": "new"}), r"p\.scores\.v1 was deleted and made again"),
        (({"p.alarms.v1": "one"},) * 2, r"p\.scores\.v1 was deleted$"),
        ((dict.fromkeys(IDS, "new"),), r"p\.alarms\.v1, p\.scores\.v1 was deleted and made again"),
    ],
)
def test_another_topic_under_the_same_name_ends_the_reading(looks, said) -> None:
    with pytest.raises(TransientError, match=said):
        after(*looks).require_same()


def test_a_broker_without_ids_is_believed_to_have_kept_its_topics() -> None:
    watch = TopicWatch({})
    watch.take(IDS)
    watch.require_same()
