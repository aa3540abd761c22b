"""A real Prometheus that scrapes the services of a run, with the rules of the component."""

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import yaml
from meltwatch_local_cluster.servers.addresses import LOOPBACK, free_ports

from tests.support.source import ROOT
from tests.support.waiting import until

NAMESPACE = "meltwatch"
_FOLDER = ROOT / "k8s/components/monitoring"
_EVERY = "5s"


class Prometheus:
    """Answers to queries.

    Parameters
    ----------
    address
        ``host:port``.
    """

    def __init__(self, address: str) -> None:
        self._url = f"http://{address}/api/v1"

    def ask(self, expression: str) -> list[dict[str, Any]]:
        """Return the series that an expression gives now."""
        found = self._data(f"query?{urlencode({'query': expression})}")
        result: list[dict[str, Any]] = found["result"]
        return result

    def rules(self) -> dict[str, str]:
        """Return the health of each rule: ``ok``, ``unknown`` or ``err``."""
        groups = self._data("rules")["groups"]
        return {rule["name"]: rule["health"] for group in groups for rule in group["rules"]}

    def ask_range(self, expression: str, begin_s: float, end_s: float) -> list[dict[str, Any]]:
        """Return the series that an expression gives over a time, each five seconds."""
        asked = {"query": expression, "start": begin_s, "end": end_s, "step": 5}
        result: list[dict[str, Any]] = self._data(f"query_range?{urlencode(asked)}")["result"]
        return result

    def firing(self) -> set[str]:
        """Return the names of the rules that fire."""
        found = self.ask('ALERTS{alertstate="firing"}')
        return {each["metric"]["alertname"] for each in found}

    def _data(self, path: str) -> dict[str, Any]:
        with urlopen(f"{self._url}/{path}", timeout=30) as answer:  # noqa: S310 - ours
            data: dict[str, Any] = json.load(answer)["data"]
            return data


def rule_groups() -> dict[str, Any]:
    """Return the groups of rules as Prometheus reads them from a file."""
    loaded: dict[str, Any] = yaml.load((_FOLDER / "rules.yaml").read_text(), yaml.CSafeLoader)[
        "spec"
    ]
    return loaded


def panels() -> list[dict[str, Any]]:
    """Return the panels of the dashboard that ask for something."""
    board = json.loads((_FOLDER / "meltwatch.json").read_text())
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def as_grafana_asks(expression: str, namespace: str = NAMESPACE) -> str:
    """Return a panel's expression with what Grafana fills in."""
    return expression.replace("$__rate_interval", "1m").replace("$namespace", namespace)


def every_panel_shows_something(made: Prometheus) -> None:
    """Wait until each panel of the dashboard has a series."""

    def empty() -> list[str]:
        return [
            panel["title"]
            for panel in panels()
            if not any(made.ask(as_grafana_asks(each["expr"])) for each in panel["targets"])
        ]

    until(lambda: not empty(), empty, every_s=2.0)


def health_pages(status: Mapping[str, Any]) -> dict[str, str]:
    """Return the health pages of a run by service, from what ``status --json`` says."""
    services = status["services"].items()
    return {name: each["health"] for name, each in services if each["health"] is not None}


@contextmanager
def scraping(folder: Path, targets: Mapping[str, str]) -> "Iterator[Prometheus | None]":
    """Scrape services by name, at their health pages; None where there is no Prometheus."""
    program = shutil.which("prometheus")
    if program is None:
        yield None
        return
    folder.mkdir()
    (folder / "rules.yml").write_text(yaml.safe_dump(rule_groups()))
    jobs = [
        {
            "targets": [address],
            "labels": {"workload": name.replace("_", "-"), "pod": name, "namespace": NAMESPACE},
        }
        for name, address in targets.items()
    ]
    told = {
        "global": {"scrape_interval": _EVERY, "evaluation_interval": _EVERY},
        "rule_files": ["rules.yml"],
        "scrape_configs": [{"job_name": "meltwatch", "static_configs": jobs}],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(told))
    address = f"{LOOPBACK}:{free_ports(1)[0]}"
    run = [program, "--config.file=prometheus.yml", f"--web.listen-address={address}"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*run, "--storage.tsdb.path=data"], cwd=folder, stderr=log)
    try:
        made = Prometheus(address)
        until(lambda: _answers(made), (folder / "log").read_text)
        yield made
    finally:
        process.terminate()
        process.wait()


def _answers(made: Prometheus) -> bool:
    try:
        return bool(made.ask("up"))
    except OSError:
        return False
