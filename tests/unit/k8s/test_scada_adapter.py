"""The optional OPC UA server, taken by the plant's overlay as docs/opcua.md says."""

from pathlib import PurePosixPath

import pytest

from tests.support import manifests
from tests.support.manifests import OVERLAYS, WITH_OPTIONS, Object, of_kind, rendered, workloads

PLANT = "plant with options"
NAME = "scada-adapter"


@pytest.fixture
def container() -> Object:
    (found,) = workloads(PLANT)[NAME].spec["containers"]
    return found


@pytest.fixture
def mounts(container) -> dict[str, PurePosixPath]:
    """Paths by the name of what a plant brings."""
    volumes = {volume["name"]: volume for volume in workloads(PLANT)[NAME].spec["volumes"]}
    found = {}
    for mount in container["volumeMounts"]:
        volume = volumes[mount["name"]]
        source = volume.get("secret", {}).get("secretName") or volume.get("configMap", {}).get(
            "name"
        )
        if source is not None:
            assert mount["readOnly"] is True
            found[source] = PurePosixPath(mount["mountPath"])
    return found


def test_one_pod_serves_clients_and_is_started_anew_rather_than_doubled():
    deployment = of_kind(PLANT, "Deployment")[NAME]["spec"]
    assert (deployment["replicas"], deployment["strategy"]) == (1, {"type": "Recreate"})


def test_its_files_are_where_it_is_told_to_look(container, mounts):
    told = manifests.environment(PLANT, container)
    certificates = PurePosixPath(told["MELTWATCH_OPCUA_CERTIFICATE_DIR"])
    assert mounts["opcua-server"] == certificates
    assert mounts["opcua-trusted"] == certificates / "trusted"
    assert told["MELTWATCH_OPCUA_USERS_FILE"] == str(mounts["opcua-users"] / "users.yaml")
    assert told["MELTWATCH_ROLES_FILE"] == str(mounts["roles"] / "roles.yaml")
    assert told["MELTWATCH_PLANT_FILE"].startswith("/etc/meltwatch/plant/")
    assert {"plant", "ca"} <= {mount["name"] for mount in container["volumeMounts"]}


@pytest.mark.parametrize("overlay", WITH_OPTIONS)
def test_the_alarm_manager_judges_by_the_same_roles(overlay):
    told = {}
    for name in (NAME, "alarm-manager"):
        workload = workloads(overlay)[name]
        (container,) = workload.spec["containers"]
        assert {"name": "roles", "configMap": {"name": "roles"}} in workload.spec["volumes"]
        told[name] = manifests.environment(overlay, container)["MELTWATCH_ROLES_FILE"]
    assert told[NAME] == told["alarm-manager"]


def test_clients_reach_its_port_from_the_network_of_scada_alone(container):
    service = of_kind(PLANT, "Service")["opcua"]["spec"]
    assert service["externalTrafficPolicy"] == "Local"
    assert service["publishNotReadyAddresses"] is True
    (port,) = service["ports"]
    assert {"name": port["targetPort"], "containerPort": port["port"]} in container["ports"]
    address = manifests.environment(PLANT, container)["MELTWATCH_OPCUA_ADDRESS"]
    assert address == f"0.0.0.0:{port['port']}"
    policy = of_kind(PLANT, "NetworkPolicy")["scada-to-opcua"]["spec"]
    assert policy["policyTypes"] == ["Ingress"]
    (rule,) = policy["ingress"]
    assert list(rule["from"][0]) == ["ipBlock"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_option_changes_nothing_of_the_overlay_but_what_the_page_says(overlay):
    with_options = {
        (each["kind"], each["metadata"]["name"]): each
        for each in rendered(f"{overlay} with options")
    }
    for each in rendered(overlay):
        key = each["kind"], each["metadata"]["name"]
        if key != ("Deployment", "alarm-manager"):
            assert with_options[key] == each
