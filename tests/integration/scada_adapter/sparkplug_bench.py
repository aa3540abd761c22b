"""The edge node as a process, and a Sparkplug host that we did not write."""

import json
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from tests.integration.scada_adapter.bench import AdapterProcess
from tests.support.mosquitto import Mosquitto
from tests.support.mqtt_program import MqttProgram
from tests.support.waiting import ended, until

GROUP, EDGE, USER = "plant-7", "alarms", "ignition"
NODE = f"spBv1.0/{GROUP}/@KIND@/{EDGE}"
Told = dict[str, Any]


def topic(kind: str, device: str | None = None) -> str:
    """Return a topic of the edge node, or of one of its devices."""
    of_node = NODE.replace("@KIND@", kind)
    return of_node if device is None else f"{of_node}/{device}"


def kind_of(message: Told) -> str:
    """Return NBIRTH, DDATA and so on, or STATE."""
    _, first, second = message["topic"].split("/")[:3]
    return str(first if first == "STATE" else second)


def values(message: Told) -> dict[str, Any]:
    """Return the values of a message's metrics by name."""
    return {metric["name"]: metric["value"] for metric in message["payload"]["metrics"]}


def qualities(message: Told) -> dict[str, int | None]:
    """Return the property Quality of a message's metrics by name."""
    return {
        metric["name"]: metric.get("properties", {}).get("Quality", {}).get("value")
        for metric in message["payload"]["metrics"]
    }


class ForeignHost(MqttProgram):
    """``host.js``: a host of Sparkplug; parameters as of every program."""

    def __init__(self, url: str, *login: str) -> None:
        super().__init__("host.js", url, *login)

    def tell(self, topic_name: str, *metrics: tuple[str, str, object]) -> None:
        """Publish a command: name, type and value of each metric."""
        told = [dict(zip(("name", "type", "value"), each, strict=True)) for each in metrics]
        self.say({"topic": topic_name, "metrics": told})

    def first(
        self, kind: str, wanted: Callable[[Told], object] = lambda _: True, after: int = 0
    ) -> Told:
        """Return the first message of a kind that is wanted, waiting for it."""

        def found() -> Told | None:
            for message in self.heard[after:]:
                if kind_of(message) == kind and wanted(message):
                    return message
            return None

        return until(found, lambda: f"{kind} in {json.dumps(self.heard)}")

    def of_edge(self) -> list[Told]:
        """Return what the edge node has said."""
        return [each for each in self.heard if kind_of(each)[1:] in ("BIRTH", "DATA", "DEATH")]


def check_rules(messages: Sequence[Told]) -> None:
    """Check what Sparkplug asks of every edge node, message by message."""
    born: set[str] = set()
    metrics: dict[str, set[str]] = {}
    number, seq = None, 0
    for message in messages:
        kind, payload = kind_of(message), message["payload"]
        where = message["topic"].replace(f"/{kind}/", "/")
        assert message["retain"] is False
        assert message["qos"] == (1 if kind == "NDEATH" else 0)
        names = set(values(message))
        if kind == "NDEATH":
            assert "seq" not in payload
            if born:
                assert values(message) == {"bdSeq": number}
            born.clear()
            continue
        if kind == "NBIRTH":
            born.clear()
            number, seq = values(message)["bdSeq"], 0
            assert values(message)["Node Control/Rebirth"] is False
        assert payload["seq"] == seq, message
        seq = (seq + 1) % 256
        assert payload["timestamp"] > 0
        assert all(metric["timestamp"] > 0 for metric in payload["metrics"])
        if kind.endswith("BIRTH"):
            born.add(where)
            metrics[where] = names
        assert where in born, f"{where} was not born"
        assert names <= metrics[where], "every metric is in the birth"


class EdgeProcess(AdapterProcess):
    """The adapter with Sparkplug, whose host is an operator; OPC UA as a test says."""

    def __init__(self, folder: Path, **environ: str) -> None:
        super().__init__(folder, **environ)
        roles = {"users": {USER: {"operator": "all"}}}
        (folder / "roles.yaml").write_text(json.dumps(roles))

    def wait_born(self, times: int = 1) -> Self:
        """Wait until it has given birth that many times."""

        def is_born() -> bool:
            assert self._process is not None
            assert self._process.poll() is None, self.log.read_text()[-3000:]
            return len(self.log_lines("sparkplug_born")) >= times

        until(is_born, self.log.read_text)
        return self

    def kill(self) -> None:
        """End it as a power cut would."""
        self.stop()

    def end(self) -> int:
        """Ask it to end; return its exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return ended(self._process, self.log)


@contextmanager
def hosted(broker: Mosquitto) -> Iterator[ForeignHost]:
    """Give a host on a plain broker."""
    with ForeignHost(f"mqtt://{broker.address}") as host:
        yield host


def edge_settings(folder: Path, broker: Mosquitto) -> dict[str, str]:
    """Return the settings of an edge node on a plain broker, without OPC UA."""
    return {
        "opcua_address": "",
        "mqtt": broker.address,
        "sparkplug_group": GROUP,
        "sparkplug_edge": EDGE,
        "sparkplug_user": USER,
        "sparkplug_state_file": str(folder / "bdseq"),
    }
