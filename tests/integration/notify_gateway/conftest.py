"""A broker's topics, an alarm manager and a gateway for each test."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.alarm_manager.conftest import broker, make_manager
from tests.unit.core.alarms.conftest import plain_thresholds

__all__ = ["broker", "make_manager", "plain_thresholds"]


@pytest.fixture
def make_gateway(kafka, topics, tmp_path: Path) -> Callable:
    from tests.integration.notify_gateway.bench import GatewayProcess  # noqa: PLC0415 - as above

    def make(channels: str, name: str = "gateway") -> GatewayProcess:
        file = tmp_path / "channels.yaml"
        file.write_text(channels)
        settings = {
            "kafka": kafka.address,
            "topic_prefix": topics.prefix,
            "channels_file": str(file),
            "log_level": "debug",
        }
        return GatewayProcess(tmp_path / f"{name}.log", **settings)

    return make
