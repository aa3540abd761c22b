"""A console in this process, and what it knows."""

# Clients are imported where used: pytest reads this file before it has set its warning filters.
# ruff: noqa: PLC0415

import socket
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from meltwatch_console.bootstrap import ConsoleParts

FURNACE = "hall/FMF-01"
ALARM = f"{FURNACE}/OVERHEAT"
END_NS = 1_800_000_000_000_000_000


@pytest.fixture(scope="module")
def console() -> "Iterator[tuple[ConsoleParts, str]]":
    """A console that no topic has told anything but these scores and this alarm."""
    import numpy as np
    import uvicorn
    from meltwatch_chassis.clock import SystemClock
    from meltwatch_chassis.metrics import Metrics
    from meltwatch_console.bootstrap import assembled
    from meltwatch_console.settings import Settings
    from meltwatch_schemas.alarm_board import AlarmTurn
    from meltwatch_schemas.window import PUBLISHED_SPEC

    from tests.support.builders import alarm_record, window_score

    parts = assembled(Settings(), SystemClock(), Metrics())
    anomaly_map = np.zeros((64, 64), np.uint8)
    anomaly_map[40:50, 20:30] = 204
    ends = [END_NS - number * PUBLISHED_SPEC.hop_ns for number in range(20, -1, -1)]
    parts.furnaces.book.take_scores(
        window_score(end, FURNACE, number / 4, anomaly_map=anomaly_map if number == 20 else None)
        for number, end in enumerate(ends)
    )
    record = alarm_record(ALARM, 7, title="Too hot")
    turn = AlarmTurn(ALARM, None, record)
    parts.console._picture.take_history([turn], {ALARM: record})
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(parts.app, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield parts, f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    listener.close()
