"""Messages reach real receivers; what fails is told without the address."""

import asyncio
import logging
from functools import partial

import pytest
from meltwatch_chassis import logging as our_logging
from meltwatch_chassis.errors import ConfigurationError
from meltwatch_notify_gateway.adapters import apprise_sender
from meltwatch_notify_gateway.adapters.apprise_sender import AppriseSender
from meltwatch_notify_gateway.domain.call import Call, Notice
from meltwatch_notify_gateway.domain.notice_text import MessageText, message_of
from meltwatch_notify_gateway.ports import DeliveryFailed

from tests.unit.notify_gateway.receivers import SECRET, mail_server, web_hook
from tests.unit.notify_gateway.samples import NOON, alarm

# One of Apprise's services still looks for it; newer Pythons have none.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
MESSAGE = MessageText("HIGH: FMF-03", "What: hot\nWhere: here")


@pytest.fixture
def logging_at():
    """Logs as a process does, from a level on."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield partial(our_logging.configure, "notify_gateway")
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def debug_log(logging_at, capsys):
    """What a process writes that logs everything."""
    logging_at("debug")
    return lambda: capsys.readouterr().err


async def test_a_web_hook_gets_title_and_body():
    with web_hook() as hook:
        await AppriseSender("hook", hook.url).deliver(MESSAGE)
    assert [(got["title"], got["message"]) for got in hook.got] == [("HIGH: FMF-03", MESSAGE.body)]


async def test_a_mail_server_gets_the_message_and_no_text_becomes_markup():
    hostile = alarm(1, title="<b>Hot</b>\r\nBcc: eve@evil.example", message="<script>x</script>")
    notice = Notice([Call.of(hostile, None)])
    async with mail_server() as box:
        await AppriseSender("mail", box.url).deliver(message_of(notice, NOON, 2_000))
    (mail,) = box.got
    assert mail["To"] == "shift@plant.example"
    assert mail["Bcc"] is None
    assert "<b>Hot</b>" in mail["Subject"]
    html = mail.get_body(("html",))
    assert html is None or "<script>" not in html.get_content()
    assert "x</script>" in mail.get_body(("plain", "html")).get_content().replace(
        "&lt;", "<"
    ).replace("&gt;", ">")


@pytest.mark.parametrize(
    ("status", "reason"), [(503, "status 503"), (401, "status 401"), (404, "status 404")]
)
async def test_a_refusal_is_told_without_the_address(status, reason, debug_log):
    with web_hook(status) as hook, pytest.raises(DeliveryFailed, match=reason) as failed:
        await AppriseSender("hook", hook.url).deliver(MESSAGE)
    assert SECRET not in f"{failed.value!r}{failed.value.__cause__!r}{debug_log()}"


async def test_a_process_that_logs_errors_alone_tells_the_reason_all_the_same(logging_at):
    logging_at("error")
    with web_hook(503) as hook, pytest.raises(DeliveryFailed, match="status 503"):
        await AppriseSender("hook", hook.url).deliver(MESSAGE)


@pytest.mark.parametrize(
    "url",
    [
        f"json://u:{SECRET}@127.0.0.1:1/x",
        f"mailto://u:{SECRET}@127.0.0.1:1?from=a@plant.example&to=b@plant.example",
    ],
)
async def test_nobody_there_is_told_without_the_address(url, debug_log):
    with pytest.raises(DeliveryFailed, match="no connection") as failed:
        await AppriseSender("hook", url).deliver(MESSAGE)
    assert SECRET not in f"{failed.value!r}{debug_log()}"


@pytest.mark.parametrize(
    "url",
    [
        f"nonsense://{SECRET}",
        f"mailto://{SECRET}@",
        SECRET,
        f"json://h/{SECRET} json://other/{SECRET}",
    ],
)
def test_an_address_that_is_none_is_refused_unseen(url, debug_log):
    with pytest.raises(ConfigurationError, match="channel hook: expected one address") as refused:
        AppriseSender("hook", url)
    assert SECRET not in f"{refused.value}{debug_log()}"


async def test_a_service_that_hangs_is_given_up_and_not_asked_twice(monkeypatch):
    monkeypatch.setattr(apprise_sender, "PATIENCE_S", 0.2)
    with web_hook(hangs=True) as hook:
        sender = AppriseSender("hook", f"{hook.url}?rto=60")
        with pytest.raises(DeliveryFailed, match="no answer within"):
            await sender.deliver(MESSAGE)
        with pytest.raises(DeliveryFailed, match="under way"):
            await sender.deliver(MESSAGE)
        other = AppriseSender("other", hook.url)
        hook.gate.set()
        await asyncio.wait_for(other.deliver(MESSAGE), 60)
