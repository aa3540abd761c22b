"""The optional notify gateway, taken by the plant's overlay as docs/notify.md says."""

import pytest

from tests.support.manifests import OVERLAYS, of_kind, rendered, workloads

pytestmark = pytest.mark.programs

PLANT = "plant with options"


def test_the_component_adds_one_pod_that_reads_its_channels_from_a_secret():
    deployment = of_kind(PLANT, "Deployment")["notify-gateway"]["spec"]
    assert (deployment["replicas"], deployment["strategy"]) == (1, {"type": "Recreate"})
    pod = workloads(PLANT)["notify-gateway"].spec
    (container,) = pod["containers"]
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert volumes["channels"]["secret"]["secretName"] == "notify-channels"
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert container["env"][0]["value"] == f"{mounts['channels']}/channels.yaml"
    assert mounts.keys() == volumes.keys() >= {"ca"}


def test_it_may_talk_to_channels_and_nobody_else_may():
    policy = of_kind(PLANT, "NetworkPolicy")["notify-gateway-to-channels"]["spec"]
    assert policy["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": "notify-gateway"}
    assert policy["policyTypes"] == ["Egress"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_option_changes_nothing_of_the_overlay(overlay):
    with_options = {
        (each["kind"], each["metadata"]["name"]): each
        for each in rendered(f"{overlay} with options")
    }
    for each in rendered(overlay):
        assert with_options[each["kind"], each["metadata"]["name"]] == each
