"""The optional producer of the plant's own sources, taken as docs/sources.md says."""

import pytest

from tests.support.manifests import of_kind, workloads

pytestmark = pytest.mark.programs

PLANT = "plant with options"
NAME = "source-producer"


def test_one_pod_keeps_what_waits_for_kafka_on_a_volume_of_its_own():
    made = of_kind(PLANT, "StatefulSet")[NAME]["spec"]
    pod = workloads(PLANT)[NAME].spec
    (container,) = pod["containers"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    told = {each["name"]: each["value"] for each in container["env"]}
    (claim,) = made["volumeClaimTemplates"]

    assert made["replicas"] == 1
    assert told["MELTWATCH_SPOOL_DIR"] == mounts["spool"]
    assert claim["metadata"]["name"] == "spool"
    assert claim["spec"]["resources"]["requests"]["storage"] == "3Gi"
    assert int(told["MELTWATCH_SPOOL_BYTES"]) == 2 * 1024**3
    assert {"plant", "credentials", "spool", "ca"} <= mounts.keys()
    assert mounts["credentials"] == "/etc/meltwatch/credentials"


def test_it_reaches_cameras_and_meters_in_their_networks_alone():
    policies = of_kind(PLANT, "NetworkPolicy")
    for policy, ports in (("cameras", {554, 322}), ("meters", {502, 4840, 1883, 8883})):
        spec = policies[f"{NAME}-to-{policy}"]["spec"]
        assert spec["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": NAME}
        (rule,) = spec["egress"]
        assert all("ipBlock" in to for to in rule["to"])
        assert {port["port"] for port in rule["ports"]} == ports
