"""The optional ensemble in shadow, taken as docs/shadow.md says."""

import pytest

from tests.support import manifests
from tests.support.manifests import WITH_OPTIONS, of_kind, workloads

pytestmark = pytest.mark.programs

PROCESSOR, CANDIDATE = "shadow-processor", "triton-candidate"


@pytest.mark.parametrize("overlay", WITH_OPTIONS)
def test_it_is_the_stream_processor_of_this_release_on_a_triton_of_its_own(overlay):
    found = workloads(overlay)
    (container,) = found[PROCESSOR].spec["containers"]
    (live,) = found["stream-processor"].spec["containers"]
    told = manifests.environment(overlay, container)
    host, _, port = told["MELTWATCH_TRITON"].partition(":")
    (candidate,) = found[CANDIDATE].spec["containers"]

    assert container["image"] == live["image"]
    assert told["MELTWATCH_SHADOW_ENSEMBLE"] == "fmformer"
    assert told["MELTWATCH_TRITON"] != manifests.environment(overlay, live)["MELTWATCH_TRITON"]
    assert of_kind(overlay, "Service")[host]["spec"]["selector"] == {
        "app.kubernetes.io/name": CANDIDATE
    }
    assert {"name": "grpc", "containerPort": int(port)} in candidate["ports"]
    assert candidate["image"] != found["triton"].spec["containers"][0]["image"]


@pytest.mark.parametrize("overlay", WITH_OPTIONS)
def test_alarms_never_wait_for_it(overlay):
    found = workloads(overlay)
    for name in (PROCESSOR, CANDIDATE):
        assert "priorityClassName" not in found[name].spec
        assert name not in of_kind(overlay, "PodDisruptionBudget")


@pytest.mark.parametrize("overlay", WITH_OPTIONS)
def test_neither_triton_is_reached_from_the_other_side(overlay):
    policies = of_kind(overlay, "NetworkPolicy")
    for policy, of in (
        ("shadow-processor-to-candidate", CANDIDATE),
        ("stream-processor-to-triton", "triton"),
    ):
        ((rule,),) = (policies[policy]["spec"]["egress"],)
        assert rule["to"] == [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": of}}}]


def test_it_knows_the_furnaces_of_the_plant():
    pod = workloads("plant with options")[PROCESSOR].spec
    mounts = {mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
    assert "/etc/meltwatch/plant" in mounts
