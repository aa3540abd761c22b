"""A publisher of currents that we did not write: ``tests/foreign/sparkplug/publisher.js``."""

import json
import time
from collections.abc import Mapping
from typing import Any

from tests.support.mqtt_program import MqttProgram


class Publisher(MqttProgram):
    """Its process; what it hears is what it is asked for.

    Parameters
    ----------
    url, login
        As of every program.
    will
        What the broker says should it vanish.
    """

    def __init__(self, url: str, *login: str, will: Mapping[str, Any] | None = None) -> None:
        super().__init__("publisher.js", url, *login)
        self.say({"will": will})

    def currents(self, topic: str, *amperes: float, retain: bool = False) -> None:
        """Publish values as JSON, with the present time."""
        told = dict(zip(("ia", "ib", "ic"), amperes, strict=True)) | {"ts": time.time()}
        self.publish(topic, json.dumps(told), retain=retain)

    def metrics(self, topic: str, *metrics: Mapping[str, Any]) -> None:
        """Publish metrics of Sparkplug, with the present time."""
        now_ms = time.time_ns() // 1_000_000
        self.say({"topic": topic, "payload": {"timestamp": now_ms, "metrics": metrics}})
