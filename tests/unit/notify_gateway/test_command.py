"""``meltwatch-notify test`` says which channel works, and shows no address."""

import pytest
from meltwatch_notify_gateway.command import main

from tests.unit.notify_gateway.receivers import SECRET, web_hook

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


@pytest.fixture
def run(tmp_path, capsys, monkeypatch):
    file = tmp_path / "channels.yaml"
    monkeypatch.setenv("MELTWATCH_CHANNELS_FILE", str(file))

    def run_with(urls, *arguments: str):
        lines = (f'  - {{name: {name}, url: "{url}"}}' for name, url in urls.items())
        file.write_text("\n".join(["channels:", *lines]))
        code = main(["test", *arguments])
        said = capsys.readouterr()
        assert SECRET not in said.out + said.err
        return code, said.out, said.err

    return run_with


def test_each_channel_gets_a_message_that_is_clearly_a_test(run):
    with web_hook() as good, web_hook(503) as bad:
        code, out, err = run({"good": good.url, "bad": bad.url})
        assert (code, err) == (1, "")
        assert out == "good: delivered\nbad: FAILED, it answered with status 503\n"
        assert run({"good": good.url, "bad": bad.url}, "good") == (0, "good: delivered\n", "")
    assert {got["title"] for got in good.got} == {"TEST: no alarm, Meltwatch tries this channel"}


@pytest.mark.parametrize(
    ("urls", "arguments", "fault"),
    [
        ({"hook": f"nonsense://{SECRET}"}, (), "channel hook: expected one address"),
        ({"hook": f"json://{SECRET}"}, ("mail",), "hook; got mail"),
        ({"hook": f"json://{SECRET}"}, ("--loud",), "--loud"),
        ({"hook": f"json://{SECRET}"}, ("--file", "missing.yaml"), "missing.yaml"),
    ],
)
def test_what_is_wrong_is_one_line_and_exit_code_2(run, urls, arguments, fault):
    code, out, err = run(urls, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("meltwatch-notify: ")
    assert fault in err
    assert err.count("\n") == 1
