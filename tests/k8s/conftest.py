"""The laptop overlay on a real cluster: loaded, applied, and taken away again."""

import gc
import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.k8s.cluster import (
    NAMESPACE,
    diagnosis,
    forwarded,
    job,
    kubectl,
    looks_like_a_test,
    run,
    say,
)
from tests.k8s.options import IMAGES_OF_OPTIONS
from tests.support.manifests import ROOT, containers, version

if TYPE_CHECKING:
    from tests.chaos.tape import Reader

OVERLAYS = Path("k8s/overlays")
LAPTOP = "laptop"
SECURED = "laptop-secured"
PREFIX = "meltwatch"
# How clusters that are known by their names are given images.
_LOADERS = {
    "kind-": "kind load docker-image --name {name}",
    "k3d-": "k3d image import --cluster {name}",
    "minikube": "minikube image load",
}


@dataclass(frozen=True)
class Laptop:
    """A laptop overlay as it was applied.

    Attributes
    ----------
    applied_ns
        Wall time just before.
    """

    applied_ns: int

    @property
    def seconds(self) -> float:
        """How long it has been applied."""
        return (time.time_ns() - self.applied_ns) / 1e9


@pytest.fixture(scope="session")
def context() -> str:
    """The cluster to be used: one that looks like a test, or that was told by name."""
    found = run("config", "current-context")
    if found.returncode:
        pytest.exit(f"expected a cluster in KUBECONFIG: {found.stderr.strip()}", returncode=2)
    name = found.stdout.strip()
    if not looks_like_a_test(name) and name != os.environ.get("CONTEXT"):
        pytest.exit(
            f"expected a test cluster (kind-…, k3d-…, minikube, …), got the context {name}; "
            f"to use it all the same: make test-k8s CONTEXT={name}",
            returncode=2,
        )
    return name


@pytest.fixture(scope="session")
def namespace(context: str) -> Iterator[str]:
    """Our namespace, which must not be somebody's; gone at the end, whatever happens."""
    if run("get", "namespace", NAMESPACE).returncode == 0:
        pytest.exit(
            f"expected no namespace {NAMESPACE} in {context}; if it is of no use any more: "
            f"kubectl delete -k {OVERLAYS / LAPTOP}",
            returncode=2,
        )
    kubectl("apply", "-f", "k8s/base/namespace.yaml")
    try:
        yield NAMESPACE
    finally:
        run("delete", "-k", str(OVERLAYS / SECURED), "--ignore-not-found", "--wait=false")


@pytest.fixture(scope="session")
def registry() -> str:
    """Where the bundle's images are pushed to, and where the cluster finds them."""
    name = os.environ.get("REGISTRY", "")
    if not name:
        pytest.skip("needs REGISTRY: one that this machine and the cluster call by the same name")
    return name


@pytest.fixture(scope="session")
def bundle(context: str, registry: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A bundle of the built images, those of the laptop's servers too; gone at the end."""
    folder = tmp_path_factory.mktemp("carried") / "bundle"
    say(f"make bundle OUT={folder}")
    began = time.monotonic()
    told = ("BUILT=yes", "LAPTOP=yes", f"OUT={folder}", f"REGISTRY={registry}")
    done = subprocess.run(
        ["make", "--no-print-directory", "bundle", *told],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    size_mb = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6
    say(f"{time.monotonic() - began:4.0f} s  {done.stdout.strip()}, {size_mb:.0f} MB")
    yield folder
    shutil.rmtree(folder.parent)


def push(bundle: Path, registry: str) -> None:
    """Do what a plant does with a bundle that has come."""
    # A registry on this very machine speaks no TLS.
    plain = registry.startswith("localhost:")
    began = time.monotonic()
    done = subprocess.run(
        ["sh", bundle / "push.sh", registry, *(["--dest-tls-verify=false"] if plain else [])],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    say(f"{time.monotonic() - began:4.0f} s  push.sh {registry}: {len(done.stdout.splitlines())}")


def at_registry(bundle: Path, name: str, registry: str) -> None:
    """Write an overlay beside a bundle: that of the bundle, with the registry's name."""
    inside = bundle / "k8s" / "overlays" / name
    ours = [each["newName"] for each in _images_of(inside) if "newName" in each]
    images = [{"name": each, "newName": each.replace("localhost", registry, 1)} for each in ours]
    said = {"resources": [f"../../bundle/k8s/overlays/{name}"], "images": images}
    overlay = bundle.parent / "overlays" / name
    overlay.mkdir(parents=True)
    (overlay / "kustomization.yaml").write_text(yaml.safe_dump(said))


def _images_of(overlay: Path) -> list[dict[str, str]]:
    said = yaml.safe_load((overlay / "kustomization.yaml").read_text())
    bases = [overlay / each for each in said["resources"] if each.startswith("../laptop")]
    return said["images"] + [each for base in bases for each in _images_of(base)]


@pytest.fixture(scope="session")
def overlays(request: pytest.FixtureRequest, context: str) -> Path:
    """The folder of the overlays, whose images the cluster finds.

    They are installed from a bundle where there is a registry; else each image is loaded.
    """
    if registry := os.environ.get("REGISTRY", ""):
        bundle = request.getfixturevalue("bundle")
        push(bundle, registry)
        for name in (LAPTOP, SECURED):
            at_registry(bundle, name, registry)
        return Path(bundle.parent / "overlays")
    load(context)
    return OVERLAYS


def manifests_of(overlays: Path) -> Path:
    """Return the folder ``k8s`` that overlays come from: that of a bundle, or ours."""
    return ROOT / "k8s" if overlays == OVERLAYS else overlays.parent / "bundle" / "k8s"


def load(context: str) -> None:
    """Give the cluster the images of the laptop overlays and their options, one by one."""
    used = {container["image"] for _, container in containers(LAPTOP)}
    names = sorted(used | {f"localhost/meltwatch/{name}:{version()}" for name in IMAGES_OF_OPTIONS})
    loader = os.environ.get("LOAD") or next(
        (
            command.format(name=context.removeprefix(prefix))
            for prefix, command in _LOADERS.items()
            if context.startswith(prefix)
        ),
        "",
    )
    if not loader:
        say("neither REGISTRY nor LOAD is set: the cluster must have the images already")
        return
    for number, name in enumerate(names, start=1):
        say(f"loading image {number} of {len(names)}: {name}")
        done = subprocess.run(
            [*shlex.split(loader), name], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{loader} {name}: {done.stderr.strip()}"


@pytest.fixture(scope="session")
def laptop(request: pytest.FixtureRequest, overlays: Path, namespace: str) -> Iterator[Laptop]:
    """The laptop overlay, applied."""
    yield apply(overlays / LAPTOP)
    if request.session.testsfailed:
        print(diagnosis())


def apply(overlay: Path) -> Laptop:
    """Apply an overlay."""
    say(f"kubectl apply -k {overlay}")
    applied_ns = time.time_ns()
    kubectl("apply", "-k", str(overlay))
    return Laptop(applied_ns)


@pytest.fixture(scope="module")
def kafka(laptop: Laptop) -> Iterator[str]:
    """The cluster's broker, by the address that it tells clients outside."""
    with broker() as address:
        yield address


@pytest.fixture(scope="module")
def reader(kafka: str) -> "Iterator[Reader]":
    """All that comes to stand in the broker, read from outside the cluster."""
    with reading(kafka) as opened:
        yield opened


@contextmanager
def broker() -> Iterator[str]:
    """Make the broker reachable once it has its topics."""
    kubectl("wait", "--for=condition=complete", job("topics"), "--timeout=300s", timeout_s=310)
    with forwarded("svc/kafka", 29092, local=29092) as address:
        yield address
        # Here, where it is forgiven: kafka-python forgets the sockets that a broker refused.
        gc.collect()


@contextmanager
def reading(kafka: str) -> "Iterator[Reader]":
    """Read all that comes to stand in the broker."""
    # Imported late: kafka-python's import warns before the root conftest has filtered it.
    from tests.chaos.tape import Reader  # noqa: PLC0415

    with Reader(kafka, PREFIX) as opened:
        yield opened
