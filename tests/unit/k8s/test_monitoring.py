"""What a plant's Prometheus is given: who is scraped, when somebody is told, what is drawn.

Prometheus' own tool judges the rules: each fault fires its rule alone, and a healthy hour none.
"""

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from meltwatch_chassis.metrics import Metrics

from tests.support import manifests
from tests.support.prometheus import as_grafana_asks, panels, rule_groups
from tests.support.source import ROOT

pytestmark = pytest.mark.programs

FAULT_AT = 10
"""Minute at which a fault begins."""
STEPS = 4
"""Scrapes a minute."""
WHEN = {"namespace": "plant"}


def alerts() -> dict[str, dict[str, Any]]:
    found = [rule for group in rule_groups()["groups"] for rule in group["rules"]]
    return {rule["alert"]: rule for rule in found if "alert" in rule}


@dataclass(frozen=True)
class Scene:
    """A fault, and what else is seen while it lasts.

    Attributes
    ----------
    series
        What differs from a healthy plant from the fault on: a value, or ``+N`` for what grows by
        so much a scrape, or None for what is gone.
    within
        Minutes until somebody is told.
    """

    series: dict[str, str | None] = field(default_factory=dict)
    within: int = 3


HEALTHY = {
    **{
        f'up{{workload="{name}",pod="{name}-{number}"}}': "1"
        for name, count in {
            "stream-processor": 2, "alarm-manager": 2, "video-producer": 1, "current-producer": 1,
            "source-producer": 1, "console": 2, "triton": 2,
        }.items()
        for number in range(count)
    },
    **{
        f'meltwatch_dependency_up{{workload="{name}",dependency="kafka"}}': "1"
        for name in ("stream-processor", "alarm-manager", "source-producer")
    },
    'meltwatch_dependency_up{workload="alarm-manager",dependency="redis"}': "1",
    'meltwatch_scoring_endpoint_up{endpoint="triton-0.triton:8001"}': "1",
    'meltwatch_scoring_endpoint_up{endpoint="triton-1.triton:8001"}': "1",
    'meltwatch_leader{pod="alarm-manager-0"}': "1",
    'meltwatch_leader{pod="alarm-manager-1"}': "0",
    'meltwatch_verdict_age_seconds{furnace="A"}': "1",
    'meltwatch_verdict_age_seconds{furnace="B"}': "1",
    'meltwatch_commit_age_seconds{workload="stream-processor",pod="stream-processor-0"}': "0.5",
    "meltwatch_view_age_seconds": "1",
    'meltwatch_source_state{furnace="A",modality="video"}': "0",
    'meltwatch_source_state{furnace="A",modality="current"}': "0",
    'meltwatch_source_delay_seconds{furnace="A",modality="video"}': "0.2",
    'meltwatch_watermark_lag_seconds{furnace="A"}': "2",
    'meltwatch_watermark_lag_seconds{furnace="B"}': "2",
    'meltwatch_spool_oldest_seconds{pod="source-producer-0"}': "0",
    'meltwatch_spool_dropped_total{pod="source-producer-0"}': "0",
    'meltwatch_event_to_score_seconds_bucket{le="1"}': "+10",
    'meltwatch_event_to_score_seconds_bucket{le="10"}': "+10",
    'meltwatch_event_to_score_seconds_bucket{le="+Inf"}': "+10",
    'meltwatch_event_to_alarm_seconds_bucket{le="2.5"}': "+1",
    'meltwatch_event_to_alarm_seconds_bucket{le="30"}': "+1",
    'meltwatch_event_to_alarm_seconds_bucket{le="+Inf"}': "+1",
    "meltwatch_alarm_annunciations_10_minutes": "2",
    "meltwatch_notify_mute": "0",
    'meltwatch_notify_channel_up{channel="mail"}': "1",
    'meltwatch_build_info{workload="stream-processor",version="0.2.0"}': "1",
    'meltwatch_build_info{workload="alarm-manager",version="0.2.0"}': "1",
    'meltwatch_ensemble_info{pod="stream-processor-0",digest="35fe"}': "1",
    'meltwatch_ensemble_info{pod="stream-processor-1",digest="35fe"}': "1",
}  # fmt: skip
SHADOW = {
    name.replace("{", '{workload="shadow-processor",', 1): value
    for name, value in {
        'up{pod="shadow-processor-0"}': "1",
        'meltwatch_dependency_up{dependency="kafka"}': "1",
        'meltwatch_scoring_endpoint_up{endpoint="triton-candidate:8001"}': "1",
        'meltwatch_commit_age_seconds{pod="shadow-processor-0"}': "0.5",
        'meltwatch_watermark_lag_seconds{furnace="A"}': "2",
        'meltwatch_event_to_score_seconds_bucket{le="1"}': "+10",
        'meltwatch_event_to_score_seconds_bucket{le="10"}': "+10",
        'meltwatch_event_to_score_seconds_bucket{le="+Inf"}': "+10",
        'meltwatch_build_info{version="0.3.0"}': "1",
        'meltwatch_ensemble_info{digest="84f2"}': "1",
    }.items()
}
"""An ensemble that is only watched is there all the time, of another release."""
HEALTHY |= SHADOW
SHADOW_IN_TROUBLE = {
    **dict.fromkeys((n for n in SHADOW if "kafka" in n or "endpoint_up" in n), "0"),
    **dict.fromkeys((n for n in SHADOW if "age_seconds" in n or "lag_seconds" in n), "+15"),
    **{
        name.replace("{", '{workload="shadow-processor",', 1): value
        for name, value in {
            'meltwatch_event_to_score_seconds_bucket{le="1"}': "+1",
            'meltwatch_dead_letters_total{error="malformed"}': "1",
            'meltwatch_records_passed_over_total{topic="currents",cause="retention"}': "7",
            'meltwatch_topics_replaced_total{topic="currents"}': "1",
            'meltwatch_furnaces_refused_total{reason="limit"}': "1",
        }.items()
    },
}
"""All at once that a stream processor can tell, of the one that alarms nobody."""
NOT_JUDGED = {
    'meltwatch_verdict_age_seconds{furnace="A"}': "+15",
    'meltwatch_verdict_age_seconds{furnace="B"}': "+15",
}
NOTHING_READ = {
    'meltwatch_watermark_lag_seconds{furnace="A"}': "+15",
    'meltwatch_watermark_lag_seconds{furnace="B"}': "+15",
}
WAITING = {
    'meltwatch_commit_age_seconds{workload="stream-processor",pod="stream-processor-0"}': "+15"
}
FAULTS = {
    "MeltwatchKafkaAway": Scene(
        {name: "0" for name in HEALTHY if 'dependency="kafka"' in name}
        | {'meltwatch_leader{pod="alarm-manager-0"}': "0", "meltwatch_view_age_seconds": "+15"}
        | {'meltwatch_spool_oldest_seconds{pod="source-producer-0"}': "+15"}
        | NOT_JUDGED | NOTHING_READ | WAITING
    ),
    "MeltwatchRedisAway": Scene(
        {
            'meltwatch_dependency_up{workload="alarm-manager",dependency="redis"}': "0",
            "meltwatch_view_age_seconds": "+15",
        }
    ),
    "MeltwatchTritonAway": Scene(
        {n: "0" for n in HEALTHY if "scoring_endpoint_up" in n and n not in SHADOW}
        | NOT_JUDGED | WAITING
        | {name: None for name in HEALTHY if 'workload="triton"' in name}
    ),
    "MeltwatchTritonReplicaAway": Scene(
        {
            'meltwatch_scoring_endpoint_up{endpoint="triton-1.triton:8001"}': "0",
            'up{workload="triton",pod="triton-1"}': None,
        },
        within=6,
    ),
    "MeltwatchServiceGone": Scene(
        {'up{workload="video-producer",pod="video-producer-0"}': None} | NOT_JUDGED | NOTHING_READ,
    ),
    "MeltwatchNoAlarmManager": Scene(
        {
            name: None
            for name in HEALTHY
            if 'workload="alarm-manager"' in name or "leader" in name or "view_age" in name
        }
    ),
    "MeltwatchFurnaceBlind": Scene({'meltwatch_verdict_age_seconds{furnace="B"}': "+15"}),
    "MeltwatchPartitionStuck": Scene(WAITING),
    "MeltwatchListOld": Scene({"meltwatch_view_age_seconds": "+15"}),
    "MeltwatchSourceAway": Scene(
        {
            'meltwatch_source_state{furnace="A",modality="video"}': "1",
            'meltwatch_source_state{furnace="A",modality="current"}': "1",
            'meltwatch_verdict_age_seconds{furnace="A"}': "+15",
            'meltwatch_watermark_lag_seconds{furnace="A"}': "+15",
            'meltwatch_source_delay_seconds{furnace="A",modality="video"}': "9",
        }
    ),
    "MeltwatchSourceLate": Scene(
        {
            'meltwatch_source_delay_seconds{furnace="A",modality="video"}': "20",
            'meltwatch_watermark_lag_seconds{furnace="A"}': "22",
        },
        within=6,
    ),
    "MeltwatchInputLate": Scene({'meltwatch_watermark_lag_seconds{furnace="B"}': "20"}),
    "MeltwatchSpoolGrows": Scene(
        {'meltwatch_spool_oldest_seconds{pod="source-producer-0"}': "+15"}, within=4
    ),
    "MeltwatchRecordsLost": Scene(
        {'meltwatch_spool_dropped_total{pod="source-producer-0"}': "+3"}, within=1
    ),
    "MeltwatchDeadLetters": Scene({'meltwatch_dead_letters_total{error="malformed"}': "1"}, 1),
    "MeltwatchHistoryGap": Scene(
        {'meltwatch_records_passed_over_total{topic="currents",cause="retention"}': "7"}, 1
    ),
    "MeltwatchTopicReplaced": Scene({'meltwatch_topics_replaced_total{topic="currents"}': "1"}, 1),
    "MeltwatchForeignWriter": Scene({'meltwatch_foreign_records_total{topic="alarms"}': "1"}, 1),
    "MeltwatchFurnacesRefused": Scene({'meltwatch_furnaces_refused_total{reason="limit"}': "1"}, 1),
    "MeltwatchVerdictsSlow": Scene({'meltwatch_event_to_score_seconds_bucket{le="1"}': "+8"}, 11),
    "MeltwatchAlarmsSlow": Scene({'meltwatch_event_to_alarm_seconds_bucket{le="2.5"}': "+0"}, 11),
    "MeltwatchAlarmFlood": Scene({"meltwatch_alarm_annunciations_10_minutes": "11"}, 1),
    "MeltwatchPeopleNotTold": Scene(
        {"meltwatch_notify_mute": "1", 'meltwatch_notify_channel_up{channel="mail"}': "0"}
    ),
    "MeltwatchChannelDown": Scene({'meltwatch_notify_channel_up{channel="mail"}': "0"}, 6),
    "MeltwatchTwoReleases": Scene(
        {'meltwatch_build_info{workload="console",version="0.3.0"}': "1"}, within=62
    ),
    "MeltwatchTwoEnsembles": Scene(
        {'meltwatch_ensemble_info{pod="stream-processor-2",digest="84f2"}': "1"}, within=11
    ),
    "MeltwatchShadowStill": Scene(SHADOW_IN_TROUBLE, within=12),
}  # fmt: skip


def promtool() -> str:
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("needs promtool: apt-get install prometheus (CI does)")
    return program


def series_of(scene: Scene, minutes: int) -> list[dict[str, str]]:
    before, after = FAULT_AT * STEPS, (minutes - FAULT_AT) * STEPS
    made = []
    for name in HEALTHY | scene.series:
        first = _values(HEALTHY[name], before, 0) if name in HEALTHY else f"_x{before}"
        rest = scene.series.get(name, HEALTHY.get(name))
        begun = 10 * before if HEALTHY.get(name) == "+10" else before
        begun = begun if HEALTHY.get(name, "").startswith("+") else 0
        # Prometheus marks what a target that is gone has said as stale.
        then = f"stale _x{after}" if rest is None else _values(rest, after, begun)
        label = f'namespace="{WHEN["namespace"]}"'
        told = name.replace("{", f"{{{label},") if "{" in name else f"{name}{{{label}}}"
        made.append({"series": told, "values": f"{first} {then}"})
    return made


def _values(told: str, count: int, begun: int) -> str:
    return f"{begun}+{told[1:]}x{count}" if told.startswith("+") else f"{told}x{count}"


def firing_at(minute: int, *names: str) -> dict[str, Any]:
    return {
        "expr": 'group by (alertname) (ALERTS{alertstate="firing"})',
        "eval_time": f"{minute}m",
        "exp_samples": [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in names],
    }


def judged(folder: Path, scene: Scene, expected: list[dict[str, Any]], minutes: int) -> str:
    """Return what Prometheus' tool says against what is expected; nothing if it is so."""
    (folder / "rules.yml").write_text(json.dumps(rule_groups()))  # which is YAML, too
    test = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": "30s",
        "tests": [
            {
                "interval": "15s",
                "input_series": series_of(scene, minutes),
                "promql_expr_test": expected,
            }
        ],
    }
    (folder / "test.yml").write_text(json.dumps(test))
    done = subprocess.run(
        [promtool(), "test", "rules", "test.yml"],
        cwd=folder, capture_output=True, text=True, timeout=120, check=False,
        # Go looks for garbage a third of its time, and there is none to speak of.
        env=os.environ | {"GOGC": "off"},
    )  # fmt: skip
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_a_healthy_hour_tells_nobody(tmp_path):
    expected = [firing_at(minute) for minute in range(5, 76, 5)]
    assert judged(tmp_path, Scene(), expected, 75) == ""


def test_every_rule_has_its_fault():
    assert set(FAULTS) == set(alerts())


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_fires_its_rule_within_its_time_and_no_other(tmp_path, name):
    told_at = FAULT_AT + FAULTS[name].within
    expected = [firing_at(FAULT_AT - 1), firing_at(told_at, name)]
    assert judged(tmp_path, FAULTS[name], expected, told_at + 1) == ""


def test_a_shadow_that_is_gone_is_told_while_its_pod_should_be_there(tmp_path):
    (gone,) = (name for name in SHADOW if name.startswith("up{"))
    expected = [firing_at(FAULT_AT + 12, "MeltwatchShadowStill")]
    assert judged(tmp_path, Scene({gone: "0"}), expected, FAULT_AT + 13) == ""
    expected = [firing_at(FAULT_AT + 12)]
    assert judged(tmp_path, Scene(dict.fromkeys(SHADOW)), expected, FAULT_AT + 13) == ""


def test_a_rule_that_were_silent_would_be_noticed(tmp_path):
    said = judged(tmp_path, Scene(), [firing_at(20, "MeltwatchKafkaAway")], 21)
    assert "FAILED" in said


def exported() -> set[str]:
    """Return every name that a scrape may hold: ours, Python's, Prometheus' own, Triton's."""
    names = {"up"}
    for family in Metrics().registry.collect():
        kinds = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}
        names |= {family.name + end for end in kinds.get(family.type, ("",))}
    return names


def metrics_of(expression: str) -> set[str]:
    bare = re.sub(r'"[^"]*"', "", expression)
    return set(re.findall(r"\b(?:meltwatch|process|nv)_\w+", bare))


def test_rules_ask_for_what_services_give():
    for name, rule in alerts().items():
        assert metrics_of(rule["expr"]) <= exported(), name


def test_every_rule_says_what_to_do():
    page = (ROOT / "docs/monitoring.md").read_text()
    for name, rule in alerts().items():
        said = rule["annotations"]
        assert {"summary", "description", "runbook_url"} == said.keys(), name
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert said["runbook_url"] == f"docs/monitoring.md#{name.lower()}"
        assert f"### {name}\n" in page


def test_panels_ask_for_what_services_give(tmp_path):
    asked = [target["expr"] for panel in panels() for target in panel["targets"]]
    assert asked
    known = exported() | {
        f"process_{name}" for name in ("cpu_seconds_total", "resident_memory_bytes")
    }
    for each in asked:
        assert metrics_of(each) <= known, each
    made = [{"record": f"panel:{n}", "expr": as_grafana_asks(each)} for n, each in enumerate(asked)]
    (tmp_path / "panels.yml").write_text(yaml.safe_dump({"groups": [{"name": "p", "rules": made}]}))
    done = subprocess.run(
        [promtool(), "check", "rules", tmp_path / "panels.yml"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_overlay_takes_it_and_every_service_is_scraped():
    found = manifests.rendered("laptop with monitoring")
    monitors = [each["spec"] for each in found if each["kind"] == "PodMonitor"]
    pods = manifests.workloads("laptop with monitoring").values()
    for monitor in monitors:
        labels = monitor["selector"]["matchLabels"].items()
        chosen = [pod for pod in pods if labels <= pod.labels.items()]
        assert chosen
        (endpoint,) = monitor["podMetricsEndpoints"]
        for pod in chosen:
            ports = [port["name"] for port in pod.spec["containers"][0]["ports"]]
            assert endpoint["port"] in ports, pod.name
    board = manifests.of_kind("laptop with monitoring", "ConfigMap")["meltwatch-dashboard"]
    assert board["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert json.loads(board["data"]["meltwatch.json"])["title"] == "Meltwatch"
