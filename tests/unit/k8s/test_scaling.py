"""Another stream processor while most furnaces are read late. KEDA itself does not run here."""

import pytest

from tests.support import manifests
from tests.support.manifests import of_kind
from tests.unit.k8s.test_monitoring import (
    FAULT_AT,
    FAULTS,
    NOTHING_READ,
    WHEN,
    Scene,
    exported,
    judged,
    metrics_of,
)

pytestmark = pytest.mark.programs

OVERLAY = "plant with scaling"
MINUTES = 5
LATE = Scene({'meltwatch_watermark_lag_seconds{furnace="B"}': "+15"})


def scaled() -> manifests.Object:
    spec: manifests.Object = of_kind(OVERLAY, "ScaledObject")["stream-processor"]["spec"]
    return spec


def query() -> str:
    return str(scaled()["triggers"][0]["metadata"]["query"])


def test_it_begins_where_the_plant_is_without_it_and_nobody_else_says_how_many():
    target = of_kind(OVERLAY, scaled()["scaleTargetRef"]["kind"])[
        scaled()["scaleTargetRef"]["name"]
    ]
    assert "replicas" not in target["spec"], "each apply would set it back"
    without = of_kind("plant", "StatefulSet")["stream-processor"]["spec"]["replicas"]
    assert scaled()["minReplicaCount"] == without < scaled()["maxReplicaCount"]


def test_none_is_taken_away_and_one_is_added_at_a_time():
    behavior = scaled()["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert behavior["scaleDown"] == {"selectPolicy": "Disabled"}
    (policy,) = behavior["scaleUp"]["policies"]
    assert (policy["type"], policy["value"]) == ("Pods", 1)


def test_it_asks_for_what_services_give():
    assert metrics_of(query()) <= exported()


@pytest.mark.parametrize(
    ("scene", "percent"),
    [
        (Scene(), 0),
        (LATE, 50),
        (Scene(NOTHING_READ), 100),
        (FAULTS["MeltwatchKafkaAway"], 0),
        (FAULTS["MeltwatchSourceAway"], 0),
        (FAULTS["MeltwatchSourceLate"], 0),
        (FAULTS["MeltwatchServiceGone"], 0),
        (FAULTS["MeltwatchShadowStill"], 0),
    ],
    ids=["none", "one of two", "both", "Kafka", "source", "camera", "producer", "shadow"],
)  # fmt: skip
def test_what_another_processor_cannot_help_adds_none(tmp_path, scene, percent):
    """As Prometheus' own tool sees it, with the series and the faults of the rules' tests."""
    told = query().replace('namespace="meltwatch"', f'namespace="{WHEN["namespace"]}"')
    at = FAULT_AT + MINUTES
    expected = {
        "expr": told, "eval_time": f"{at}m", "exp_samples": [{"labels": "{}", "value": percent}],
    }  # fmt: skip
    assert judged(tmp_path, scene, [expected], at + 1) == ""
    assert (percent > float(scaled()["triggers"][0]["metadata"]["threshold"])) is (percent > 0)
