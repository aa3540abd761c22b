"""The optional notify gateway, taken by the plant's overlay as docs/notify.md says."""

from tests.support.manifests import of_kind, workloads

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
    assert {"secretRef": {"name": "kafka-login"}} in container["envFrom"]


def test_it_may_talk_to_channels_and_nobody_else_may():
    policy = of_kind(PLANT, "NetworkPolicy")["notify-gateway-to-channels"]["spec"]
    assert policy["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": "notify-gateway"}
    assert policy["policyTypes"] == ["Egress"]
