"""The optional console, taken by an overlay as docs/console.md says."""

import pytest
from meltwatch_chassis.settings import load
from meltwatch_console.domain.metrics_sources import metrics_sources_of
from meltwatch_console.settings import Settings

from tests.support.manifests import environment, of_kind, workloads

pytestmark = pytest.mark.programs

PLANT = "plant with options"


def test_two_pods_let_in_who_the_plants_login_has_signed():
    pod = workloads(PLANT)["console"]
    assert pod.replicas == 2
    (container,) = pod.spec["containers"]
    settings = load(Settings, environment(PLANT, container))
    assert settings.console_auth == "proxy"
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert str(settings.console_jwks_file) == f"{mounts['keys']}/jwks.json"
    port = int(settings.console_address.rpartition(":")[2])
    assert {"name": "page", "containerPort": port} in container["ports"]


def test_traces_are_each_pods_own_and_evidence_is_kept_by_both():
    pod = workloads(PLANT)["console"]
    (container,) = pod.spec["containers"]
    settings = load(Settings, environment(PLANT, container))
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod.spec["volumes"]}
    ring = volumes[mounts[str(settings.console_ring_dir)]]
    assert ring["emptyDir"]["sizeLimit"] == "1Gi"
    evidence = volumes[mounts[str(settings.console_evidence_dir)]]
    claim = of_kind(PLANT, "PersistentVolumeClaim")[evidence["persistentVolumeClaim"]["claimName"]]
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]


def test_only_the_ingress_reaches_the_page():
    policy = of_kind(PLANT, "NetworkPolicy")["ingress-to-console"]["spec"]
    assert policy["policyTypes"] == ["Ingress"]
    (rule,) = policy["ingress"]
    assert rule["from"] == [{"namespaceSelector": {"matchLabels": {"meltwatch/ingress": "yes"}}}]
    assert rule["ports"] == [{"port": "page"}]


def test_the_system_page_asks_each_service_by_a_name_that_leads_to_it():
    (container,) = workloads(PLANT)["console"].spec["containers"]
    settings = load(Settings, environment(PLANT, container))
    asked = metrics_sources_of(settings.console_metrics)
    services, pods = of_kind(PLANT, "Service"), workloads(PLANT)
    for address in asked.values():
        host, port = address.split(":")
        pod, _, service = host.rpartition(".")
        assert {"name": "health", "port": int(port)}.items() <= services[service]["spec"]["ports"][
            0
        ].items()
        if pod:
            name, _, number = pod.rpartition("-")
            assert services[service]["spec"]["clusterIP"] == "None"
            assert int(number) < pods[name].replicas
    assert len(asked) == pods["stream-processor"].replicas + 1
