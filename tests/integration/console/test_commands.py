"""Commands of people: from a key on the page to the alarm manager and back."""

from uuid import uuid4

import pytest
from meltwatch_schemas.alarm_command import AlarmCommand
from meltwatch_schemas.topics import Topic

from tests.support.waiting import LIMIT_S, until
from tests.unit.core.alarms.samples import ALARM_ID, FURNACE, score

pytestmark = pytest.mark.integration


def raise_alarm(broker):
    broker.send_scores(score(number, 6.0) for number in range(4))
    (record, *_) = broker.wait_alarms(1)
    return record


def commands_on(broker):
    return [AlarmCommand.from_json(record.value) for record in broker.read(Topic.ALARM_COMMANDS)]


def ack(record, **more: str):
    token = record.annunciation_id
    return {"alarm_id": ALARM_ID, "command": "ack", "expected_event_id": token, **more}


def test_a_command_is_answered_by_the_alarm_manager(broker, make_manager, make_console):
    with make_manager() as manager:
        manager.wait_ready()
        console = make_console([FURNACE])
        console.wait_live()
        raised = raise_alarm(broker)
        until(lambda: console.ask("api/v1/alarms")[1]["alarms"], "the console has it")

        stale = ack(raised) | {"expected_event_id": "0" * 32}
        status, said = console.ask("api/v1/commands", stale)
        assert (status, said["error"]["code"]) == (409, "stale")
        assert said["newest"]["state"] == "UNACK", "nothing was acknowledged"

        command_id = str(uuid4())
        status, said = console.ask("api/v1/commands", ack(raised, command_id=command_id))
        assert (status, said["result"]["code"], said["command_id"]) == (200, "ok", command_id)
        again = console.ask("api/v1/commands", ack(raised, command_id=command_id))
        assert again == (200, said), "a double click is one command"
        status, said = console.ask(
            "api/v1/commands", {"alarm_id": ALARM_ID, "command": "comment", "comment": "on it"}
        )
        assert status == 200

        sent = commands_on(broker)
        assert [each.command for each in sent] == ["ack", "ack", "comment"]
        assert {(each.user, each.role, each.via) for each in sent} == {
            ("local", "engineer", "console")
        }
        until(
            lambda: (
                [r["transition"]["cause"] for r in journal(console)][:3]
                == ["COMMENT", "ACK", "RAISE"]
            ),
            lambda: journal(console),
        )
        assert journal(console)[0]["transition"]["comment"] == "on it"
        assert console.ask(f"api/v1/alarms/{ALARM_ID}")[1]["ack_by"] == "local"
        assert console.log_lines("command_answered")[-1]["address"] == "127.0.0.1"


def journal(console):
    return console.ask(f"api/v1/journal?furnace={FURNACE}")[1]["records"]


def test_without_an_alarm_manager_a_command_is_not_answered_and_says_so(
    broker, forge, make_console
):
    console = make_console([FURNACE])
    console.wait_live()
    status, said = console.ask("api/v1/commands", {"alarm_id": ALARM_ID, "command": "comment"})

    assert (status, said["error"]["code"]) == (202, "unanswered")
    (sent,) = commands_on(broker)
    assert sent.command_id == said["command_id"]


REFUSED = {
    "a form": ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
    "text": ({"Content-Type": "text/plain"}, 415),
    "no header of ours": ({"X-Meltwatch": "0"}, 403),
    "another site": ({"Sec-Fetch-Site": "cross-site"}, 403),
    "a neighbour": ({"Sec-Fetch-Site": "same-site"}, 403),
    "another origin": ({"Origin": "http://evil.example"}, 403),
    "a sandboxed frame": ({"Origin": "null"}, 403),
    "a name that leads here": ({"Host": "evil.example:8080"}, 403),
}
BODIES = {
    "no JSON": (b"{", 422),
    "unknown command": ({"alarm_id": ALARM_ID, "command": "delete"}, 422),
    "the user's own word": ({"alarm_id": ALARM_ID, "command": "ack", "user": "boss"}, 422),
    "a role of its own": ({"alarm_id": ALARM_ID, "command": "ack", "role": "engineer"}, 422),
    "no alarm id": ({"alarm_id": "x", "command": "ack"}, 422),
    "a long comment": ({"alarm_id": ALARM_ID, "command": "comment", "comment": "x" * 501}, 422),
    "a long body": (b'{"comment": "' + b"x" * 9_000, 413),
    "too deep": (b'{"arguments":' + b'{"a":' * 900, 422),
}


def test_what_another_page_could_send_leaves_nothing_on_the_topic(broker, forge, make_console):
    console = make_console([FURNACE])
    console.wait_live()
    good = {"alarm_id": ALARM_ID, "command": "comment", "comment": "x"}
    for name, (headers, status) in REFUSED.items():
        assert console.ask("api/v1/commands", good, headers)[0] == status, name
    for name, (body, status) in BODIES.items():
        found, said = console.ask("api/v1/commands", body)
        assert (found, "error" in said) == (status, True), (name, said)
    assert console.ask("api/v1/commands")[0] == 405, "nothing is changed by looking"

    assert commands_on(broker) == []
    refused = console.log_lines("request_refused")
    assert len(refused) == len(REFUSED)


def test_more_than_ten_commands_a_second_are_refused(broker, forge, make_console):
    console = make_console([FURNACE])
    console.wait_live()
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

    body = {"alarm_id": ALARM_ID, "command": "comment", "comment": "x"}
    with ThreadPoolExecutor(40) as crowd:
        asked = [crowd.submit(console.ask, "api/v1/commands", body) for _ in range(40)]
        found = [each.result(LIMIT_S)[0] for each in asked]

    assert set(found) == {202, 429}
    assert len(commands_on(broker)) == found.count(202)


@pytest.mark.browser
def test_an_alarm_is_acknowledged_by_one_key_and_a_second_browser_shows_it(
    broker, make_manager, make_console, look
):
    with make_manager() as manager:
        manager.wait_ready()
        console = make_console([FURNACE])
        eye, other = look(console), look(console, 390)
        eye.wait_live()
        raised = raise_alarm(broker)
        other.wait(".row .state", "NEW")
        eye.wait(".row .state", "NEW")

        eye.press("a")
        other.wait(".row .state", "seen")
        eye.wait(".said", "acknowledged")
        (sent,) = commands_on(broker)
        assert (sent.user, sent.expected_event_id) == ("local", raised.annunciation_id)

        eye.press("c")
        eye.page.locator("dialog textarea").fill("<b>on it</b>")
        eye.page.locator("dialog button[type=submit]").click()
        other.wait(".row .who", "<b>on it</b>")
        eye.press("s")
        eye.page.locator("dialog button[type=submit]").click()
        other.wait(".none", "No alarm stands.")
        other.page.locator("header button.plain").first.click()
        other.wait("dialog", "by local, nuisance")
        other.page.locator("dialog .aside-list button").click()
        eye.wait(".row .state")


@pytest.mark.browser
def test_acknowledging_what_has_changed_is_refused_and_the_new_alarm_is_shown(
    broker, forge, make_console, look
):
    """The forge answers nothing, so the page's own answer is played here: what it does with it."""
    eye = look(make_console([FURNACE]))
    eye.wait_live()
    old = forge.raised(ALARM_ID, title="old")
    eye.wait(".row", "old")
    newer = old.model_copy(update={"seq": old.seq + 5, "title": "new", "event_id": "f" * 32})
    answer = {
        "command_id": "x", "error": {"code": "stale", "message": "expected the newest"},
        "newest": newer.model_dump(mode="json", by_alias=True),
    }  # fmt: skip
    eye.page.route("**/api/v1/commands", lambda route: route.fulfill(status=409, json=answer))
    eye.press("a")

    eye.wait(".said", "refused: it has changed, look again")
    eye.wait(".row .state", "NEW")
    eye.wait(".row", "new")
