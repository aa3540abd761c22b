"""The Kubernetes manifests as a cluster gets them: rendered, and looked at pod by pod."""

import copy
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
KUBECTL = Path(sys.executable).with_name("kubectl")
OVERLAYS = ("laptop", "plant", "laptop-secured")
# What an overlay may take, as the page of each says.
OPTIONS = (
    "notify-gateway", "alarm-journal", "sparkplug", "source-producer", "backup", "console",
    "nightly-backtest", "shadow", "traces",
)  # fmt: skip
IMAGES = {
    "alarm-journal": "journal",
    "backup": "tools",
    "nightly-backtest": "journal",
    "shadow": "triton-candidate",
    "traces": "tools",
}  # fmt: skip - of those that have another
WITH_OPTIONS = ("laptop with options", "plant with options", "laptop-secured with options")
SLICED = "plant with mig"
"""Triton on slices of GPUs: a choice beside whole ones."""
Object = dict[str, Any]


@dataclass(frozen=True)
class Workload:
    """What makes pods.

    Attributes
    ----------
    kind, name
        Of the Deployment, StatefulSet, Job or CronJob.
    replicas
        Number of its pods.
    labels, spec
        Of each pod.
    claims
        Volumes that each pod has of its own.
    """

    kind: str
    name: str
    replicas: int
    labels: Mapping[str, str]
    spec: Mapping[str, Any]
    claims: tuple[str, ...] = ()

    @property
    def containers(self) -> list[Object]:
        """Every container, those that run first included."""
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]

    @property
    def volume_names(self) -> set[str]:
        """Names of the pod's volumes."""
        return {volume["name"] for volume in self.spec["volumes"]} | set(self.claims)


@cache
def rendered(overlay: str) -> tuple[Object, ...]:
    """Return the objects of an overlay, as it is or with one of ``_TAKE``."""
    name, _, options = overlay.partition(" with ")
    with tempfile.TemporaryDirectory() as folder:
        copied = shutil.copytree(ROOT / "k8s", Path(folder) / "k8s")
        if options:
            file = copied / "overlays" / name / "kustomization.yaml"
            _TAKE[options](file)
        return _render(copied / "overlays" / name)


def _take_component(name: str, file: Path) -> None:
    said = yaml.safe_load(file.read_text())
    said["components"].append(f"../../components/{name}")
    file.write_text(yaml.safe_dump(said))


OTHER_VALUES: Mapping[str, str] = {
    "REGISTRY": "registry.other:5000",
    "KAFKA": "kafka.other:9093",
    "REDIS": "rediss://redis.other:6380/0",
    "SERVERS_NETWORK": "192.0.2.0/28",
    "SCADA_NETWORK": "198.51.100.0/28",
}
"""What another plant writes into ``values.env``."""


def _take_values(file: Path) -> None:
    _take_options(file)
    values = file.with_name("values.env")
    told = dict(line.split("=") for line in values.read_text().splitlines() if "=" in line)
    assert told.keys() == OTHER_VALUES.keys()
    values.write_text("".join(f"{name}={value}\n" for name, value in OTHER_VALUES.items()))


def _take_slices(file: Path) -> None:
    """Take the comment signs away that stand before the patch."""
    text = file.read_text()
    taken = text.replace("# - path: mig", "- path: mig").replace("#   target: {", "  target: {")
    assert taken != text
    file.write_text(taken)


def _take_options(file: Path) -> None:
    """Write into an overlay what somebody writes who wants everything."""
    said = yaml.safe_load(file.read_text())
    secured = [each for each in said["components"] if each.endswith("/secured")]
    for each in secured:  # it comes last: it changes what options bring
        said["components"].remove(each)
    said["components"] += [*(f"../../components/{option}" for option in OPTIONS), *secured]
    for option in OPTIONS:
        name = f"meltwatch/{IMAGES.get(option, option)}"
        image = f"registry.example.com/{name}"
        if name not in {each["name"] for each in said["images"]}:
            said["images"].append({"name": name, "newName": image, "newTag": version()})
    file.write_text(yaml.safe_dump(said))


_TAKE = {
    "options": _take_options,
    "values": _take_values,
    "mig": _take_slices,
    "monitoring": partial(_take_component, "monitoring"),
    "cert-manager": partial(_take_component, "cert-manager"),
    "scaling": partial(_take_component, "scaling"),
}


def _render(folder: Path) -> tuple[Object, ...]:
    done = subprocess.run(
        [KUBECTL, "kustomize", folder],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    return tuple(yaml.load_all(done.stdout, yaml.CSafeLoader))


def as_text(objects: Iterable[Object]) -> str:
    """Return objects as one file holds them."""
    return str(yaml.dump_all(objects, Dumper=yaml.CSafeDumper))


def of_kind(overlay: str, kind: str) -> dict[str, Object]:
    """Return the objects of one kind by name."""
    return {each["metadata"]["name"]: each for each in rendered(overlay) if each["kind"] == kind}


@cache
def workloads(overlay: str) -> Mapping[str, Workload]:
    """Return everything that makes pods, by name."""
    found = {}
    for each in rendered(overlay):
        spec = each.get("spec", {})
        spec = spec.get("jobTemplate", {}).get("spec", spec)
        if "template" in spec:
            template, name = _as_pods_see_it(spec["template"]), each["metadata"]["name"]
            replicas = spec.get("replicas", 1)
            labels = template["metadata"]["labels"]
            if each["kind"] == "Job":  # named after its release, too
                name = labels["app.kubernetes.io/name"]
            claims = tuple(
                claim["metadata"]["name"] for claim in spec.get("volumeClaimTemplates", ())
            )
            found[name] = Workload(each["kind"], name, replicas, labels, template["spec"], claims)
    return MappingProxyType(found)


def _as_pods_see_it(template: Object) -> Object:
    """Return a pod's template with the values of variables that name an annotation of it."""
    template = copy.deepcopy(template)
    for container in (*template["spec"].get("initContainers", ()), *template["spec"]["containers"]):
        for variable in container.get("env", ()):
            match variable:
                case {"valueFrom": {"fieldRef": {"fieldPath": path}}}:
                    found = re.fullmatch(r"metadata\.annotations\['(.+)'\]", path)
                    assert found, variable
                    variable["value"] = template["metadata"]["annotations"][found[1]]
                    del variable["valueFrom"]
    return template


def containers(overlay: str) -> Iterator[tuple[Workload, Object]]:
    """Go through every container of every pod."""
    for workload in workloads(overlay).values():
        for container in workload.containers:
            yield workload, container


def environment(overlay: str, container: Object) -> dict[str, str]:
    """Return the variables that a container gets: none of them comes from a Secret."""
    maps, found = of_kind(overlay, "ConfigMap"), {}
    for source in container.get("envFrom", []):
        found |= maps[source["configMapRef"]["name"]]["data"]
    for variable in container.get("env", []):
        found[variable["name"]] = variable["value"]
    return found


def next_release(folder: Path, version_: str = "9.9.9") -> Path:
    """Copy the manifests as the next release has them: other images, other Jobs."""
    copied = Path(shutil.copytree(ROOT / "k8s", folder / "k8s"))
    for file in copied.rglob("*.yaml"):
        text = file.read_text().replace(version(), version_)
        file.write_text(text.replace(version().replace(".", "-"), version_.replace(".", "-")))
    return copied


def version() -> str:
    """Return the version of this release."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return str(project["version"])
