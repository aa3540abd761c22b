import io
import json
import logging as stdlib
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_chassis import logging
from meltwatch_schemas.text import is_printable


@pytest.fixture(autouse=True)
def restore_logging() -> Iterator[None]:
    root = stdlib.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def test_our_lines_and_those_of_libraries_have_one_form(capsys: pytest.CaptureFixture[str]) -> None:
    logging.configure("alarm_manager", "info")
    structlog.get_logger().info("alarm_raised", alarm_id="a/b")
    structlog.get_logger().debug("unseen")
    stdlib.getLogger("faust").info("unseen")
    stdlib.getLogger("faust").warning("group is rebalancing")
    stdlib.getLogger("kafka.net").error("said ten times a second in an outage")

    ours, theirs = (json.loads(line) for line in capsys.readouterr().err.splitlines())

    assert (ours["event"], ours["alarm_id"], ours["level"]) == ("alarm_raised", "a/b", "info")
    assert (theirs["event"], theirs["level"]) == ("group is rebalancing", "warning")
    assert ours["service"] == "alarm_manager"
    assert ours["timestamp"].endswith("Z")


def test_text_for_people_is_no_json(capsys: pytest.CaptureFixture[str]) -> None:
    logging.configure("cli", form="console")
    structlog.get_logger().info("window_closed", furnace="a/b")

    assert "window_closed" in capsys.readouterr().err


HOSTILE = "\x1b]0;owned\x07\x1b[2J\r\n2026-11-22T00:00:00Z [error] forged \u202e\x9b\u2028end"


@given(st.one_of(st.text(), st.just(HOSTILE)))
def test_nothing_that_is_logged_steers_a_terminal_or_forges_a_line(text: str) -> None:
    logging.configure("cli", form="console")
    said = io.StringIO()
    stdlib.getLogger().handlers[0].setStream(said)  # type: ignore[attr-defined] - a StreamHandler

    log = structlog.get_logger()
    log.warning(text, furnace=text, detail=[text], **{"k" + text.replace("=", ""): text})
    stdlib.getLogger("faust").warning("refused: %s", text)
    try:
        raise ValueError(text)  # noqa: TRY301 - as any library does
    except ValueError:
        log.exception("broken")

    *lines, end = said.getvalue().split("\n")
    assert end == ""
    assert all(map(is_printable, lines))
    headed = [line for line in lines if line.startswith("20")]
    assert len(headed) == 3
