"""Both overlays, rendered and held against Kubernetes' schemas, our settings and our own rules."""

import copy
import re
from collections.abc import Iterator
from functools import cache

import kubernetes_validate
import pytest
from meltwatch_chassis.known_variables import KNOWN_VARIABLES
from meltwatch_chassis.settings import PREFIX, load
from meltwatch_schemas.access import Principal

from tests.support import manifests
from tests.support.manifests import (
    OVERLAYS,
    SLICED,
    WITH_OPTIONS,
    Workload,
    containers,
    of_kind,
    workloads,
)
from tests.support.settings_table import services_with_settings

pytestmark = pytest.mark.programs

# The oldest that our tests have run on, and the newest whose schemas there are.
MINORS = ("1.34", kubernetes_validate.latest_version())
LOOPBACK = "127.0.0.1"
# Where DNS, the channels of notices and the collector are, only a cluster's owner knows.
ANYWHERE = {"all-to-dns", "notify-gateway-to-channels", "tracer-to-collector"}


@pytest.fixture(scope="module", autouse=True)
def schemas_read_once() -> Iterator[None]:
    """The library reads megabytes of JSON for each object."""
    with pytest.MonkeyPatch.context() as patch:
        read = kubernetes_validate.utils.schema_contents
        patch.setattr(kubernetes_validate.utils, "schema_contents", cache(read))
        yield


@pytest.fixture(params=(*OVERLAYS, *WITH_OPTIONS, SLICED))
def overlay(request) -> str:
    return request.param


@pytest.mark.parametrize("minor", MINORS)
def test_every_object_is_what_kubernetes_knows(overlay, minor):
    for each in manifests.rendered(overlay):
        kubernetes_validate.validate(each, minor, strict=True)


def test_a_misspelt_field_would_be_noticed(overlay):
    misspelt = copy.deepcopy(of_kind(overlay, "StatefulSet")["triton"])
    misspelt["spec"]["template"]["spec"]["containers"][0]["livenesProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="livenesProbe"):
        kubernetes_validate.validate(misspelt, MINORS[-1], strict=True)


def test_everything_lives_in_one_namespace_that_admits_restricted_pods_alone(overlay):
    cluster_wide = {"Namespace", "PriorityClass"}
    places = {
        each["metadata"].get("namespace")
        for each in manifests.rendered(overlay)
        if each["kind"] not in cluster_wide
    }
    assert places == {"meltwatch"}
    labels = of_kind(overlay, "Namespace")["meltwatch"]["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_every_pod_runs_without_rights(overlay):
    for workload in workloads(overlay).values():
        assert workload.spec["automountServiceAccountToken"] is False
        assert workload.spec["enableServiceLinks"] is False
        assert workload.spec["securityContext"]["runAsNonRoot"] is True
        assert workload.spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert workload.spec["serviceAccountName"] == workload.name
        assert workload.name in of_kind(overlay, "ServiceAccount")
        for container in workload.containers:
            rights = container["securityContext"]
            assert rights["allowPrivilegeEscalation"] is False
            assert rights["readOnlyRootFilesystem"] is True
            assert rights["capabilities"] == {"drop": ["ALL"]}


def test_every_image_is_of_this_release_or_of_a_fixed_one(overlay):
    for _, container in containers(overlay):
        name, _, tag = container["image"].rpartition(":")
        assert re.fullmatch(r"[\w.-]+", tag)
        assert tag != "latest"
        if "/meltwatch/" in name:
            assert tag == manifests.version()


def test_each_release_has_jobs_of_its_own(overlay):
    release = manifests.version().replace(".", "-")
    assert set(of_kind(overlay, "Job")) == {f"topics-{release}", f"selftest-{release}"}


def test_every_container_says_what_it_needs(overlay):
    for workload, container in containers(overlay):
        resources = container["resources"]
        assert {"cpu", "memory"} <= resources["requests"].keys(), workload.name
        assert "memory" in resources["limits"], workload.name


LOGS = 50 * 2**20
"""What a node keeps of a container's log, unless it is told otherwise: five files of 10 MiB."""


def test_no_pod_of_a_plant_is_evicted_for_what_it_may_write():
    overlay = "plant with options"
    (limits,) = of_kind(overlay, "LimitRange")["disk"]["spec"]["limits"]
    allowed = amount(limits["default"]["ephemeral-storage"])
    for workload in workloads(overlay).values():
        folders = [each["emptyDir"] for each in workload.spec["volumes"] if "emptyDir" in each]
        on_disk = sum(
            amount(each["sizeLimit"]) for each in folders if each.get("medium") != "Memory"
        )
        assert on_disk + LOGS <= allowed, workload.name
        assert len(workload.spec["containers"]) == 1


def test_no_folder_of_a_pod_grows_without_end(overlay):
    for workload in workloads(overlay).values():
        for volume in workload.spec["volumes"]:
            assert amount(volume.get("emptyDir", {"sizeLimit": "1Mi"})["sizeLimit"])


def test_replicas_are_kept_apart(overlay):
    for workload in workloads(overlay).values():
        if workload.replicas > 1:
            apart = workload.spec["affinity"]["podAntiAffinity"]
            ((term,),) = apart.values()
            told = term.get("podAffinityTerm", term)
            assert told["topologyKey"] == "kubernetes.io/hostname"
            assert told["labelSelector"]["matchLabels"].items() <= workload.labels.items()


@pytest.mark.parametrize("overlay", ["plant", "plant with options"])
def test_images_may_need_a_login(overlay):
    for workload in workloads(overlay).values():
        assert workload.spec["imagePullSecrets"] == [{"name": "registry-login"}], workload.name


def test_a_plant_asks_its_own_dns_alone():
    for overlay in ("plant", "plant with options"):
        (rule,) = of_kind(overlay, "NetworkPolicy")["all-to-dns"]["spec"]["egress"]
        ours = {"kubernetes.io/metadata.name": "kube-system"}
        pods, node = rule["to"]
        assert pods["namespaceSelector"]["matchLabels"] == ours
        assert node["ipBlock"]["cidr"].endswith("/32")
        assert {each["port"] for each in rule["ports"]} == {53}


def test_five_values_make_another_plant():
    ours, theirs = (
        manifests.as_text(manifests.rendered(each))
        for each in ("plant with options", "plant with values")
    )
    old = ("registry.example.com", "kafka-1.plant", "redis.plant", "10.20.0.0", "10.30.0.0")
    for was, is_now in zip(old, manifests.OTHER_VALUES.values(), strict=True):
        assert was in ours
        assert is_now not in ours
        assert was not in theirs
        assert is_now in theirs
    assert "nvcr.io/nvidia/tritonserver" in theirs, "NVIDIA's own"
    names = [
        {name for name in of_kind(each, "ConfigMap") if name.startswith("settings-")}
        for each in ("plant with options", "plant with values")
    ]
    assert not names[0] & names[1], "pods roll when a value changes"


def test_a_triton_may_have_a_slice_of_a_gpu():
    for overlay, gpu in (("plant", "nvidia.com/gpu"), (SLICED, "nvidia.com/mig-1g.10gb")):
        (container,) = workloads(overlay)["triton"].spec["containers"]
        for amounts in container["resources"].values():
            assert {name: n for name, n in amounts.items() if "nvidia" in name} == {gpu: 1}


@pytest.mark.parametrize("overlay", ["laptop"])
def test_the_laptop_overlay_asks_for_no_more_than_a_laptop_has(overlay):
    cpus = gibibytes = 0.0
    for workload in workloads(overlay).values():
        for container in workload.spec["containers"]:
            requests = container["resources"]["requests"]
            cpus += workload.replicas * amount(requests["cpu"])
            gibibytes += workload.replicas * amount(requests["memory"]) / 2**30
    assert cpus < 1.5
    assert gibibytes < 8


def amount(quantity: str) -> float:
    """Return what a quantity such as ``150m`` or ``256Mi`` stands for."""
    number, unit = re.fullmatch(r"(\d+)(m|Mi|Gi|)", str(quantity)).groups()
    return int(number) * {"m": 1e-3, "Mi": 2**20, "Gi": 2**30, "": 1}[unit]


def test_every_mount_has_a_volume_and_tmp_is_writable(overlay):
    for workload, container in containers(overlay):
        mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
        assert set(mounts.values()) <= workload.volume_names
        if container in workload.spec["containers"]:
            assert mounts["/tmp"] == "tmp"  # noqa: S108 - the one writable folder of a pod


def test_every_server_and_service_is_watched(overlay):
    for workload in workloads(overlay).values():
        if workload.kind not in {"Job", "CronJob"}:
            (container,) = workload.spec["containers"]
            assert {"readinessProbe", "livenessProbe"} <= container.keys()


def test_no_secret_stands_in_the_manifests(overlay):
    assert of_kind(overlay, "Secret") == {}
    told = [each["data"] for each in of_kind(overlay, "ConfigMap").values()]
    told += [
        {variable["name"]: variable["value"]}
        for _, container in containers(overlay)
        for variable in container.get("env", [])
        if "value" in variable
    ]
    names = {name.upper() for data in told for name in data}
    secrets = {name for name in names if re.search("PASSWORD|SECRET|TOKEN|KEY", name)}
    assert not [name for name in secrets if not name.endswith("_FILE")]


def test_no_secret_is_given_as_a_variable(overlay):
    for workload, container in containers(overlay):
        given = [*container.get("envFrom", []), *container.get("env", [])]
        assert "secret" not in str(given).lower(), workload.name


def test_each_workload_logs_in_as_itself(overlay):
    passwords = {}
    for workload in workloads(overlay).values():
        if workload.labels["app.kubernetes.io/component"] == "server":
            continue
        volumes = {volume["name"]: volume for volume in workload.spec["volumes"]}
        secret = volumes["login"]["secret"]["secretName"]
        users = set()
        for container in workload.containers:
            mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
            assert (mounts["login"], mounts["ca"]) == ("/etc/meltwatch/login", "/etc/meltwatch/ca")
            told = manifests.environment(overlay, container)
            users.add(Principal(told["MELTWATCH_KAFKA_USERNAME"]))
            for name, value in told.items():
                if name.endswith(("_USERNAME", "_PASSWORD_FILE")) and "MQTT" not in name:
                    assert value in {
                        *users,
                        f"/etc/meltwatch/login/{name.split('_')[1].lower()}-password",
                    }
        (user,) = users
        assert passwords.setdefault(user, secret) == secret
    assert len({*passwords.values()}) == len(passwords) >= 5


def test_every_variable_is_known_and_every_value_is_accepted(overlay):
    models = services_with_settings()
    for workload, container in containers(overlay):
        told = manifests.environment(overlay, container)
        ours = {name for name in told if name.startswith(PREFIX)}
        assert ours <= KNOWN_VARIABLES
        if workload.labels["app.kubernetes.io/component"] != "server":
            load(model_of(models, container), told)


def test_no_service_is_left_with_an_address_of_its_own_pod(overlay):
    models = services_with_settings()
    for workload, container in containers(overlay):
        if workload.labels["app.kubernetes.io/component"] == "server":
            continue
        told = manifests.environment(overlay, container)
        settings = load(model_of(models, container), told)
        assert [name for name, value in settings if LOOPBACK in str(value)] in ([], ["redis"])
        if workload.name in {"alarm-manager", "selftest"}:
            assert LOOPBACK not in settings.redis


def test_every_setting_of_the_overlay_is_read_by_one_of_its_pods(overlay):
    models = services_with_settings()
    readers = [
        model_of(models, container)
        for workload, container in containers(overlay)
        if workload.labels["app.kubernetes.io/component"] != "server"
    ]
    read = {PREFIX + name.upper() for model in readers for name in model.model_fields}
    for name, data in of_kind(overlay, "ConfigMap").items():
        if name.startswith("settings-"):
            assert data["data"].keys() <= read


def model_of(models, container: manifests.Object):
    """Return the settings of a service; Jobs and what waits are the command line's."""
    return models.get(container["name"].replace("-", "_"), models["cli"])


def test_triton_is_asked_by_the_name_of_each_replica(overlay):
    triton, processor = (workloads(overlay)[name] for name in ("triton", "stream-processor"))
    (container,) = processor.spec["containers"]
    told = manifests.environment(overlay, container)["MELTWATCH_TRITON"]
    expected = [f"triton-{number}.triton:8001" for number in range(triton.replicas)]
    assert told.split(",") == expected
    assert of_kind(overlay, "StatefulSet")["triton"]["spec"]["serviceName"] == "triton"
    assert of_kind(overlay, "Service")["triton"]["spec"]["clusterIP"] == "None"


def test_what_selects_pods_finds_some(overlay):
    pods = [workload.labels for workload in workloads(overlay).values()]
    selectors = [each["spec"]["selector"] for each in of_kind(overlay, "Service").values()]
    selectors += [
        each["spec"]["selector"]["matchLabels"]
        for kind in ("PodDisruptionBudget", "Deployment", "StatefulSet")
        for each in of_kind(overlay, kind).values()
    ]
    for selector in selectors:
        assert any(selector.items() <= labels.items() for labels in pods), selector


def test_nothing_may_talk_unless_a_policy_names_the_flow(overlay):
    policies = of_kind(overlay, "NetworkPolicy")
    denied = policies.pop("deny-by-default")["spec"]
    assert denied == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for name, policy in policies.items():
        for direction in ("ingress", "egress"):
            for rule in policy["spec"].get(direction, []):
                assert rule.get("ports"), name
                assert rule.get("from" if direction == "ingress" else "to") or name in ANYWHERE


def test_every_port_that_a_policy_names_is_one_of_the_pods_that_it_leads_to(overlay):
    for name, policy in of_kind(overlay, "NetworkPolicy").items():
        spec = policy["spec"]
        for rule in spec.get("ingress", []):
            for port in rule["ports"]:
                for workload in selected(overlay, spec["podSelector"]):
                    assert port["port"] in port_names(workload), name
        for rule in spec.get("egress", []):
            for peer in rule.get("to", []):
                # In another namespace are others' pods.
                if "podSelector" in peer and "namespaceSelector" not in peer:
                    reached = selected(overlay, peer["podSelector"])
                    assert reached, name
                    names = {name for workload in reached for name in port_names(workload)}
                    assert {port["port"] for port in rule["ports"]} <= names


SCRAPER = {"namespaceSelector": {"matchLabels": {"meltwatch/scrapes": "yes"}}}
CONSOLE = {"podSelector": {"matchLabels": {"app.kubernetes.io/name": "console"}}}


def test_figures_are_given_to_who_scrapes_and_to_the_console_alone(overlay):
    readers = [SCRAPER, CONSOLE] if "console" in workloads(overlay) else [SCRAPER]
    told = 0
    for workload in workloads(overlay).values():
        for port in port_names(workload) & {"health", "metrics"}:
            wanted = readers if port == "health" else [SCRAPER]
            assert sorted(admitted(overlay, workload, port), key=str) == sorted(wanted, key=str)
            told += 1
    assert told >= 4


def admitted(overlay, workload: Workload, port: str) -> list[manifests.Object]:
    """Return who may come to a port of a workload's pods."""
    return [
        peer
        for policy in of_kind(overlay, "NetworkPolicy").values()
        if workload in selected(overlay, policy["spec"]["podSelector"])
        for rule in policy["spec"].get("ingress", [])
        if {"port": port} in rule["ports"]
        for peer in rule["from"]
    ]


def selected(overlay, selector) -> list[Workload]:
    """Return the workloads whose pods a selector matches."""
    wanted = selector.get("matchLabels", {})
    among = selector.get("matchExpressions", [])
    return [
        workload
        for workload in workloads(overlay).values()
        if wanted.items() <= workload.labels.items()
        and all(workload.labels.get(each["key"]) in each["values"] for each in among)
    ]


def port_names(workload: Workload) -> set[str]:
    return {port["name"] for each in workload.containers for port in each.get("ports", [])}


def test_the_alarm_path_comes_before_everything_else(overlay):
    (name,) = of_kind(overlay, "PriorityClass")
    for service in ("stream-processor", "alarm-manager", "triton"):
        assert workloads(overlay)[service].spec["priorityClassName"] == name
        assert workloads(overlay)[service].replicas >= 2
        assert of_kind(overlay, "PodDisruptionBudget")[service]["spec"]["maxUnavailable"] == 1


def test_what_the_overlay_asks_of_secrets_is_what_the_docs_say(overlay):
    page = (manifests.ROOT / "docs" / "kubernetes.md").read_text()
    laptop = {f"{name}-login" for name in ("video-producer", "current-producer")}
    for name in secrets_of(overlay) - laptop - {"kafka-tls", "redis-tls", "redis-users"}:
        assert f"| Secret | `{name}` |" in page


def secrets_of(overlay) -> set[str]:
    """Return the names of all Secrets that pods mount."""
    found = set()
    for workload in workloads(overlay).values():
        for volume in workload.spec["volumes"]:
            sources = [volume, *volume.get("projected", {}).get("sources", [])]
            secrets = [each["secret"] for each in sources if "secret" in each]
            found |= {each.get("secretName") or each["name"] for each in secrets}
    return found
