"""A plant is lost and given back: what people see after is what they saw before."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from meltwatch_schemas.alarm_point import AlarmPoint
from meltwatch_schemas.outside import FurnaceState
from meltwatch_schemas.point_rules import who_and_why_headers
from meltwatch_schemas.portrait import SCHEMA, encode_portrait
from meltwatch_schemas.record import RawRecord, headers_for
from meltwatch_schemas.topics import Topic

from tests.integration.alarm_manager.bench import Broker, wait_for_view
from tests.integration.backup.site import Command, Site, elsewhere, shown
from tests.integration.console.bench import ConsoleProcess
from tests.integration.console.furnace_forge import FURNACE as SEEN
from tests.integration.console.furnace_forge import wait_for_scores
from tests.support.builders import portrait
from tests.support.servers import TEST_PARTITIONS
from tests.support.waiting import until
from tests.unit.core.alarms.samples import (
    ALARM_ID,
    FURNACE,
    command_fields,
    command_record,
    json_record,
    point,
    score,
    setpoint,
)

pytestmark = [pytest.mark.integration]
SHELVED = "dashiqiao/smelting-1/FMF-07"
FURNACES = (SEEN, FURNACE, SHELVED)
COMMENTED = f"{SHELVED}/OVERHEAT"
QUIET = FurnaceState.model_validate(
    {"state": "maintenance", "since": "2026-03-01T03:00:00.000000Z", "by": "li.wei"}
)


def order(broker: Broker, command: str, **changes: Any) -> dict[str, Any]:
    """Send a command and wait for its answer."""
    fields = command_fields(command, changes.pop("event_id", None), **changes)
    broker.send(command_record(fields, key=fields["alarm_id"], prefix=broker.prefix))

    def answer() -> Any:
        told = [json.loads(record.value) for record in broker.read(Topic.ALARM_RESULTS)]
        return next((t for t in told if t["command_id"] == fields["command_id"]), None)

    assert until(answer, "an answer")["result"] == "done"
    return fields


def newest(broker: Broker, alarm_id: str) -> Any:
    return next((r for r in reversed(broker.alarms()) if r.alarm_id == alarm_id), None)


def raised(broker: Broker, alarm_id: str) -> Any:
    return until(
        lambda: newest(broker, alarm_id), lambda: [record.alarm_id for record in broker.alarms()]
    )


def portrait_record(prefix: str) -> RawRecord:
    """A portrait, and by whom and why it was published."""
    made = portrait(furnace_id=FURNACE)
    headers = (*headers_for(SCHEMA), *who_and_why_headers("li", "commissioned"))
    name, value = Topic.PORTRAITS.under(prefix), encode_portrait(made)
    return RawRecord(name, 0, 0, 0, FURNACE.encode(), value, headers)


def live(broker: Broker) -> None:
    """Let alarms be raised, acknowledged, shelved and judged, and set-points be changed."""
    for furnace in FURNACES:  # nobody misses windows of these
        broker.send(json_record(Topic.FURNACE_STATES, QUIET, furnace, prefix=broker.prefix))
    changed: AlarmPoint = point(SHELVED, setpoint=setpoint(logit_on=5.0))
    broker.send(json_record(Topic.ALARM_POINTS, changed, changed.alarm_id, prefix=broker.prefix))
    broker.send(portrait_record(broker.prefix))
    for furnace in (FURNACE, SHELVED):
        broker.send_scores(score(number, 6.0, furnace) for number in range(4))
    seen = raised(broker, f"{SEEN}/OVERHEAT")
    order(broker, "judge", alarm_id=seen.alarm_id, arguments={"verdict": "true_alarm"})
    order(broker, "ack", event_id=raised(broker, ALARM_ID).event_id)
    shelved = raised(broker, f"{SHELVED}/OVERHEAT")
    order(
        broker, "shelve", alarm_id=shelved.alarm_id,
        arguments={"duration_s": 7200, "reason": "maintenance"},
    )  # fmt: skip


def save(at: Any, site: Site, to: Path, *more: str) -> Any:
    code, out, err = at(site, "backup", "--to", str(to), "--json", *more)
    told = json.loads(out)
    assert (code, told["left_out"]) == (0, {}), err
    return told


def pictured(site: Site, console: ConsoleProcess, at: Any) -> dict[str, Any]:
    """Return what people see, but for the alarm on which a comment waits."""
    seen = shown(console)
    for what in ("alarms", "occurrences"):
        seen[what] = [each for each in seen[what] if each["alarm_id"] != COMMENTED]
    view = site.view()
    del view["alarms"][f"{site.prefix}:alarm:{COMMENTED}"]
    told = {
        what[0]: at(site, *what) for what in (["labels", "export"], ["alarms", "points", "export"])
    }
    assert {code for code, *_ in told.values()} == {0}, told
    return {"console": seen, "redis": view, **told}


def is_all_kept(console: ConsoleProcess) -> bool:
    found = shown(console)["evidence"]
    return len(found) == len(FURNACES) and 404 not in found.values()


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch, command: Command):
    """Runs ``meltwatch`` at a site."""

    def run(site: Site, *arguments: str) -> tuple[int, str, str]:
        for name, value in site.environment().items():
            monkeypatch.setenv(name, value)
        return command(*arguments)

    return run


@pytest.fixture
def here(kafka, topics, redis_server, tmp_path):
    (tmp_path / "here").mkdir()
    return Site(kafka.address, redis_server.address, topics.prefix, tmp_path / "here")


def test_alarms_shelves_points_verdicts_and_evidence_are_after_a_restore_as_before(
    here, broker, furnace, tmp_path, at
):
    with here.console() as console:
        with here.manager() as manager:
            manager.wait_ready()
            console.wait_live()
            wait_for_scores(console, furnace)
            live(broker)
            assert save(at, here, tmp_path / "while it runs")["records"]["alarms"] > 3
            manager.signal(signal.SIGTERM)
            assert manager.wait() == 0
        with here.view_client() as client:
            wait_for_view(client, broker)
        until(lambda: is_all_kept(console), lambda: shown(console)["evidence"])
        before = pictured(here, console, at)
        waiting = command_fields("comment", alarm_id=COMMENTED, comment="while nobody led")
        broker.send(command_record(waiting, key=COMMENTED, prefix=broker.prefix))
        folder = save(at, here, tmp_path / "kept", f"--files=evidence={here.evidence}")["folder"]
        saved = here.topics()
    # What happens between a backup and the loss is lost, and its generations must not come again.
    for _ in range(2):
        with here.manager() as manager:
            manager.wait_ready()
            manager.kill()
    lost = newest(broker, COMMENTED)

    with elsewhere(tmp_path / "there", here.prefix) as there:
        code, _, err = at(there, "topics", "create", f"--partitions={TEST_PARTITIONS}")
        assert code == 0, err
        code, _, err = at(there, "restore", folder, f"--files=evidence={there.evidence}")
        assert code == 0, err
        assert there.topics() == saved
        broker = Broker(there.kafka, there.prefix)
        with there.manager() as manager, there.console() as console:
            manager.wait_ready()
            console.wait_live()
            comment = until(
                lambda: found if (found := newest(broker, COMMENTED)).transition.comment else None,
                broker.alarms,
            )
            assert comment.transition.comment == "while nobody led"
            assert (comment.epoch, comment.seq) > (lost.epoch, lost.seq)
            with there.view_client() as client:
                wait_for_view(client, broker)
            after = pictured(there, console, at)
            assert len(broker.alarms()) == len(saved["alarms"]) + 1, "nothing was told again"
            it_goes_on(broker)
        broker.close()
    for what, told in before.items():
        assert after[what] == told


def it_goes_on(broker: Broker) -> None:
    """An order that was obeyed is not obeyed again, and what stands is cleared by new windows."""
    again = json.loads(broker.read(Topic.ALARM_COMMANDS)[1].value)
    assert again["command"] == "ack"
    broker.send(command_record(again, prefix=broker.prefix))
    told = until(
        lambda: [
            each["code"]
            for each in (json.loads(record.value) for record in broker.read(Topic.ALARM_RESULTS))
            if each["command_id"] == again["command_id"]
        ][1:],
        "a second answer",
    )
    assert told == ["duplicate"]
    broker.send_scores(score(number, -6.0) for number in range(4, 11))
    until(lambda: newest(broker, ALARM_ID).state == "NORM", lambda: newest(broker, ALARM_ID))
