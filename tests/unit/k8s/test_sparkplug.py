"""The optional Sparkplug edge node, taken by the overlays as docs/sparkplug.md says."""

from pathlib import PurePosixPath

import pytest

from tests.support import manifests
from tests.support.manifests import WITH_OPTIONS, of_kind, workloads

pytestmark = pytest.mark.programs

PLANT = "plant with options"
NAME = "sparkplug-edge"


def test_one_pod_with_one_client_id_that_serves_nothing_but_its_health():
    deployment = of_kind(PLANT, "Deployment")[NAME]["spec"]
    assert (deployment["replicas"], deployment["strategy"]) == (1, {"type": "Recreate"})
    (container,) = workloads(PLANT)[NAME].spec["containers"]
    assert [port["name"] for port in container["ports"]] == ["health"]
    assert container["image"].startswith("registry.example.com/meltwatch/scada-adapter:")


@pytest.mark.parametrize("overlay", WITH_OPTIONS)
def test_its_files_are_where_it_is_told_to_look(overlay):
    (container,) = workloads(overlay)[NAME].spec["containers"]
    told = manifests.environment(overlay, container)
    mounts = {each["name"]: PurePosixPath(each["mountPath"]) for each in container["volumeMounts"]}
    assert told["MELTWATCH_MQTT_CA_FILE"] == str(mounts["mqtt-ca"] / "ca.crt")
    assert told["MELTWATCH_ROLES_FILE"] == str(mounts["roles"] / "roles.yaml")
    assert told["MELTWATCH_SPARKPLUG_STATE_FILE"].startswith(f"{mounts['tmp']}/")
    assert (told["MELTWATCH_MQTT_TLS"], told["MELTWATCH_OPCUA_ADDRESS"]) == ("true", "")


def test_the_alarm_manager_of_a_plant_judges_by_the_same_roles():
    found = workloads(PLANT)
    sources = []
    for name in (NAME, "alarm-manager"):
        volumes = {volume["name"]: volume for volume in found[name].spec["volumes"]}
        sources.append(volumes["roles"]["configMap"]["name"])
    assert sources[0] == sources[1]


def test_it_reaches_the_brokers_network_alone():
    policy = of_kind(PLANT, "NetworkPolicy")["sparkplug-to-broker"]["spec"]
    assert policy["policyTypes"] == ["Egress"]
    (rule,) = policy["egress"]
    assert list(rule["to"][0]) == ["ipBlock"]
    (container,) = workloads(PLANT)[NAME].spec["containers"]
    broker = manifests.environment(PLANT, container)["MELTWATCH_MQTT"]
    assert rule["ports"] == [{"port": int(broker.rpartition(":")[2])}]
