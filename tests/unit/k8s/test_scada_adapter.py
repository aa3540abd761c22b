"""The OPC UA server in both overlays: with a plant's people and certificates, and open to look."""

from pathlib import PurePosixPath

import pytest
import yaml
from meltwatch_chassis.plant import read_roles
from meltwatch_schemas.alarm_command import Role
from meltwatch_schemas.roles import Roles

from tests.support import manifests
from tests.support.manifests import OVERLAYS, Object, of_kind, workloads

pytestmark = pytest.mark.programs

PLANT, LAPTOP = "plant", "laptop"
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


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_one_pod_serves_clients_and_is_started_anew_rather_than_doubled(overlay):
    deployment = of_kind(overlay, "Deployment")[NAME]["spec"]
    assert (deployment["replicas"], deployment["strategy"]) == (1, {"type": "Recreate"})
    service = of_kind(overlay, "Service")["opcua"]["spec"]
    assert service["publishNotReadyAddresses"] is True
    assert service["selector"].items() <= deployment["template"]["metadata"]["labels"].items()
    (container,) = workloads(overlay)[NAME].spec["containers"]
    (port,) = service["ports"]
    assert {"name": port["targetPort"], "containerPort": port["port"]} in container["ports"]
    address = manifests.environment(overlay, container)["MELTWATCH_OPCUA_ADDRESS"]
    assert address == f"0.0.0.0:{port['port']}"


def test_on_a_laptop_whoever_comes_may_look_and_nobody_may_do_more():
    spec = workloads(LAPTOP)[NAME].spec
    (container,) = spec["containers"]
    told = manifests.environment(LAPTOP, container)
    assert told["MELTWATCH_OPCUA_OPEN"] == told["MELTWATCH_OPCUA_TRUST_ALL"] == "true"
    assert not {"MELTWATCH_OPCUA_USERS_FILE", "MELTWATCH_ROLES_FILE"} & told.keys()
    folder = PurePosixPath(told["MELTWATCH_OPCUA_CERTIFICATE_DIR"])
    folders = {each["name"] for each in spec["volumes"] if "emptyDir" in each}
    writable = [
        PurePosixPath(mount["mountPath"])
        for mount in container["volumeMounts"]
        if mount["name"] in folders
    ]
    assert any(folder.is_relative_to(each) for each in writable)


def test_a_plant_lets_in_nobody_without_a_name_and_a_certificate(container):
    told = manifests.environment(PLANT, container)
    assert not {"MELTWATCH_OPCUA_OPEN", "MELTWATCH_OPCUA_TRUST_ALL"} & told.keys()


def test_its_files_are_where_it_is_told_to_look(container, mounts):
    told = manifests.environment(PLANT, container)
    certificates = PurePosixPath(told["MELTWATCH_OPCUA_CERTIFICATE_DIR"])
    assert mounts["opcua-server"] == certificates
    assert mounts["opcua-trusted"] == certificates / "trusted"
    assert told["MELTWATCH_OPCUA_USERS_FILE"] == str(mounts["opcua-users"] / "users.yaml")
    (roles,) = [path for source, path in mounts.items() if source.startswith("roles-")]
    assert told["MELTWATCH_ROLES_FILE"] == str(roles / "roles.yaml")
    assert told["MELTWATCH_PLANT_FILE"].startswith("/etc/meltwatch/plant/")
    assert {"plant", "ca"} <= {mount["name"] for mount in container["volumeMounts"]}


def test_the_alarm_manager_judges_by_the_same_roles():
    found = []
    for name in (NAME, "alarm-manager"):
        spec = workloads(PLANT)[name].spec
        (container,) = spec["containers"]
        (volume,) = [each for each in spec["volumes"] if each["name"] == "roles"]
        file = manifests.environment(PLANT, container)["MELTWATCH_ROLES_FILE"]
        found.append((volume["configMap"]["name"], file))
    assert found[0] == found[1]
    data = of_kind(PLANT, "ConfigMap")[found[0][0]]["data"]
    Roles.model_validate(yaml.safe_load(data[PurePosixPath(found[0][1]).name]))


def test_clients_reach_its_port_from_the_network_of_scada_alone():
    service = of_kind(PLANT, "Service")["opcua"]["spec"]
    assert (service["type"], service["externalTrafficPolicy"]) == ("LoadBalancer", "Local")
    policy = of_kind(PLANT, "NetworkPolicy")["scada-to-opcua"]["spec"]
    assert policy["policyTypes"] == ["Ingress"]
    (rule,) = policy["ingress"]
    assert list(rule["from"][0]) == ["ipBlock"]


def test_the_selftest_of_a_roll_out_may_acknowledge_its_alarm(tmp_path):
    (told,) = [each for name, each in of_kind("plant", "ConfigMap").items() if "roles" in name]
    file = tmp_path / "roles.yaml"
    file.write_text(told["data"]["roles.yaml"])
    roles = read_roles(file)
    assert roles is not None
    assert roles.granted("selftest", "selftest/any/OVERHEAT") is Role.OPERATOR
