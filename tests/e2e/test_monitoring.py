"""Real faults of a running product, as a plant's Prometheus tells them (simulated furnaces)."""

import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from xml.etree import ElementTree as ET

import pytest
from kafka import KafkaProducer

from tests.support.dashboard_picture import Stretch, drawn
from tests.support.product import RunningProduct
from tests.support.prometheus import Prometheus, health_pages, panels, scraping
from tests.support.promise import ProcessorWaits
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.long]
SEEN_S = 15 + 2 * 5
"""A service says within 15 s that a server is away; a scrape and a judgement take 5 s each."""
FROZEN = {
    "triton": ("MeltwatchTritonAway", 60),
    "kafka": ("MeltwatchKafkaAway", 60),
    "redis": ("MeltwatchRedisAway", 60),
    "alarm_manager": ("MeltwatchNoAlarmManager", 60),
    "current_producer": ("MeltwatchServiceGone", 120),
}
"""What tells that a process is frozen, and after how long, s: docs/monitoring.md."""
OVER_S = 60
"""Until all is as before once it goes on: what waited is done first."""


def told_within(plant: Prometheus, expected: set[str], limit_s: float) -> None:
    """Wait until exactly these rules fire, as long as is promised and our processes had to wait."""
    began_s, waits = time.monotonic(), ProcessorWaits()
    until(lambda: plant.firing() == expected, lambda: plant.ask("ALERTS"), limit_s=300)
    took_s, given_s = time.monotonic() - began_s, waits.so_far_s()
    print(f"{sorted(expected)} after {took_s:.0f} s")
    assert took_s <= limit_s + given_s


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """Freeze a process for as long as the block lasts."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_what_is_wrong_is_told_by_its_rule_alone(tmp_path):
    if shutil.which("prometheus") is None:
        pytest.skip("needs Prometheus: apt-get install prometheus (CI does)")
    with RunningProduct(tmp_path) as run:
        status = run.wait_ready()
        with scraping(tmp_path / "prometheus", health_pages(status)) as plant:
            assert plant is not None
            until(lambda: plant.ask("meltwatch_leader == 1"), run.output)
            told_within(plant, set(), OVER_S)
            begun_s = time.time()
            for name, (rule, after_s) in FROZEN.items():
                with frozen(status["services"][name]["pid"]):
                    told_within(plant, {rule}, after_s + SEEN_S)
                told_within(plant, set(), OVER_S)

            producer = KafkaProducer(bootstrap_servers=status["kafka"])
            producer.send(f"{status['topic_prefix']}.embeddings.v1", b"rubbish", b"FMF-01")
            producer.flush(30)
            producer.close()
            told_within(plant, {"MeltwatchDeadLetters"}, SEEN_S)
            # The picture of docs/monitoring.md can be drawn of this run, too.
            ended_s = time.time()
            made = drawn(plant, Stretch(begun_s, ended_s, begun_s, ended_s))
            boxes = ET.fromstring(made).iter("{http://www.w3.org/2000/svg}g")  # noqa: S314 - our own
            assert len([*boxes]) == len(panels())
