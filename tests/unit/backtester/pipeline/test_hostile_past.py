"""Whatever others wrote into the topics of a live system: the replay is the one without it."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace

import pytest
from meltwatch_backtester.domain.findings import ReplayVerdict
from meltwatch_backtester.domain.outcome import ReplayOutcome
from meltwatch_backtester.domain.span import Span
from meltwatch_backtester.pipeline.live_scores import live_said
from meltwatch_schemas.record import RawRecord
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_MS, NS_PER_S

from tests.support.hostile_alarms import hostile_alarm_inputs
from tests.support.input_records import ORIGIN_NS, live
from tests.unit.backtester.pipeline.past import PREFIX, Noted, Past, replay
from tests.unit.core.scoring.fakes import ENCODER

FURNACE = "hall/FMF-01"
HOUR = Span(ORIGIN_NS, ORIGIN_NS + 3600 * NS_PER_S)
AT_NS = ORIGIN_NS + 150 * NS_PER_S
OPEN = (Topic.SCORES, Topic.ALARMS, Topic.ALARM_COMMANDS, Topic.ALARM_POINTS)


def strangers(topic: Topic) -> list[RawRecord]:
    """Everything that must not be accepted there, and what no schema has a word for."""
    name, time_ms = topic.under(PREFIX), AT_NS // NS_PER_MS
    nothing = [
        RawRecord(name, 0, 0, at_ms, key, value, ((header, content),))
        for at_ms in (time_ms, -1)  # a broker takes none from far ahead
        for key in (None, b"", b"\xff", b"hall/FMF-01/OVERHEAT")
        for value in (None, b"", b"\x1b[2J", b"{" * 1000)
        for header, content in (("schema", None), ("\x1b", b"\xff"))
    ]
    known = [
        hostile.raw(PREFIX)
        for hostile in hostile_alarm_inputs(FURNACE, AT_NS)
        if hostile.topic is topic and hostile.expected is not None
    ]
    return [*nothing, *known]


def mixed(own: Iterable[RawRecord], others: Iterable[RawRecord]) -> list[RawRecord]:
    """Put others before, between and behind a topic's own records."""
    log, strange = list(own), list(others)
    share = -(-len(strange) // (len(log) + 1))
    found: list[RawRecord] = []
    for number in range(len(log) + 1):
        found += [*strange[number * share : (number + 1) * share], *log[number : number + 1]]
    return [replace(raw, offset=offset) for offset, raw in enumerate(found)]


def told(noted: Noted) -> list[object]:
    return [score and (score.window_id, score.status, score.logit) for score in noted.scores]


def courses(outcome: ReplayOutcome) -> list[object]:
    return [(a.alarm_id, a.transition.cause, a.condition_time, a.event_id) for a in outcome.alarms]


@pytest.fixture(scope="module")
def steady() -> Past:
    return asyncio.run(Past.of(live([FURNACE], 180, encoder=ENCODER)))


@pytest.mark.parametrize("topic", OPEN)
async def test_a_replay_takes_no_notice_of_what_live_refuses(steady: Past, topic: Topic) -> None:
    expected, calm = await replay(steady)
    past = Past(dict(steady.logs))
    past.logs[topic] = mixed(steady.logs.get(topic, []), strangers(topic))

    outcome, noted = await replay(past)

    assert told(noted) == told(calm)
    assert courses(outcome) == courses(expected) != []
    assert outcome.findings.verdict is ReplayVerdict.SAME


def test_what_live_said_is_read_past_strangers(steady: Past) -> None:
    past = Past(dict(steady.logs))
    past.logs[Topic.SCORES] = mixed(steady.logs[Topic.SCORES], strangers(Topic.SCORES))

    said = [list(live_said(each.history(), HOUR, None, lambda _: None)) for each in (steady, past)]

    assert said[0] == said[1] != []
