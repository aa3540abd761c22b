"""Every browser reads the same log at its own pace."""

import asyncio
import zlib
from collections.abc import AsyncIterator

import pytest
from meltwatch_chassis.testing import ManualClock
from meltwatch_console.pipeline import hub as hub_module
from meltwatch_console.pipeline.hub import COMMENT, GZIP_HEAD, KEPT_NS, Hub, Sent

WHOLE = b'{"furnaces":[]}'


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def hub(clock: ManualClock) -> Hub:
    return Hub("r1", clock, lambda: WHOLE)


async def next_of(events: AsyncIterator[Sent]) -> bytes:
    async with asyncio.timeout(30):
        return (await anext(events)).plain


async def test_a_browser_is_sent_the_whole_picture_and_then_each_event_once(hub: Hub):
    events = hub.events()
    assert await next_of(events) == b"id: r1.0\nevent: snapshot\ndata: " + WHOLE + b"\n\n"
    assert hub.browsers == 1
    hub.publish("alarm", b"1")
    hub.publish("scores", b"2")
    assert await next_of(events) == b"id: r1.1\nevent: alarm\ndata: 1\n\n"
    assert await next_of(events) == b"id: r1.2\nevent: scores\ndata: 2\n\n"
    await events.aclose()
    assert hub.browsers == 0


async def test_an_event_is_encoded_once_for_all(hub: Hub):
    crowd = [hub.events() for _ in range(3)]
    for each in crowd:
        await next_of(each)
    hub.publish("alarm", b"1")
    first, *others = [await anext(each) for each in crowd]
    assert all(other is first for other in others), "plain and packed"


@pytest.mark.parametrize("last_id", [None, "r1.0", "r1.2"])
async def test_from_wherever_a_browser_goes_on_the_packed_events_are_one_gzip_stream(
    hub: Hub, last_id: str | None
):
    for number in range(5):
        hub.publish("alarm", (f'"{number}"' * 300).encode())
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
    assert unpacker.decompress(GZIP_HEAD) == b""
    events = hub.events(last_id)
    for _ in range(3 if last_id == "r1.2" else 1):
        sent = await anext(events)
        assert unpacker.decompress(sent.packed) == sent.plain, "at once, not with the next one"
    hub.publish("alarm", b'"5"' * 300)
    for sent in (await last_of(events), COMMENT):
        assert unpacker.decompress(sent.packed) == sent.plain
        assert len(sent.packed) < 200


async def last_of(events: AsyncIterator[Sent]) -> Sent:
    """Return the sixth event; whoever asked for more has had those before it."""
    while not (sent := await anext(events)).plain.startswith(b"id: r1.6\n"):
        pass
    return sent


async def test_the_whole_picture_is_made_once_for_all_who_ask_meanwhile(clock: ManualClock):
    made = []
    hub = Hub("r1", clock, lambda: made.append(1) or WHOLE)
    for _ in range(50):
        await next_of(hub.events())
    assert len(made) == 1
    hub.publish("alarm", b"1")
    await next_of(hub.events())
    assert len(made) == 2


@pytest.mark.parametrize(
    ("last_id", "first"),
    [
        ("r1.1", b"id: r1.2\n"),
        ("r1.0", b"id: r1.1\n"),
        ("r1.3", None),
        ("r1.4", b"id: r1.3\nevent: snapshot"),  # a number that was never given
        ("r2.1", b"id: r1.3\nevent: snapshot"),  # another replica's
        ("r1.x", b"id: r1.3\nevent: snapshot"),
        ("r1.-1", b"id: r1.3\nevent: snapshot"),
        ("", b"id: r1.3\nevent: snapshot"),
        ("9" * 5_000, b"id: r1.3\nevent: snapshot"),
        ("r1." + "9" * 5_000, b"id: r1.3\nevent: snapshot"),
    ],
)
async def test_a_browser_resumes_where_it_was(hub: Hub, last_id: str, first: bytes | None):
    for number in range(3):
        hub.publish("alarm", str(number).encode())
    events = hub.events(last_id)
    if first is None:  # it lacks nothing
        waiting = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0)
        hub.publish("alarm", b"3")
        assert (await waiting).plain.startswith(b"id: r1.4\n")
    else:
        assert (await next_of(events)).startswith(first)


async def test_one_that_did_not_read_for_a_minute_is_sent_the_whole_picture(
    hub: Hub, clock: ManualClock
):
    slow, quick = hub.events(), hub.events()
    await next_of(slow), await next_of(quick)
    for number in range(70):
        hub.publish("alarm", str(number).encode())
        assert (await next_of(quick)).startswith(f"id: r1.{number + 1}\n".encode())
        clock.advance(KEPT_NS // 60)
    hub.publish("alarm", b"last")
    assert (await next_of(slow)).startswith(b"id: r1.71\nevent: snapshot")
    hub.publish("alarm", b"after")
    assert (await next_of(slow)).startswith(b"id: r1.72\nevent: alarm")
    assert (await next_of(hub.events("r1.1"))).startswith(b"id: r1.72\nevent: snapshot")


async def test_the_log_does_not_outgrow_its_bound(hub: Hub, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(hub_module, "MOST_BYTES", 1_000)
    events = hub.events()
    await next_of(events)
    for _ in range(20):
        hub.publish("alarm", b"x" * 200)
    assert (await next_of(events)).startswith(b"id: r1.20\nevent: snapshot")


async def test_silence_is_a_comment(hub: Hub, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(hub_module, "SILENCE_S", 0.01)
    events = hub.events()
    await next_of(events)
    assert await next_of(events) == COMMENT.plain
    hub.publish("alarm", b"1")
    assert (await next_of(events)).startswith(b"id: r1.1\n")
