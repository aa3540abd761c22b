import json
import logging as stdlib
from collections.abc import Iterator

import pytest
import structlog
from meltwatch_chassis import logging


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
