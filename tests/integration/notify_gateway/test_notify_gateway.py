"""People are told of alarms of a real manager, on real channels, also when some of them fail."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest
from meltwatch_core.alarms.system_alarms import PLANT_ALARMS
from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.record import RawRecord
from meltwatch_schemas.topics import Topic

from tests.integration.alarm_manager.test_blind import hurry
from tests.support.waiting import LIMIT_S, until
from tests.unit.core.alarms.samples import command_fields, command_record, score
from tests.unit.notify_gateway.receivers import SECRET, Hook, mail_server, web_hook

pytestmark = pytest.mark.integration
FURNACES = [f"dashiqiao/smelting-1/FMF-{number:02}" for number in range(20)]


def channels(**urls: str) -> str:
    """Write a channel file that reminds after half a minute."""
    remind = "remind_after_minutes: {critical: 0.5, high: 0.5}"
    lines = (f'  - {{name: {name}, url: "{url}", {remind}}}' for name, url in urls.items())
    return "\n".join(["channels:", *lines])


def receipts_of(broker, channel: str, status: str) -> list[str]:
    """Return the event ids that a channel's receipts tell of."""
    told = [json.loads(record.value) for record in broker.read(Topic.ALARM_RECEIPTS)]
    adapter = f"notify_gateway/{channel}"
    return [r["event_id"] for r in told if (r["adapter"], r["status"]) == (adapter, status)]


def trip(broker, furnaces: Sequence[str]) -> None:
    broker.send_scores(score(n, 6.0, furnace_id) for furnace_id in furnaces for n in range(4))


def ack(record: AlarmRecord, prefix: str) -> RawRecord:
    fields = command_fields("ack", record.event_id, alarm_id=record.alarm_id)
    return command_record(fields, 0, record.alarm_id, prefix)


def says(answer: tuple[int, str], word: str) -> bool:
    return answer[0] == 503 and word in answer[1]


def about(hook: Hook, what: str, since: int = 0) -> list[dict[str, Any]]:
    return [got for got in hook.got[since:] if what in got["message"]]


@pytest.mark.long
def test_a_flood_is_few_messages_that_come_again_also_after_a_restart_beside_dead_channels(
    broker, make_manager, make_gateway
):
    with make_manager() as manager, web_hook() as hook, web_hook(hangs=True) as hung:
        dead = f"json://u:{SECRET}@127.0.0.1:1/x"
        manager.wait_ready()
        with make_gateway(channels(hook=hook.url, dead=dead, hung=f"{hung.url}?rto=3")) as gateway:
            gateway.wait_ready()
            assert SECRET not in gateway.command_line
            trip(broker, FURNACES)
            raised = broker.wait_alarms(20)[:20]
            ids = {record.event_id for record in raised}
            until(lambda: ids <= {*receipts_of(broker, "hook", "delivered")}, "every trip told")
            told = about(hook, "OVERHEAT")
            assert 1 <= len(told) <= 3
            first = min(raised, key=lambda record: (record.raise_time, record.alarm_id))
            assert told[0]["message"].splitlines()[1] == f"Where: {first.alarm_id}", "first-out"
            the_flood_is_listed_and_reported(broker, raised)
            assert " more alarms" in told[0]["title"]
            assert "Do: " in told[0]["message"]
            until(lambda: says(gateway.probe("/readyz"), "channel dead: "), "a channel is lost")
            until(lambda: about(hook, f"{broker.prefix}/dead/CHANNEL_DOWN"), "others are told")
            until(lambda: ids <= {*receipts_of(broker, "dead", "failed")}, "a receipt why not")
            gateway.kill()

        known = len(hook.got)
        broker.send(*(ack(record, broker.prefix) for record in raised[:19]))
        until(lambda: sum(a.state == "ACKED" for a in broker.alarms()) >= 19, "19 acknowledged")
        with make_gateway(channels(hook=hook.url), "again") as gateway:
            open_one = raised[19].alarm_id
            until(lambda: about(hook, open_one, known), "what nobody has acknowledged comes again")
            (again, *_) = about(hook, open_one, known)
            assert "Reminder" in again["title"] or "told before" in again["message"]
            acked = [record.alarm_id for record in raised[:19]]
            assert not [each for each in acked if about(hook, each, known)]
            logs = gateway.log.read_text() + gateway.log.with_name("gateway.log").read_text()
        assert '"notification_delivered"' in logs
        assert SECRET not in logs
        assert "Traceback" not in logs


def the_flood_is_listed_and_reported(broker, raised: Sequence[AlarmRecord]) -> None:
    """Hold the key figures of what Kafka has against the records themselves."""
    environ = os.environ | {
        "MELTWATCH_KAFKA": broker.address, "MELTWATCH_TOPIC_PREFIX": broker.prefix,
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "meltwatch_cli", "alarms", "report", "--from", "1h", "--json"],
        env=environ, capture_output=True, text=True, check=True, timeout=LIMIT_S,
    )  # fmt: skip
    (flood,) = json.loads(done.stdout)["floods"]
    announced = sorted(raised, key=lambda record: (record.epoch, record.seq))
    assert flood["annunciations"] >= 20
    assert flood["first_out"] == announced[0].alarm_id
    began = datetime.fromisoformat(flood["from"])
    assert began == announced[10].times.published, "with the eleventh"
    assert flood["to"] is None, "it lasts"


async def test_the_silence_of_the_alarm_manager_reaches_a_mailbox(broker, make_gateway):
    async with mail_server() as box:
        with make_gateway(channels(mail=box.url)) as gateway:
            async with asyncio.timeout(LIMIT_S):
                await box.arrival.wait()
            (mail,) = box.got
            assert mail["Subject"] == "CRITICAL: Meltwatch, alarm pipeline down"
            # In a thread: the mail server in this loop has yet to say that it took the message.
            await asyncio.to_thread(
                until, lambda: 'outcome="delivered"' in gateway.probe("/metrics")[1], "delivered"
            )
            silent = (503, "no sign of life of the alarm manager for 15 s\n")
            await asyncio.to_thread(
                until, lambda: gateway.probe("/readyz") == silent, lambda: gateway.probe("/readyz")
            )


@pytest.mark.long
def test_a_gateway_that_can_tell_nobody_is_an_alarm_until_it_can(
    broker, make_manager, make_gateway
):
    silent = f"{broker.prefix}/NOTIFY_SILENT"
    hurry(broker, broker.prefix, {"NOTIFY_SILENT": PLANT_ALARMS["NOTIFY_SILENT"]}, on_delay_s=5.0)

    def silence() -> AlarmRecord | None:
        return next((r for r in reversed(broker.alarms()) if r.alarm_id == silent), None)

    with make_manager() as manager, web_hook() as hook:
        manager.wait_ready()
        with make_gateway(channels(dead="json://127.0.0.1:1/x"), "dead") as gateway:
            gateway.wait_ready()
            until(lambda: beats_of(broker, "notify_gateway"), "a sign of life")
            trip(broker, FURNACES[:1])
            until(lambda: gateway.log_lines("nobody_can_be_told"), "the last channel is lost")
            mute = "meltwatch_notify_mute 1.0"
            until(lambda: mute in gateway.probe("/metrics")[1], "the metric")
            told = until(silence, "the manager tells of it")
            assert (told.active, told.priority) == (True, "high")
            gateway.kill()
        with make_gateway(channels(hook=hook.url)) as gateway:
            until(lambda: about(hook, silent), "the next one tells, too")
            until(lambda: (found := silence()) and not found.active, "it is over")
    assert not manager.log_lines("foreign_writer")
    assert not broker.read(Topic.DEAD_LETTERS)


def beats_of(broker, service: str) -> list[RawRecord]:
    return [each for each in broker.read(Topic.HEARTBEATS) if each.key == service.encode()]
