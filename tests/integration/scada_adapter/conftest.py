"""A real alarm manager on real Kafka, and an OPC UA server process beside it."""

# Clients are imported where used: pytest reads this file before it has set its warning filters.
# ruff: noqa: PLC0415

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integration.alarm_manager.conftest import broker, make_manager, view
from tests.unit.core.alarms.conftest import plain_thresholds

if TYPE_CHECKING:
    from meltwatch_local_cluster.servers import KafkaServer

    from tests.integration.scada_adapter.bench import AdapterProcess
    from tests.support.servers import Topics

__all__ = ["broker", "make_manager", "plain_thresholds", "view"]


@pytest.fixture
def make_adapter(
    kafka: "KafkaServer", topics: "Topics", tmp_path: Path
) -> "Iterator[Callable[..., AdapterProcess]]":
    from tests.integration.scada_adapter.bench import AdapterProcess

    made: list[AdapterProcess] = []

    def make(**environ: str) -> AdapterProcess:
        settings = {"kafka": kafka.address, "topic_prefix": topics.prefix}
        made.append(AdapterProcess(tmp_path / f"opcua{len(made)}", **(settings | environ)))
        return made[-1]

    yield make
    for process in made:
        process.stop()
