"""The channel file says what is wrong with it, and never what stands there."""

import pytest
from meltwatch_chassis.errors import ConfigurationError
from meltwatch_notify_gateway.adapters.channel_file import read_channels
from meltwatch_schemas.alarm import Priority

from tests.unit.notify_gateway.receivers import SECRET

URL = f"mailtos://meltwatch:{SECRET}@mail.plant.example?to=shift@plant.example"
GOOD = f"""\
channels:
  - name: shift-mail
    url: "{URL}"
  - name: on-call-sms
    url: "json://gateway/{SECRET}"
    priorities: [critical, high]
    quiet: {{from: "22:00", to: "06:00", time_zone: Asia/Shanghai}}
    remind_after_minutes: {{critical: 1}}
    longest: 160
"""


@pytest.fixture
def read(tmp_path):
    def read_text(text):
        path = tmp_path / "channels.yaml"
        path.write_text(text)
        return read_channels(path).channels

    return read_text


def test_a_channel_file_says_how_each_channel_is_used(read):
    mail, sms = read(GOOD)
    assert mail.url.get_secret_value() == URL
    assert SECRET not in f"{mail!r}{sms!r}"
    assert sms.plan.priorities == {Priority.CRITICAL, Priority.HIGH}
    assert sms.plan.nag[Priority.CRITICAL].total_seconds() == 60
    assert sms.plan.nag[Priority.HIGH] == mail.plan.nag[Priority.HIGH]
    assert str(sms.plan.quiet.zone) == "Asia/Shanghai"


@pytest.mark.parametrize(
    ("text", "where", "fault"),
    [
        ("", ":1: channels", "required"),
        ("channels: []", ":1: channels", "at least 1"),
        (GOOD.replace("url:", "urls:", 1), ":3: channels.0.urls", "not permitted"),
        (GOOD.replace("name: shift-mail", "name: shift mail"), ":2: channels.0.name", "pattern"),
        (GOOD.replace("on-call-sms", "shift-mail"), ":1:", "each channel once"),
        (GOOD.replace("critical, high", "urgent"), ":6: channels.1.priorities.0", "'critical'"),
        (GOOD.replace('"22:00"', '"25:00"'), ":7: channels.1.quiet.from", "pattern"),
        (GOOD.replace("Asia/Shanghai", "Mars/Base"), ":7: channels.1.quiet.time_zone", "IANA"),
        (GOOD.replace("critical: 1", "critical: 0"), ":8:", "greater than or equal to 0.5"),
        (GOOD.replace("longest: 160", "longest: 5"), ":9:", "greater than or equal to 60"),
        (f"channels: ['{URL}']", ":1: channels.0", "object"),
        (f"channels: ['{URL}', \"x", ":", ""),
        (f"channels:\n  - {{'{URL}': 1}}", ":2:", ""),
        (f"{SECRET}: &{SECRET} {URL}: {URL}", ":1", ""),
        (f"!{SECRET} {URL}", ":1", ""),
    ],
)
def test_what_is_wrong_is_one_line_that_shows_no_address(read, text, where, fault):
    with pytest.raises(ConfigurationError) as refused:
        read(text)
    line = str(refused.value)
    assert where in line
    assert fault in line
    assert "\n" not in line
    assert URL not in line
    assert SECRET not in line.removeprefix(f"{SECRET}")


@pytest.mark.parametrize("path", [None, "missing.yaml"])
def test_no_file_is_said_with_the_variable(tmp_path, path):
    with pytest.raises(ConfigurationError, match="MELTWATCH_CHANNELS_FILE"):
        read_channels(path and tmp_path / path)
